"""Says how far a study is: a bar on a terminal, a line a job elsewhere."""

import math
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from ebm.bars import progress_bar

if TYPE_CHECKING:
    from ebm.tasks.toy1d.jobs import ToyJob
    from ebm.tasks.toy1d.store import JobResult

__all__ = ["StudyProgress", "effort"]

_FORMAT = "{desc} {percentage:3.0f}%|{bar:24}| {elapsed}<{remaining}{postfix}"


class StudyProgress:
    """Follows the jobs of a study.

    Args:
        stream: where to write, standard error by default; a bar if it is a terminal and tqdm is installed.
        quiet: write nothing.
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._quiet = quiet
        self._bar: Any = None
        self._total = self._number = 0
        self._done: dict[ToyJob, float] = {}

    def begin(self, jobs: "Sequence[ToyJob]", finished: int) -> None:
        """Say what lies ahead.

        Args:
            jobs: the jobs to run.
            finished: how many more have a result already.
        """
        self._total, self._number = len(jobs), 0
        if self._quiet:
            return
        kept = f"; {finished} have a result already" if finished else ""
        self._write(f"{len(jobs)} job{'s' * (len(jobs) != 1)} to run{kept}")
        if jobs and self._stream.isatty():
            self._bar = _tqdm_bar(sum(effort(job) for job in jobs), self._stream)

    def step(self, job: "ToyJob", stage: str, done: int, total: int, loss: float) -> None:
        """An epoch or the evaluation of a seed is over."""
        if self._bar is None:
            return
        if stage == "train":
            self._advance(job, effort(job) * done / total)
            text = f"epoch {done}/{total}" + (f", loss {loss:.3g}" if math.isfinite(loss) else "")
        else:
            text = f"evaluating {done}/{total}"
        self._bar.set_description_str(f"[{self._number}/{self._total}] {job.describe()}: {text}")

    def finish(self, job: "ToyJob", result: "JobResult") -> None:
        """A job has its result."""
        self._number += 1
        self._advance(job, effort(job))
        summary = result.summary()
        failures = f", {summary.failures} failed" if summary.failures else ""
        self._write(
            f"[{self._number}/{self._total}] {job.describe()}: best-{summary.best_of} "
            f"{summary.best:.3f}, mean {summary.mean:.3f}, median {summary.median:.3f} of {summary.runs}"
            f"{failures}; {result.cost():.3g} s an epoch and model"
        )

    def fail(self, job: "ToyJob", reason: str) -> None:
        """A job ended without a result."""
        self._number += 1
        self._advance(job, effort(job))
        self._write(f"[{self._number}/{self._total}] {job.describe()} FAILED: {reason}")

    def __enter__(self) -> "StudyProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _advance(self, job: "ToyJob", reached: float) -> None:
        if self._bar is not None:
            self._bar.update(reached - self._done.get(job, 0.0))
            self._done[job] = reached

    def _write(self, line: str) -> None:
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.clear()
        print(line, file=self._stream, flush=True)
        if self._bar is not None:
            self._bar.refresh()


def effort(job: "ToyJob") -> float:
    """How long a job takes beside others, in epochs of NCE with 1024 samples; for the bar alone."""
    share = job.method.num_samples / 1024
    factors = {"sm": 0.2, "dsm": 2 * share, "ml-mcmc": (1 + (job.method.langevin_steps or 0)) * share}
    return job.epochs * len(job.seeds) * (0.05 + factors.get(job.method.loss, share))


def _tqdm_bar(total: float, stream: TextIO) -> Any:
    try:
        return progress_bar(total=total, file=stream, bar_format=_FORMAT, leave=False, dynamic_ncols=True)
    except ModuleNotFoundError:  # torch and numpy are all that the library itself needs
        return None
