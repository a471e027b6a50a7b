"""Work shared among processes, in order, with a progress bar; one thread a process."""

import errno
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from tqdm import tqdm

from ebm.bars import progress_bar
from ebm.exceptions import InputError
from ebm.processes import end_with_parent
from ebm.threads import available_cores, using_threads

__all__ = ["resolve_workers", "run_jobs"]

Job = TypeVar("Job")
Result = TypeVar("Result")
_WORTH_A_POOL = 24  # jobs; fewer are done before the processes have started


def resolve_workers(workers: int, jobs: int) -> int:
    """Processes for a number of jobs; `workers` 0 chooses all cores, or none where processes would not pay.

    Raises:
        InputError: if `workers` is negative.
    """
    if workers < 0:
        raise InputError(f"workers = {workers}: give the number of processes, or 0 to have it chosen.")
    if workers == 0:
        workers = available_cores() if jobs >= _WORTH_A_POOL else 1
    return max(1, min(workers, jobs))


def _start() -> None:
    """Set up a worker: one thread each; Ctrl-C is the parent's business, and it ends with that."""
    import cv2
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def run_jobs(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int = 0,
    progress: bool = True,
    title: str = "",
) -> list[Result]:
    """Apply a function of a module to every job.

    Args:
        work: importable function; its result depends on the job alone.
        jobs: what to do.
        workers: processes; 0 chooses, 1 stays in this process.
        progress: show a bar on stderr.
        title: left of the bar.

    Returns:
        The results in the order of the jobs, whatever the number of processes.

    Raises:
        InputError: if the disk is full, or a process was killed or could not start.
    """
    count = resolve_workers(workers, len(jobs))
    bar = progress_bar(total=len(jobs), desc=title, disable=not progress, unit="clip", dynamic_ncols=True)
    try:
        with bar:
            return _in_process(work, jobs, bar) if count == 1 else _in_pool(work, jobs, count, bar)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"The disk is full ({error}); free some space or choose another folder, and start again."
            ) from error
        raise


def _in_process(work: Callable[[Job], Result], jobs: Sequence[Job], bar: tqdm) -> list[Result]:
    import torch  # noqa: F401  only what is loaded is held to one thread

    with using_threads(1):  # sums depend on the number of threads, and the files must not
        results = []
        for job in jobs:
            results.append(work(job))
            bar.update()
        return results


def _in_pool(work: Callable[[Job], Result], jobs: Sequence[Job], count: int, bar: tqdm) -> list[Result]:
    # Processes start from a server that has loaded the modules but runs no threads: forking this one, whose
    # libraries may hold locks, could hang.
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([work.__module__])
    try:
        with ProcessPoolExecutor(count, mp_context=context, initializer=_start) as pool:
            results = []
            for result in pool.map(work, jobs):  # an error, or Ctrl-C, cancels what has not begun
                results.append(result)
                bar.update()
            return results
    except BrokenProcessPool as error:
        raise InputError(
            f"One of {count} processes ended before its work was done: it was killed, often for want of "
            "memory (use fewer workers), or could not start (a script that uses several workers calls them "
            "below `if __name__ == '__main__':`)."
        ) from error
