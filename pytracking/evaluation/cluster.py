"""Sequences as tasks of a Ray cluster: on as many machines as it has, tried again when one of them dies.

The files of data, weights and results have to be there under the same paths on every machine: a folder that
all of them mount. Results are written where the sequence ran.
"""

import os
from collections.abc import Iterator
from collections.abc import Sequence as List
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.single import Outcome, Progress, run_one
from pytracking.evaluation.spec import TrackerSpec

__all__ = ["ClusterOptions", "run_on_cluster"]

_TRIES = 5  # of a sequence, beyond the first: machines that die, not errors of the tracker


@dataclass(frozen=True)
class ClusterOptions:
    """Where and how wide to run.

    Args:
        address: of the cluster's head, ``HOST:PORT``; ``auto``: the one that this machine belongs to, else
            one of this machine alone, for this run.
        gpus: share of a GPU that a sequence takes; None: a whole one with a network on a GPU, else none.
        workers: sequences at a time, at most; 0: as many as the cluster has room for.
    """

    address: str = "auto"
    gpus: float | None = None
    workers: int = 0


_runners: dict[str, Any] = {}  # of a worker process: the network is read once for all its sequences


def _task(spec: TrackerSpec, device: str, sequence: Sequence, folder: ResultFolder) -> Outcome:
    """Run one sequence on a machine of the cluster; what another try has finished is not run again."""
    if folder.is_finished(sequence):
        return Outcome(sequence.name, len(sequence))
    if spec.hash not in _runners:
        _runners[spec.hash] = _runner(spec, device)
    return run_one(_runners[spec.hash], sequence, folder, lambda: None)


def _runner(spec: TrackerSpec, device: str) -> Any:
    """One thread, and the GPU that Ray has given to this process."""
    import cv2

    from pytracking.evaluation.runner import SequenceRunner

    cv2.setNumThreads(1)
    if spec.weights.path is not None:
        import torch

        torch.set_num_threads(1)
        device = "cuda:0" if device.startswith("cuda") else device  # Ray hides the others
    return SequenceRunner(spec, device, timed=False)


@contextmanager
def _joined(address: str) -> Iterator[Any]:
    """Ray, connected; left as it was found.

    Raises:
        MissingPackageError: if Ray is not installed.
        InputError: if there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise explain_missing("--cluster", "ray") from error
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address=address, **quiet)
    except ConnectionError as error:
        if address != "auto":
            what = f"There is no Ray cluster at {address}: {error}. Start one: ray start --head."
            raise InputError(what) from error
        ray.init(include_dashboard=False, **quiet)
    try:
        yield ray
    finally:
        ray.shutdown()


def run_on_cluster(
    todo: List[Sequence],
    spec: TrackerSpec,
    folder: ResultFolder,
    device: str,
    options: ClusterOptions,
    bar: Progress,
) -> Iterator[Outcome]:
    """Run sequences on a cluster, longest first, and yield how they went as they finish.

    A sequence whose machine or process dies is run again elsewhere; an error of the tracker is not.

    Raises:
        MissingPackageError, InputError: if Ray or the cluster is not there.
    """
    with _joined(options.address) as ray:
        share = options.gpus
        gpus = float(device.startswith("cuda")) if share is None else share
        needs = {"num_cpus": 1, "num_gpus": gpus, "max_retries": _TRIES, "retry_exceptions": False}
        task = ray.remote(**needs)(_task)
        shared = ray.put(spec)
        queue = sorted(todo, key=len, reverse=True)
        limit = options.workers or len(queue)
        waiting: dict[Any, Sequence] = {}
        bar.start("cluster")
        try:
            while queue or waiting:
                while queue and len(waiting) < limit:
                    sequence = queue.pop(0)
                    waiting[task.remote(shared, device, sequence, folder)] = sequence
                done, _ = ray.wait(list(waiting), num_returns=1, timeout=1.0)
                for reference in done:
                    outcome = _outcome(ray, reference, waiting.pop(reference))
                    bar.advance(outcome.frames)
                    bar.finish(outcome)
                    yield outcome
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)


def _outcome(ray: Any, reference: Any, sequence: Sequence) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        message = f"its task was lost {_TRIES + 1} times ({line}); run the same command again"
        return Outcome(sequence.name, error=f"sequence {sequence.name}: {message}.")
    return outcome
