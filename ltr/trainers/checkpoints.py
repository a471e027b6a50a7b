"""Names, order and lifetime of the checkpoint files of one run."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ltr.admin.loading import write_checkpoint

__all__ = ["CheckpointFolder", "require_training_state"]


def require_training_state(content: Mapping[str, Any], where: object = "The checkpoint") -> None:
    """Refuse a checkpoint that was written to be used, not to be gone on from.

    Args:
        content: its fields.
        where: what it is, to begin the message with.

    Raises:
        InputError: if it lacks the state of a training, as published files do.
    """
    if not all(isinstance(content.get(name), Mapping) for name in ("resume", "optimizer")):
        raise InputError(
            f"{where} holds weights but no training state, so nothing can be resumed from it; "
            "use --resume none."
        )


class CheckpointFolder:
    """The folder of a run: ``<net>_ep0001.pth.tar`` for each epoch, one file for an interrupted epoch.

    Args:
        path: the folder; made when first written to.
        net_type: class name of the network, the first part of every file name.
        keep_last: epoch files to keep, at least 1.
    """

    def __init__(self, path: Path, net_type: str, keep_last: int = 3) -> None:
        self.path = path
        self.net_type = net_type
        self.keep_last = max(keep_last, 1)

    def epoch_file(self, epoch: int) -> Path:
        """File of the finished epoch, counted from 1."""
        return self.path / f"{self.net_type}_ep{epoch:04d}.pth.tar"

    @property
    def best_file(self) -> Path:
        """The epoch file with the lowest validation loss."""
        return self.path / f"{self.net_type}_best.pth.tar"

    def interrupted_file(self, epoch: int) -> Path:
        """File of a run stopped after `epoch` whole epochs; no tracker looks at this name."""
        return self.path / f"{self.net_type}_interrupted_ep{epoch:04d}.pt"

    def _numbered(self, pattern: str) -> dict[int, Path]:
        expression = re.compile(re.escape(self.net_type) + pattern)
        found = {}
        for path in self.path.glob(f"{self.net_type}_*") if self.path.is_dir() else ():
            if match := expression.fullmatch(path.name):
                found[int(match.group(1))] = path
        return found

    def epochs(self) -> dict[int, Path]:
        """Epoch files by number."""
        return self._numbered(r"_ep(\d{4,})\.pth\.tar")

    def _interrupted(self) -> dict[int, Path]:
        return self._numbered(r"_interrupted_ep(\d{4,})\.pt")

    def newest(self) -> Path | None:
        """The file to go on from: that of an interrupted epoch if it is ahead of the last whole one."""
        epochs, interrupted = self.epochs(), self._interrupted()
        last = max(epochs, default=-1)
        if interrupted and max(interrupted) >= last:
            return interrupted[max(interrupted)]
        return epochs.get(last)

    def write_epoch(self, epoch: int, content: Mapping[str, Any], best: bool = False) -> Path:
        """Write the file of a finished epoch, then remove what it replaces."""
        path = self.epoch_file(epoch)
        self._write(path, content)
        if best:
            self._keep_as_best(path)
        for old in self._interrupted().values():
            old.unlink()
        epochs = self.epochs()
        for number in sorted(epochs)[: -self.keep_last]:
            epochs[number].unlink()
        return path

    def _keep_as_best(self, path: Path) -> None:
        # A second name for the same bytes: files are only ever replaced, never written into.
        part = self.best_file.with_name(f".{self.best_file.name}.tmp")
        try:
            part.unlink(missing_ok=True)
            try:
                os.link(path, part)
            except OSError:  # a file system without hard links
                shutil.copyfile(path, part)
            part.replace(self.best_file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise InputError(
                f"{path} was written, but its copy {self.best_file.name} was not: {error}. Free some space "
                "and run the command again."
            ) from error

    def write_interrupted(self, epoch: int, content: Mapping[str, Any]) -> Path:
        """Write the state in the middle of the epoch that follows `epoch`."""
        path = self.interrupted_file(epoch)
        self._write(path, content)
        return path

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        # What a killed run was writing; a folder has one writer.
        for part in self.path.glob(f".{self.net_type}_*.tmp"):
            part.unlink()
        write_checkpoint(path, content)

    def set_aside(self, newer_than: int = -1, but: Path | None = None) -> Path | None:
        """Move files of an earlier run into ``previous_001`` (002, ...) inside the folder.

        Args:
            newer_than: only checkpoints that are ahead of this whole epoch; by default every file.
            but: a checkpoint that stays.

        Returns: the folder they went to, None if there was nothing to move.
        """
        if newer_than < 0:
            there = self.path.iterdir() if self.path.is_dir() else ()
            files = [p for p in there if not p.name.startswith(("previous_", "."))]
        else:
            files = [p for number, p in self.epochs().items() if number > newer_than]
            files += [p for number, p in self._interrupted().items() if number >= newer_than]
        files = [p for p in files if but is None or p.resolve() != but.resolve()]
        if not files:
            return None
        numbers = [int(p.name[9:]) for p in self.path.glob("previous_*") if p.name[9:].isdigit()]
        target = self.path / f"previous_{max(numbers, default=0) + 1:03d}"
        target.mkdir()
        for file in files:
            file.rename(target / file.name)
        return target
