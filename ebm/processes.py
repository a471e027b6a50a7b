"""Processes that work for another one."""

import multiprocessing
import os
import signal
import threading

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """Ask this process to end (SIGTERM) once its parent has ended, even if that was killed.

    A worker of a pool would otherwise finish what nobody will take from it, and then wait for ever. For
    the start of a process that `multiprocessing` made; in any other nothing happens.
    """
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
