"""A tracker on one sequence of a run: how it went, the bar that shows it, and the result on disk."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ebm.bars import progress_bar
from ebm.exceptions import EBMError, InputError
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder, SequenceResult, write_atomic

if TYPE_CHECKING:
    from pytracking.evaluation.runner import SequenceRunner

__all__ = ["Outcome", "Progress", "failed", "run_one", "saved"]


@dataclass(frozen=True)
class Outcome:
    """How one sequence went.

    Args:
        sequence: its name.
        frames: frames tracked.
        seconds: in the tracker.
        error: None, or what went wrong, in one line.
    """

    sequence: str
    frames: int = 0
    seconds: float = 0.0
    error: str | None = None


@dataclass
class Progress:
    """A bar over frames that tells which sequence is under way."""

    total_frames: int
    sequences: int
    shown: bool = True
    done: int = 0
    _bar: tqdm = field(init=False)

    def __post_init__(self) -> None:
        self._bar = progress_bar(
            total=self.total_frames,
            unit=" frames",
            disable=not self.shown,
            dynamic_ncols=True,
            mininterval=0.2,
        )

    def start(self, sequence: str) -> None:
        """Name the sequence under way."""
        current = min(self.done + 1, self.sequences)
        self._bar.set_description(f"{current}/{self.sequences} {sequence}", refresh=False)

    def advance(self, frames: int = 1) -> None:
        """Count frames."""
        if frames:
            self._bar.update(frames)

    def finish(self, outcome: Outcome) -> None:
        """Count a sequence, and say at once when it failed."""
        self.done += 1
        if outcome.error is not None:
            self._bar.write(f"failed: {outcome.error}")

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


def run_one(
    runner: "SequenceRunner", sequence: Sequence, folder: ResultFolder, on_frame: Callable[[], None]
) -> Outcome:
    """Run one sequence and save its result; an error is put on record and returned, never raised."""
    folder.discard(sequence)
    try:
        return saved(sequence, folder, runner.run(sequence, on_frame))
    except Exception as error:  # noqa: BLE001  one sequence's fault must not cost the results of the others
        return failed(sequence, folder, error)


def saved(sequence: Sequence, folder: ResultFolder, result: SequenceResult) -> Outcome:
    """Save the result of a sequence.

    Raises:
        InputError: if it cannot be written.
    """
    folder.write(sequence, result)
    _trace(sequence, folder).unlink(missing_ok=True)
    return Outcome(sequence.name, len(sequence), float(result.times.sum()))


def failed(sequence: Sequence, folder: ResultFolder, error: Exception) -> Outcome:
    """Put on record why a sequence has no result."""
    message = str(error)
    if not isinstance(error, EBMError):
        message = f"{type(error).__name__}: {error} ({_recorded(_trace(sequence, folder), error)})"
    return Outcome(sequence.name, error=_with_name(sequence, message))


def _trace(sequence: Sequence, folder: ResultFolder) -> Path:
    return folder.path / f"{sequence.name}_error.txt"


def _recorded(trace: Path, error: Exception) -> str:
    """Where the traceback of an error is; a folder that takes no file must not end the run."""
    try:
        write_atomic(trace, "".join(traceback.format_exception(error)))
    except InputError as error:
        return f"its traceback was not saved: {error}"
    return f"traceback in {trace}"


def _with_name(sequence: Sequence, message: str) -> str:
    return message if sequence.name in message else f"sequence {sequence.name}: {message}"
