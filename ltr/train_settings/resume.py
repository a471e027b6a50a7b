"""Where a run starts: anew, at the newest checkpoint, or at the one named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.files import expanded
from ltr.admin.loading import latest_checkpoint, read_checkpoint
from ltr.train_settings.compare import comparable, flat_differences
from ltr.train_settings.recipe import TrainRecipe
from ltr.trainers.checkpoints import CheckpointFolder, require_training_state

__all__ = ["Start", "find_start", "make_way"]

SHOWN = 6  # differences named in a message


@dataclass(frozen=True, kw_only=True)
class Start:
    """A checkpoint to go on from.

    Attributes:
        path: the file.
        content: its fields.
        named: whether the user chose it, so that newer files of the run must make way.
    """

    path: Path
    content: Mapping[str, Any]
    named: bool = False

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        epoch = self.content.get("epoch")
        return epoch if isinstance(epoch, int) else 0

    @property
    def backbone(self) -> str:
        """How the backbone began, ``"imagenet"`` or ``"scratch"``; it decides what is frozen."""
        return str(self.content["resume"].get("backbone", "imagenet"))


def find_start(
    resume: str,
    folder: CheckpointFolder,
    recipe: TrainRecipe,
    data: str,
    say: Callable[[str], None],
    initial: str = "",
) -> Start | None:
    """The checkpoint that a run goes on from, None to start anew; no file is touched.

    A run never continues another experiment unknowingly: ``"auto"`` refuses a checkpoint whose recipe or data
    differ, ``"match"`` starts anew; a path that the user names is taken, and the differences are said.

    Args:
        resume: ``"auto"``, ``"match"``, ``"none"``, or the path of a file or of a folder, whose newest
            checkpoint is meant.
        folder: checkpoints of this setting.
        recipe: what is to be trained.
        data: label of the data.
        say: prints a line.
        initial: label of the weights that the run begins with.

    Raises:
        InputError: if the file is missing or unreadable, holds weights alone, or belongs to another
            experiment.
    """
    if resume == "none":
        return None
    named = resume not in ("auto", "match")
    path = expanded(resume) if named else folder.newest()
    if path is None:
        return None
    if named and path.is_dir():
        path = latest_checkpoint(path)
    if not path.is_file():
        raise InputError(f"No checkpoint at {path}; give an existing file, or --resume auto or none.")
    start = Start(path=path, content=_read(path, folder), named=named)
    require_training_state(start.content, path)
    changes = differences(start.content, recipe, data, initial)
    if resume == "match" and changes:
        return None
    if resume == "auto" and changes:
        raise InputError(_other_experiment(path, changes))
    if changes:
        say(f"going on from {path} although it differs: {'; '.join(changes[:SHOWN])}")
    return start


def make_way(folder: CheckpointFolder, start: Start | None, say: Callable[[str], None]) -> None:
    """Set aside what a run that begins at `start` would overwrite or confuse, now that nothing can fail.

    Args:
        folder: checkpoints of this setting.
        start: what was found; None if the run starts anew.
        say: prints a line.
    """
    if start is None:
        if moved := folder.set_aside():
            say(f"starting anew; what an earlier run left is now in {moved}")
    elif start.named and (moved := folder.set_aside(newer_than=start.epoch, but=start.path)):
        say(f"newer checkpoints of this setting are now in {moved}")


def _read(path: Path, folder: CheckpointFolder) -> dict[str, Any]:
    """The checkpoint, or an error that names the one before it."""
    try:
        return read_checkpoint(path)
    except InputError as error:
        others = [file for _, file in sorted(folder.epochs().items()) if file != path]
        remedy = f"--resume {others[-1]} goes on from the epoch file before it." if others else ""
        raise InputError(f"{error} {remedy or '--resume none starts anew.'}") from error


def differences(content: Mapping[str, Any], recipe: TrainRecipe, data: str, initial: str = "") -> list[str]:
    """What the checkpoint and the run to come do not share, as ``key: then -> now``; empty if they match."""
    resume = content["resume"]
    changes = []
    if resume.get("fingerprint") != recipe.fingerprint():
        settings = content.get("settings")
        if isinstance(settings, Mapping) and "schedule" in settings:
            unlike = flat_differences(comparable(settings), comparable(recipe.plain()))
            changes += [f"{key}: {then} -> {now}" for key, (then, now) in unlike.items()]
        else:
            changes.append("it carries no recipe of this program")
    if (before := resume.get("data")) is not None and before != data:
        changes.append(f"data: {before} -> {data}")
    if (before := resume.get("initial", "")) != initial:
        changes.append(f"initial weights: {before or 'none'} -> {initial or 'none'}")
    return changes


def _other_experiment(path: Path, changes: list[str]) -> str:
    more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    return (
        f"The newest checkpoint, {path}, is of another experiment ({'; '.join(changes[:SHOWN])}{more}). "
        f"Use --resume none to start anew (it is kept aside), or --resume {path} to go on from it all the "
        "same."
    )
