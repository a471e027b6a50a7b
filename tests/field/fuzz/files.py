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


def _of(kind: FileKind) -> Target:
    def judge(_: Path, found: Any, before: Any, said: str) -> str:
        if same(found, before):
            return ""
        if kind.noted and "no checksum" in said:
            return f"{UNKNOWABLE} another content, and it was said that nothing vouches for it"
        return "damage went unnoticed"

    damage = (*BINARY, *JSON[:4])
    return Target(f"files/{kind.name}", kind.write, kind.read, judge, kind.files, damage)


TARGETS = tuple(map(_of, (*KINDS, _LEGACY)))
