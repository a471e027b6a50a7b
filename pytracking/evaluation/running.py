"""A tracker over the sequences of a dataset, in one process or several; resumable, failures are reported."""

from collections.abc import Callable, Iterator
from collections.abc import Sequence as List
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.exceptions import InputError
from ebm.integrity.json_files import write_sealed_json
from ebm.threads import core_limit, in_words, threads_for, using_threads
from pytracking.evaluation.data import Sequence, check_names
from pytracking.evaluation.results import ResultFolder, config_hash
from pytracking.evaluation.single import Outcome, Progress, run_one
from pytracking.evaluation.spec import TrackerSpec

if TYPE_CHECKING:
    from pytracking.evaluation.cluster import ClusterOptions

__all__ = ["RunReport", "run_dataset"]


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


def run_dataset(
    sequences: List[Sequence],
    spec: TrackerSpec,
    *,
    results_root: Path,
    workers: int = 0,
    batch: int = 1,
    progress: bool = True,
    rerun: bool = False,
    say: Callable[[str], None] = lambda line: None,
    cluster: "ClusterOptions | None" = None,
) -> RunReport:
    """Run a tracker on sequences and save the results; those that are finished already are kept.

    Results are saved sequence by sequence, so that an interrupted run loses at most the sequences under way.

    Args:
        sequences: of one dataset.
        spec: the tracker's configuration.
        results_root: see `TrackerSpec.folder`.
        workers: CPU threads. From 2 on as many sequences run at a time, each in a process with one thread;
            with 0 or 1, or for a single sequence, everything runs in this process, the times are valid, and
            the network gets the threads that it can use, at most `workers` if that is not 0. The caller's
            number of threads is put back afterwards.
        batch: sequences at a time as one batch, in this process, untimed; see `pytracking.track_batch`.
        progress: show a bar.
        rerun: do not keep finished results.
        cluster: run on a Ray cluster instead of here.
        say: told in a line where the sequences run and with how many threads, before the first one does.

    Raises:
        InputError: if the weights cannot be used, nothing can be written, or two sequences have one name, or
            results of other data would be replaced, or both several workers and a batch are asked for; a
            sequence that fails is reported in the result instead.
    """
    check_names(sequence.name for sequence in sequences)
    if workers > 1 and batch > 1:
        raise InputError(
            f"Sequences run in several processes (--threads {workers}) or as one batch (--batch {batch}), "
            "not both."
        )
    device = spec.resolved_device()
    folder = ResultFolder(spec.folder(results_root))
    if not rerun:
        _refuse_other_data(folder, sequences)
    reused = [] if rerun else [sequence for sequence in sequences if folder.is_finished(sequence)]
    todo = [sequence for sequence in sequences if sequence not in reused]
    folder.sweep()
    parallel = cluster is not None or (workers > 1 and len(todo) > 1)
    _record(folder, spec, device, sequences, workers if parallel else 0)
    bar = Progress(sum(map(len, todo)), len(todo), shown=progress and bool(todo))
    run = _Run(todo, spec, folder, device, bar, say)
    try:
        outcomes = list(run.anyhow(workers, batch, cluster)) if todo else []
    finally:
        bar.close()
    order = {sequence.name: index for index, sequence in enumerate(sequences)}
    outcomes.sort(key=lambda outcome: order[outcome.sequence])
    return RunReport(
        folder.path, tuple(outcomes), tuple(s.name for s in reused), timed=not parallel and batch == 1
    )


def _refuse_other_data(folder: ResultFolder, sequences: List[Sequence]) -> None:
    """Keep results that were made on another root, or before the annotation changed, from being replaced."""
    others = [s.name for s in sequences if folder.file(s.name).is_file() and folder.made_on_other_data(s)]
    if others:
        raise InputError(
            f"{folder.path} holds results of {len(others)} of these sequences that were made on other images "
            f"or another annotation, first {others[0]}. Give another folder with --results, or replace them "
            "with --rerun."
        )


@dataclass(frozen=True)
class _Run:
    """Sequences that have no results yet, and who is told of them."""

    todo: List[Sequence]
    spec: TrackerSpec
    folder: ResultFolder
    device: str
    bar: Progress
    say: Callable[[str], None]

    def anyhow(self, workers: int, batch: int, cluster: "ClusterOptions | None") -> Iterator[Outcome]:
        """On a cluster, in several processes or here, as told."""
        if cluster is not None:
            return self.on_cluster(cluster)
        several = workers > 1 and len(self.todo) > 1
        return self.in_processes(workers) if several else self.here(workers, batch)

    def on_cluster(self, cluster: "ClusterOptions") -> Iterator[Outcome]:
        """Each a task of a Ray cluster."""
        from pytracking.evaluation.cluster import run_on_cluster

        self.say(f"Running on the Ray cluster {cluster.address}: a process of 1 thread for each sequence")
        yield from run_on_cluster(self.todo, self.spec, self.folder, self.device, cluster, self.bar)

    def in_processes(self, workers: int) -> Iterator[Outcome]:
        """Several at a time, each in a process of its own."""
        from pytracking.evaluation.pool import run_parallel

        count = min(workers, len(self.todo))
        self.say(f"Running on {self.device}: {in_words(count, 'process')} of 1 thread each")
        yield from run_parallel(self.todo, self.spec, self.folder, self.device, count, self.bar)

    def here(self, threads: int, batch: int) -> Iterator[Outcome]:
        """In this process, one after the other or as a batch."""
        from pytracking.evaluation.batching import run_batched
        from pytracking.evaluation.runner import SequenceRunner

        runner = SequenceRunner(self.spec, self.device, timed=batch == 1, threads=threads)
        threads = threads_for(runner.parameters, threads or core_limit())
        together = f", {batch} sequences at a time" if batch > 1 else ""
        self.say(f"Running on {self.device}: 1 process of {in_words(threads, 'thread')}{together}")
        with using_threads(threads):
            if batch > 1:
                yield from run_batched(self.todo, runner, self.folder, batch, self.bar)
                return
            for sequence in self.todo:
                self.bar.start(sequence.name)
                outcome = run_one(runner, sequence, self.folder, self.bar.advance)
                self.bar.finish(outcome)
                yield outcome


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
        entry["sequences"][sequence.name] = sequence.digest
        entry["workers"] = workers
    for entry in datasets.values():
        entry["index"] = config_hash(sequences=entry["sequences"])
    manifest = spec.manifest(device) | {"datasets": datasets}
    write_sealed_json(folder.path / "manifest.json", manifest, allow_nan=True)
