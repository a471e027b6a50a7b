"""A folder of checkpoints has one writer: a second run is refused, and so is a folder that takes no files."""

import contextlib
import errno
import importlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ebm.exceptions import InputError

__all__ = ["check_space", "sole_writer"]

NAME = ".running"
TAKEN = (errno.EACCES, errno.EAGAIN)


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Be the only run that writes into `folder` until the block is left or this process dies.

    The folder is made, and goes again if nothing was written. A file in it is locked. The system lets go of
    the lock when the process ends, however it does, and tells machines that share the disk as well; where a
    file system knows no locks, nothing is refused.

    Raises:
        InputError: if another run writes there, or nobody can.
    """
    path = folder / NAME
    made = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
    except OSError as error:
        raise InputError(
            f"Nothing can be written to {folder}: {error.strerror}. Choose another --workspace."
        ) from error
    with file:
        try:
            yield
        finally:
            # While it is still locked: a run that has it open notices that it is no longer the one there.
            with contextlib.suppress(OSError):
                path.unlink()
                for part in made:
                    part.rmdir()  # only if it is empty


def _locked(path: Path) -> IO[str]:
    """The file `path`, locked and open.

    Raises:
        InputError: if another process has locked it.
    """
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            # Not flock: loader processes would inherit that and outlive a killed run by seconds.
            fcntl = importlib.import_module("fcntl")
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows
            return file
        except OSError as error:
            if error.errno not in TAKEN:
                return file
            file.seek(0)
            owner = file.read() or "another process"
            file.close()
            raise InputError(
                f"Another run ({owner}) writes to {path.parent}. Let it end or stop it, or give this one a "
                "--workspace of its own."
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def check_space(folder: Path, needed: int) -> None:
    """Refuse a disk without room for a single checkpoint, before the epoch that it would cost.

    Args:
        folder: of the checkpoints; it is there.
        needed: bytes of one.

    Raises:
        InputError: if there is less room.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"A checkpoint needs about {needed / 2**20:.0f} MiB, and the disk of {folder} has "
            f"{free / 2**20:.0f} MiB left. Free some or choose another --workspace."
        )
