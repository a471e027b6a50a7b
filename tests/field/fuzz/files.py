"""The files that we write, and those of other programs that hold networks, as targets."""

from pathlib import Path
from typing import Any

import torch

from ltr.admin.checkpoint_io import read_checkpoint
from tests.field.file_kinds import CHECKPOINT, KINDS, FileKind, same, small_checkpoint
from tests.field.fuzz.damage import BINARY, JSON
from tests.field.fuzz.target import UNKNOWABLE, Target

__all__ = ["TARGETS"]


def _write_legacy(folder: Path) -> None:
    torch.save(small_checkpoint(), folder / CHECKPOINT, _use_new_zipfile_serialization=False)


_LEGACY = FileKind(
    "checkpoint, legacy pickle",
    _write_legacy,
    lambda folder: read_checkpoint(folder / CHECKPOINT),
    noted=True,
)


def _lost_its_checksum(folder: Path) -> bool:
    """Whether a JSON file has no such field any more: it cannot be told from one of an older release."""
    return any('"sha256"' not in file.read_text(errors="replace") for file in folder.rglob("*.json"))


def _of(kind: FileKind) -> Target:
    def judge(folder: Path, found: Any, before: Any, said: str) -> str:
        if same(found, before):
            return ""
        if "no checksum" in said and (kind.noted or _lost_its_checksum(folder)):
            return f"{UNKNOWABLE} another content, and it was said that nothing vouches for it"
        return "damage went unnoticed"

    damage = (*BINARY, *JSON[:4])
    return Target(f"files/{kind.name}", kind.write, kind.read, judge, kind.files, damage)


TARGETS = tuple(map(_of, (*KINDS, _LEGACY)))
