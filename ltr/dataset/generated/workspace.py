"""Generated sets kept in the workspace: built once, in a side folder, and moved into place when complete."""

import hashlib
import json
import logging
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.images.listing import is_stranger
from ebm.integrity.json_files import read_sealed_json
from ltr.dataset.generated.plans import TestPlan, TrainingPlan, find_plan
from ltr.dataset.generated.sets import write_test_set, write_training_set

__all__ = ["ensure_generated", "generated_folder"]

VERSION = 4  # raised whenever the same plan gives other files
_log = logging.getLogger(__name__)

_STALE = 24 * 3600.0  # s; side folders this old belong to no running process


def _digest(plan: TrainingPlan | TestPlan, textures: Path | None) -> str:
    files: list[Any] = []
    if textures is not None and textures.is_dir():
        files = sorted(
            (str(file.relative_to(textures)), file.stat().st_size)
            for file in textures.rglob("*")
            if file.is_file() and not any(map(is_stranger, file.relative_to(textures).parts))
        )
    content = {"version": VERSION, "plan": asdict(plan), "textures": files}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def generated_folder(
    workspace: Path,
    kind: str,
    scale: str,
    textures: Path | None = None,
    plan: TrainingPlan | TestPlan | None = None,
) -> Path:
    """Where a set is kept; the name tells kind, scale and configuration.

    Raises:
        UnknownNameError: no such kind (train, test) or scale (tiny, demo, full).
    """
    return (
        workspace / "generated" / f"{kind}-{scale}-{_digest(plan or find_plan(kind, scale), textures)[:10]}"
    )


def _finished(folder: Path, layouts: tuple[str, ...]) -> dict[str, Path] | None:
    """The roots if each lists its sequences; a damaged list counts as none, and the set is drawn again."""
    roots = {layout: folder / layout for layout in layouts}
    for root in roots.values():
        file = root / "generated.json"
        if not file.is_file():
            return None
        try:
            read_sealed_json(file)
        except InputError as error:
            _log.warning("%s The set is generated again.", error)
            return None
    return roots


def _sweep(parent: Path) -> None:
    """Remove side folders that a killed process left behind long ago."""
    for left in parent.glob(".building-*"):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)


def ensure_generated(
    workspace: Path,
    kind: str = "train",
    scale: str = "demo",
    workers: int = 0,
    progress: bool = True,
    *,
    textures: Path | None = None,
    plan: TrainingPlan | TestPlan | None = None,
) -> dict[str, Path]:
    """The roots of a generated set, which is drawn first if it is not there yet.

    The set is built in a side folder and moved into place as a whole, so a half-built set is never taken
    for a finished one; an interruption removes the side folder.

    Args:
        workspace: folder that holds ``generated/``.
        kind: ``"train"`` or ``"test"``; the two never share a sequence.
        scale: ``"tiny"``, ``"short"``, ``"demo"`` or ``"full"``, see `SCALES`.
        workers: processes; 0 chooses. The files do not depend on it.
        progress: show progress bars.
        textures: folder of photographs to be mixed in.
        plan: in place of the scale's own, see `adapted_plan`.

    Returns:
        Layout name -> its root: lasot, got10k, trackingnet, coco for training, otb, lasot for tests.

    Raises:
        UnknownNameError: no such kind or scale.
        InputError: the workspace cannot be written, the disk is full, or the textures are unusable.
    """
    plan = plan or find_plan(kind, scale)
    folder = generated_folder(workspace, kind, scale, textures, plan)
    layouts = (*plan.videos, "coco") if isinstance(plan, TrainingPlan) else tuple(plan.sequences)
    roots = _finished(folder, layouts)
    if roots is not None:
        return roots
    side = folder.parent / f".building-{folder.name}-{os.getpid()}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        shutil.rmtree(side, ignore_errors=True)
        more = {"scale": scale, "config_hash": _digest(plan, textures)}
        if isinstance(plan, TrainingPlan):
            write_training_set(side, plan, workers=workers, textures=textures, progress=progress, **more)
        else:
            write_test_set(side, plan, workers=workers, textures=textures, progress=progress, **more)
        _move_into_place(side, folder, layouts)
    except OSError as error:
        raise InputError(
            f"Cannot write the generated set to {folder} ({error}); choose another workspace."
        ) from error
    finally:
        shutil.rmtree(side, ignore_errors=True)
    return {layout: folder / layout for layout in layouts}


def _move_into_place(side: Path, folder: Path, layouts: tuple[str, ...]) -> None:
    """Rename; an incomplete folder of that name goes, a complete one (another process was faster) stays."""
    if folder.exists() and _finished(folder, layouts) is None:
        shutil.rmtree(folder)
    try:
        side.rename(folder)
    except OSError:
        if _finished(folder, layouts) is None:
            raise
