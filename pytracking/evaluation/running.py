"""A tracker over the sequences of a dataset, in one process or several; resumable, failures are reported."""

import sys
import traceback
from collections.abc import Callable, Iterator
from collections.abc import Sequence as List
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ebm.exceptions import EBMError, InputError
from ebm.integrity.json_files import write_sealed_json
from pytracking.evaluation.data import Sequence, check_names, sequence_digest
from pytracking.evaluation.results import ResultFolder, write_atomic
from pytracking.evaluation.spec import TrackerSpec

if TYPE_CHECKING:
    from pytracking.evaluation.runner import SequenceRunner

__all__ = ["Outcome", "RunReport", "run_dataset", "run_one"]


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


@dataclass(frozen=True)
class RunReport:
    """How a run over a dataset went.

    Args:
        folder: of the results.
        outcomes: of the sequences that were run.
        reused: sequences whose results were there already.
        timed: whether the times were taken with nothing else running.
    """

    folder: Path
    outcomes: tuple[Outcome, ...]
    reused: tuple[str, ...] = ()
    timed: bool = True

    @property
    def failed(self) -> dict[str, str]:
        """Sequence -> error."""
        return {outcome.sequence: outcome.error for outcome in self.outcomes if outcome.error is not None}

    @property
    def finished(self) -> list[str]:
        """Sequences with results, reused ones included."""
        return [*self.reused, *(outcome.sequence for outcome in self.outcomes if outcome.error is None)]

    @property
    def fps(self) -> float | None:
        """Frames per second of the tracker alone, initialisation included; None if not timed."""
        seconds = sum(outcome.seconds for outcome in self.outcomes)
        frames = sum(outcome.frames for outcome in self.outcomes)
        return frames / seconds if self.timed and seconds > 0 else None


@dataclass
class Progress:
    """A bar over frames that tells which sequence is under way."""

    total_frames: int
    sequences: int
    shown: bool = True
    done: int = 0
    _bar: tqdm = field(init=False)

    def __post_init__(self) -> None:
        self._bar = tqdm(
            total=self.total_frames,
            unit=" frames",
            disable=not self.shown,
            dynamic_ncols=True,
            mininterval=0.2 if sys.stderr.isatty() else 10.0,  # a log file needs few lines
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


def run_dataset(
    sequences: List[Sequence],
    spec: TrackerSpec,
    *,
    results_root: Path,
    workers: int = 0,
    progress: bool = True,
    rerun: bool = False,
) -> RunReport:
    """Run a tracker on sequences and save the results; those that are finished already are kept.

    Results are saved sequence by sequence, so that an interrupted run loses at most the sequences under way.

    Args:
        sequences: of one dataset.
        spec: the tracker's configuration.
        results_root: see `TrackerSpec.folder`.
        workers: processes; with 0 or 1 everything runs in this process and the times are valid.
        progress: show a bar.
        rerun: do not keep finished results.

    Raises:
        InputError: if the weights cannot be used, nothing can be written, or two sequences have one name; a
            sequence that fails is reported in the result instead.
    """
    check_names(sequence.name for sequence in sequences)
    device = _device(spec)
    folder = ResultFolder(spec.folder(results_root))
    reused = [] if rerun else [sequence for sequence in sequences if folder.is_finished(sequence)]
    todo = [sequence for sequence in sequences if sequence not in reused]
    parallel = workers > 1 and len(todo) > 1
    _record(folder, spec, device, sequences, workers if parallel else 0)
    bar = Progress(sum(map(len, todo)), len(todo), shown=progress and bool(todo))
    try:
        if parallel:
            from pytracking.evaluation.pool import run_parallel

            outcomes = list(run_parallel(todo, spec, folder, device, min(workers, len(todo)), bar))
        else:
            outcomes = list(_run_here(todo, spec, folder, device, bar))
    finally:
        bar.close()
    order = {sequence.name: index for index, sequence in enumerate(sequences)}
    outcomes.sort(key=lambda outcome: order[outcome.sequence])
    return RunReport(folder.path, tuple(outcomes), tuple(s.name for s in reused), timed=not parallel)


def _device(spec: TrackerSpec) -> str:
    if spec.weights.path is None and spec.device in ("auto", "cpu"):
        return "cpu"  # no network: torch need not be imported to find out
    from ebm.devices import resolve_device

    device = str(resolve_device(spec.device))
    return "cpu" if spec.weights.path is None else device


def _run_here(
    todo: List[Sequence], spec: TrackerSpec, folder: ResultFolder, device: str, bar: Progress
) -> Iterator[Outcome]:
    if not todo:
        return
    from pytracking.evaluation.runner import SequenceRunner

    runner = SequenceRunner(spec, device)
    for sequence in todo:
        bar.start(sequence.name)
        outcome = run_one(runner, sequence, folder, bar.advance)
        bar.finish(outcome)
        yield outcome


def run_one(
    runner: "SequenceRunner", sequence: Sequence, folder: ResultFolder, on_frame: Callable[[], None]
) -> Outcome:
    """Run one sequence and save its result; an error is put on record and returned, never raised."""
    trace = folder.path / f"{sequence.name}_error.txt"
    folder.discard(sequence)
    try:
        result = runner.run(sequence, on_frame)
        folder.write(sequence, result)
    except EBMError as error:
        return Outcome(sequence.name, error=_with_name(sequence, str(error)))
    except Exception as error:  # noqa: BLE001  one sequence's fault must not cost the results of the others
        write_atomic(trace, traceback.format_exc())
        message = f"{type(error).__name__}: {error} (traceback in {trace})"
        return Outcome(sequence.name, error=_with_name(sequence, message))
    trace.unlink(missing_ok=True)
    return Outcome(sequence.name, len(sequence), float(result.times.sum()))


def _with_name(sequence: Sequence, message: str) -> str:
    return message if sequence.name in message else f"sequence {sequence.name}: {message}"


def _record(
    folder: ResultFolder, spec: TrackerSpec, device: str, sequences: List[Sequence], workers: int
) -> None:
    """Write the manifest: the configuration, and for every dataset its sequences with digests."""
    if not sequences:
        raise InputError("There are no sequences to run on.")
    try:
        known = folder.manifest().get("datasets", {})
    except InputError:
        known = {}  # a damaged manifest is replaced; the results do not depend on it
    datasets = dict(known)
    for sequence in sequences:
        entry = datasets.setdefault(sequence.dataset, {"sequences": {}})
        entry["sequences"][sequence.name] = sequence_digest(sequence)
        entry["workers"] = workers
    manifest = spec.manifest(device) | {"datasets": datasets}
    write_sealed_json(folder.path / "manifest.json", manifest, allow_nan=True)
