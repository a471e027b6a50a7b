"""Threads: how many a network can use, and that those which wait sleep. Importing it loads nothing heavy."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["available_cores", "core_limit", "in_words", "sleep_when_idle", "threads_for", "using_threads"]

# What a user may have said about waiting threads: to OpenMP, to GNU's library, to Intel's and LLVM's.
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SMALL = 3_000_000
"""Parameters below which a network's operations are too short to be split.

The small networks have a million; ResNet-18's, with their heads, from 11 million on.
"""


def sleep_when_idle() -> None:
    """Have OpenMP's threads sleep while they wait; for the first line of a command, before torch is loaded.

    By default they spin, which on a busy machine takes the time that the threads they wait for need. Nothing
    is changed if the user has said how threads wait, or if torch has been loaded, which reads it once: a
    program that uses the library decides for itself.
    """
    if "torch" in sys.modules or any(name in os.environ for name in _WAITING):
        return
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ["KMP_BLOCKTIME"] = "0"  # Intel's and LLVM's still spin 0.2 s under the passive policy


def available_cores() -> int:
    """Cores this process may use: its affinity, cut by the container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        limit, period = quota.read_text().split()
        if limit != "max":
            cores = min(cores, max(1, int(limit) // int(period)))
    return cores


def core_limit() -> int:
    """Cores for the threads of this process: `available_cores`, or fewer if ``OMP_NUM_THREADS`` says so."""
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(available_cores(), int(given)) if given.isdecimal() and int(given) > 0 else available_cores()


def threads_for(parameters: int, cores: int) -> int:
    """Threads that a network can use on a CPU: one if it is small, else the cores there are.

    Args:
        parameters: numbers that the network has learned; 0 for none.
        cores: that there are for it, at least 1.
    """
    return 1 if parameters < SMALL else max(1, cores)


def in_words(count: int, thing: str) -> str:
    """A count for a log's head, e.g. ``1 thread``, ``0 processes``."""
    return f"{count} {thing}" + ("" if count == 1 else "es" if thing.endswith("s") else "s")


@contextmanager
def using_threads(threads: int, opencv: int | None = None) -> Iterator[None]:
    """Inside the block torch and OpenCV, as far as they are loaded, have so many threads.

    Args:
        threads: of torch, at least 1.
        opencv: of OpenCV, which has threads of its own; as many if left out.
    """
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    before = (torch.get_num_threads() if torch else 0, cv2.getNumThreads() if cv2 else 0)
    if torch:
        torch.set_num_threads(threads)
    if cv2:
        cv2.setNumThreads(threads if opencv is None else opencv)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before[0])
        if cv2:
            cv2.setNumThreads(before[1])
