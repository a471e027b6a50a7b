"""How many cores there are, and who gets them: the loader's workers or the network."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ebm.threads import threads_for
from ltr.trainers.division import equal_groups

__all__ = ["CpuPlan", "plan_cpu", "processes_for", "shared_memory_note"]


@dataclass(frozen=True, kw_only=True)
class CpuPlan:
    """Worker processes of the loader, and threads of the training process."""

    workers: int
    threads: int


def plan_cpu(
    on_gpu: bool,
    cores: int,
    workers: int | None = None,
    threads: int | None = None,
    processes: int = 1,
    parameters: int | None = None,
) -> CpuPlan:
    """Split the cores between loading and training.

    On a GPU the network needs no cores, so the workers get them. On a CPU the network needs most, since a
    step costs far more than loading its samples.

    Args:
        on_gpu: whether the network runs on an accelerator.
        cores: cores there are.
        workers: worker processes asked for, None to decide.
        threads: threads asked for, None to decide.
        processes: training processes among which the cores are shared.
        parameters: of the network, None for a large one; see `ebm.threads.threads_for`.
    """
    cores = max(1, cores // processes)
    if workers is None:
        if on_gpu:
            workers = min(max(cores - 1, 1), 16)
        else:
            workers = 0 if cores == 1 else max(1, cores // 4)
    if threads is None:
        left = max(1, min(cores, 8) if on_gpu else cores - workers)
        threads = left if parameters is None else threads_for(parameters, left)
    return CpuPlan(workers=workers, threads=threads)


def processes_for(batch_size: int, cores: int, groups: int | None = None) -> int:
    """The most processes, one a core at most, that share a batch, or its groups if it has some, evenly."""
    if groups is None:
        return equal_groups(batch_size, cores)
    count = equal_groups(batch_size, groups)
    return max(n for n in range(1, cores + 1) if count % n == 0)


def shared_memory_note(batch_bytes: int, workers: int, folder: Path = Path("/dev/shm")) -> str:
    """What to do where batches may not fit into the memory through which workers hand them over; else empty.

    A worker that finds no room there is killed by the system, and nothing says why.

    Args:
        batch_bytes: of the images in a process's share of a batch.
        workers: loader processes, each of which prepares two batches ahead.
        folder: where the system keeps shared memory.
    """
    if workers == 0 or not folder.is_dir():
        return ""
    needed, free = batch_bytes * (2 * workers + 1), shutil.disk_usage(folder).free
    if needed <= free:
        return ""
    return (
        f"memory: {workers} loader processes may need {needed / 2**20:.0f} MiB of {folder}, where "
        f"{free / 2**20:.0f} MiB are free: enlarge it (docker run --shm-size=...), or lower --workers or "
        "--batch-size"
    )
