"""Sequences in several processes, each with the network loaded once and one thread."""

import multiprocessing
import queue
import signal
from collections.abc import Iterator
from collections.abc import Sequence as List
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any

from ebm.processes import end_with_parent
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.single import Outcome, Progress, run_one
from pytracking.evaluation.spec import TrackerSpec
from pytracking.utils.loading import WeightsChoice

__all__ = ["run_parallel"]


class _Stopped(BaseException):
    """Raised between two frames when the parent has asked to stop; not an error of the sequence."""


@dataclass(frozen=True)
class _Channel:
    """What parent and workers share: counted frames, the wish to stop, the next worker's number."""

    frames: Any
    stop: Any
    number: Any

    @classmethod
    def create(cls, context: SpawnContext) -> "_Channel":
        return cls(context.Queue(), context.Event(), context.Value("i", 0))

    def frame_done(self) -> None:
        if self.stop.is_set():
            raise _Stopped
        self.frames.put(1)

    def frames_done(self, wait: float) -> int:
        """Frames tracked since the last call; waits up to `wait` seconds for the first."""
        count = 0
        try:
            count += self.frames.get(timeout=wait)
            while True:
                count += self.frames.get_nowait()
        except queue.Empty:
            return count


_worker: dict[str, Any] = {}  # of this process: its runner and its channel


def _start_worker(spec: TrackerSpec, device: str, channel: _Channel) -> None:
    """Prepare a worker process: one thread, a device of its own where there are several, the network."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, and asks through the channel
    end_with_parent()
    if isinstance(spec.weights, WeightsChoice) and spec.weights.path is not None:
        device = _take_device(spec, device, channel)
    import cv2

    from pytracking.evaluation.runner import SequenceRunner

    cv2.setNumThreads(1)
    _worker["runner"] = SequenceRunner(spec, device, timed=False, threads=1)
    _worker["channel"] = channel


def _take_device(spec: TrackerSpec, device: str, channel: _Channel) -> str:
    """Hold torch to one thread, and deal out the GPUs where none was named."""
    import torch

    torch.set_num_threads(1)
    with channel.number.get_lock():
        number = channel.number.value
        channel.number.value += 1
    if spec.device in ("auto", "cuda") and device.startswith("cuda"):
        return f"cuda:{number % torch.cuda.device_count()}"
    return device


def _work(sequence: Sequence, folder: ResultFolder) -> Outcome | None:
    """Run one sequence in a worker; None if asked to stop."""
    try:
        return run_one(_worker["runner"], sequence, folder, _worker["channel"].frame_done)
    except _Stopped:
        return None


def run_parallel(
    todo: List[Sequence],
    spec: TrackerSpec,
    folder: ResultFolder,
    device: str,
    workers: int,
    bar: Progress,
) -> Iterator[Outcome]:
    """Run sequences in `workers` processes, longest first, and yield how they went as they finish.

    A worker that dies (killed, out of memory) ends the pool: the sequences that it leaves are reported as
    failed, the finished ones are kept.
    """
    context = multiprocessing.get_context("spawn")
    channel = _Channel.create(context)
    pool = ProcessPoolExecutor(workers, context, _start_worker, (spec, device, channel))
    try:
        longest_first = sorted(todo, key=len, reverse=True)
        waiting = {pool.submit(_work, sequence, folder): sequence for sequence in longest_first}
        bar.start(f"{workers} processes")
        while waiting:
            bar.advance(channel.frames_done(wait=0.1))
            for future in [future for future in waiting if future.done()]:
                outcome = _outcome(future, waiting.pop(future))
                bar.finish(outcome)
                bar.start(f"{workers} processes")
                yield outcome
        bar.advance(channel.frames_done(wait=0.05))
    finally:
        channel.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        channel.frames.cancel_join_thread()


def _outcome(future: "Future[Outcome | None]", sequence: Sequence) -> Outcome:
    try:
        outcome = future.result()
    except BrokenProcessPool:
        message = "its worker process died, perhaps for lack of memory; use fewer --threads and run again"
        return Outcome(sequence.name, error=f"sequence {sequence.name}: {message}.")
    return outcome or Outcome(sequence.name, error=f"sequence {sequence.name}: stopped.")
