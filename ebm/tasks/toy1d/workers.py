"""Jobs in processes of their own: each worker asks for a job, reports on it and asks for the next."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from ebm.exceptions import EBMError

if TYPE_CHECKING:
    from ebm.tasks.toy1d.jobs import ToyJob
    from ebm.tasks.toy1d.progress import StudyProgress
    from ebm.tasks.toy1d.store import JobResult

__all__ = ["run_in_processes"]

# What runs a job, by a name that another process can import, and reports on it.
Work = Callable[["ToyJob", Callable[..., None]], "JobResult"]

_GRACE = 5.0  # seconds that a worker has to end before it is killed


def run_in_processes(
    jobs: "Sequence[ToyJob]",
    count: int,
    work: Work,
    progress: "StudyProgress",
    failed: "dict[ToyJob, str]",
) -> "dict[ToyJob, JobResult]":
    """Run jobs in processes of their own; Ctrl-C ends these, and what they have finished is on the disk.

    Args:
        jobs: the jobs.
        count: jobs at a time.
        work: what runs a job; it is pickled.
        progress: told how far it is.
        failed: gets an entry that says why, for every job without a result.
    """
    pool = _Pool(list(jobs), min(count, len(jobs)), work)
    results: dict[ToyJob, JobResult] = {}
    try:
        while pool.busy():
            for job, kind, news in pool.news():
                if kind == "step":
                    progress.step(job, *news)
                elif kind == "done":
                    results[job] = news
                    progress.finish(job, news)
                else:
                    failed[job] = news
                    progress.fail(job, news)
    finally:
        pool.close()
    return results


class _Pool:
    """The workers, what each is at, and the jobs that none has begun."""

    def __init__(self, jobs: "list[ToyJob]", count: int, work: Work) -> None:
        self._waiting = jobs[::-1]
        self._work = work
        self._at: dict[Connection, tuple[ToyJob, BaseProcess]] = {}
        self._context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_live, args=(there, self._work), daemon=True)
        process.start()
        there.close()
        self._give(here, process)

    def _give(self, connection: Connection, process: BaseProcess) -> None:
        """The next job for a worker, or its end."""
        if self._waiting:
            self._at[connection] = (self._waiting.pop(), process)
            connection.send(self._at[connection][0])
        else:
            connection.send(None)
            self._at.pop(connection, None)
            process.join(_GRACE)

    def busy(self) -> bool:
        """Whether a job is being worked at."""
        return bool(self._at)

    def news(self) -> "list[tuple[ToyJob, str, Any]]":
        """Wait for messages: (job, "step" | "done" | "failed", what)."""
        messages = []
        for connection in wait(list(self._at)):
            assert isinstance(connection, Connection)
            job, process = self._at[connection]
            try:
                kind, value = connection.recv()
            except EOFError:  # the worker is gone: out of memory, killed, crashed
                process.join(_GRACE)
                messages.append((job, "failed", f"its process ended with exit code {process.exitcode}"))
                del self._at[connection]
                if self._waiting:
                    self._start()
                continue
            messages.append((job, kind, value))
            if kind != "step":
                self._give(connection, process)
        return messages

    def close(self) -> None:
        """End every worker that is still there."""
        for _, process in self._at.values():
            process.terminate()
        for _, process in self._at.values():
            process.join(_GRACE)
            if process.is_alive():
                process.kill()


def _live(connection: Connection, work: Work) -> None:
    """A worker's life: jobs from the connection until it says None or its other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers

    def report(*news: Any) -> None:
        connection.send(("step", news))

    message: tuple[str, Any]
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        if job is None:
            return
        try:
            message = ("done", work(job, report))
        except (BrokenPipeError, ConnectionResetError):
            return  # the parent is gone
        except (EBMError, RuntimeError) as error:
            message = ("failed", f"{type(error).__name__}: {error}")
        connection.send(message)
