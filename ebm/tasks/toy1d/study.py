"""Runs the jobs of a study: train, keep the weights, evaluate, keep the result; what is finished stays."""

import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebm.devices import resolve_device
from ebm.exceptions import EBMError
from ebm.tasks.toy1d.data import make_dataset
from ebm.tasks.toy1d.engine import Backend, Ensemble, train_ensemble
from ebm.tasks.toy1d.evaluation import kl_divergences, true_density
from ebm.tasks.toy1d.floors import population_floor
from ebm.tasks.toy1d.jobs import ToyJob, unique
from ebm.tasks.toy1d.progress import StudyProgress
from ebm.tasks.toy1d.store import JobResult, Store, Trained
from ebm.tasks.toy1d.workers import run_in_processes
from ebm.threads import core_limit, using_threads

__all__ = ["Resources", "StudyOutcome", "ensemble_of", "run_job", "run_study"]

# stage ("train" or "evaluate"), steps done, steps in all, mean loss of the epoch (NaN where there is none)
Report = Callable[[str, int, int, float], None]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a study may use; nothing of it changes what is computed.

    Attributes:
        device: where networks are trained and scored.
        jobs: jobs at a time, one process each.
        threads: threads of each job; 0 shares the cores evenly.
        backend: of the training engine.
    """

    device: str = "cpu"
    jobs: int = 1
    threads: int = 0
    backend: Backend = "auto"

    def threads_per_job(self) -> int:
        """Threads of each job."""
        return self.threads or max(1, core_limit() // self.jobs)


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """What came of the jobs.

    Attributes:
        results: of finished jobs, by the job.
        failed: why a job has no result, by the job.
    """

    results: dict[ToyJob, JobResult]
    failed: dict[ToyJob, str]


def run_study(
    jobs: Sequence[ToyJob], store: Store, resources: Resources, progress: StudyProgress | None = None
) -> StudyOutcome:
    """Run what has no result yet; a job that fails does not stop the others.

    Args:
        jobs: the jobs; repetitions are run once.
        store: where results are and come to be.
        resources: device, processes, threads.
        progress: told how far it is.

    Raises:
        InputError: if a file in the store is damaged, or the device does not exist.
    """
    results = {job: found for job in unique(jobs) if (found := store.result(job)) is not None}
    missing = [job for job in unique(jobs) if job not in results]
    failed: dict[ToyJob, str] = {}
    progress = progress or StudyProgress(quiet=True)
    if missing:
        resolve_device(resources.device)
    progress.begin(missing, finished=len(results))
    with progress:
        if resources.jobs > 1 and len(missing) > 1:
            results |= run_in_processes(missing, resources.jobs, _Worker(store, resources), progress, failed)
        else:
            with using_threads(resources.threads_per_job()):
                for job in missing:
                    _attempt(job, store, resources, progress, results, failed)
    return StudyOutcome(results=results, failed=failed)


@dataclass(frozen=True)
class _Worker:
    """Runs jobs in a process of their own."""

    store: Store
    resources: Resources

    def __call__(self, job: ToyJob, report: Report) -> JobResult:
        torch.set_num_threads(self.resources.threads_per_job())
        return run_job(job, self.store, self.resources, report)


def _attempt(
    job: ToyJob,
    store: Store,
    resources: Resources,
    progress: StudyProgress,
    results: dict[ToyJob, JobResult],
    failed: dict[ToyJob, str],
) -> None:
    try:
        results[job] = run_job(job, store, resources, lambda *news: progress.step(job, *news))
    except (EBMError, RuntimeError) as error:  # torch reports a full memory as a RuntimeError
        failed[job] = f"{type(error).__name__}: {error}"
        progress.fail(job, failed[job])
    else:
        progress.finish(job, results[job])


def run_job(job: ToyJob, store: Store, resources: Resources, report: Report | None = None) -> JobResult:
    """Train unless the weights are there, evaluate, and keep both.

    Args:
        job: what to run.
        store: where weights and result are written.
        resources: device and threads.
        report: called after every epoch and every evaluated seed.
    """
    trained = store.trained(job)
    if trained is None:
        trained = _train(job, resources, report)
        store.save_trained(job, trained)
    result = _evaluate(job, trained, resources, report)
    store.save_result(job, result)
    return result


def ensemble_of(job: ToyJob, trained: Trained) -> Ensemble:
    """The trained networks."""
    return Ensemble(
        seeds=job.seeds, weights=torch.tensor(trained.weights), losses=torch.tensor(trained.losses[-1])
    )


def _train(job: ToyJob, resources: Resources, report: Report | None) -> Trained:
    data = make_dataset(job.data_set, job.train_size, job.data_seed)
    losses: list[np.ndarray] = []

    def on_epoch(epoch: int, loss: Tensor) -> None:
        losses.append(loss.detach().cpu().double().numpy())
        if report is not None:
            report("train", epoch, job.epochs, float(loss.mean()))

    threads = resources.threads_per_job()
    _warm_up(job, resources)
    started, wall, cpu = datetime.now(UTC), time.perf_counter(), time.process_time()
    ensemble = train_ensemble(
        job.method,
        data.x,
        data.y,
        seeds=job.seeds,
        epochs=job.epochs,
        batch_size=job.batch_size,
        optimisation=job.optimisation,
        device=resources.device,
        threads=threads,
        on_epoch=on_epoch,
        backend=resources.backend,
    )
    record = {
        "started": started.isoformat(timespec="seconds"),
        "train_wall_s": round(time.perf_counter() - wall, 3),
        "train_cpu_s": round(time.process_time() - cpu, 3),
        "device": torch.device(resources.device).type,
        "device_name": _device_name(resources.device),
        "threads": threads,
        "backend": resources.backend,
        "versions": _versions(),
    }
    weights = ensemble.weights.detach().cpu().float().numpy()
    return Trained(weights=weights, losses=np.stack(losses), record=record)


def _warm_up(job: ToyJob, resources: Resources) -> None:
    """A step on two pairs, so that what happens once a process (imports, compilation) is not timed."""
    pairs = torch.tensor([-1.0, 1.0])
    small = replace(job.method, num_samples=1)
    train_ensemble(
        small,
        pairs,
        pairs,
        seeds=(0,),
        epochs=1,
        device=resources.device,
        threads=1,
        backend=resources.backend,
    )


def _evaluate(job: ToyJob, trained: Trained, resources: Resources, report: Report | None) -> JobResult:
    start = time.perf_counter()
    truth = true_density(job.data_set, job.grid_size, job.epsilon)
    ensemble = ensemble_of(job, trained)
    both = []
    for index in range(len(job.seeds)):
        both.append(kl_divergences(_scorer(ensemble, index, resources.device), truth))
        if report is not None:
            report("evaluate", index + 1, len(job.seeds), float("nan"))
    return JobResult(
        training=job.training(),
        evaluation=job.evaluation(),
        kl=tuple(values["stable"] for values in both),
        kl_released=tuple(values["released"] for values in both),
        final_loss=tuple(float(loss) for loss in trained.losses[-1]),
        floor=population_floor(job.method, truth),
        record=trained.record | {"evaluate_wall_s": round(time.perf_counter() - start, 3)},
    )


def _scorer(ensemble: Ensemble, index: int, device: str) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, y: ensemble.scores_of(index, x.to(device), y.to(device))


def _device_name(name: str) -> str:
    device = torch.device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def _versions() -> dict[str, Any]:
    try:
        own = version("ebmtrack")
    except PackageNotFoundError:  # a checkout that was not installed
        own = "not installed"
    return {
        "ebmtrack": own,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": sys.platform,
    }
