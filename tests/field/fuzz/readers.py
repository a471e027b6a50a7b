"""Every reader that is tried: a new one joins by being listed in one of these tables."""

from tests.field.fuzz import annotations, files, pictures, texts
from tests.field.fuzz.target import Target

__all__ = ["TARGETS"]

TARGETS: tuple[Target, ...] = (*annotations.TARGETS, *texts.TARGETS, *files.TARGETS, *pictures.TARGETS)
