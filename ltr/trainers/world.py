"""Several processes that train one network: each computes a share of every batch, gradients are averaged.

On a CPU this is what uses the cores: the operations of a small network are too short to be worth splitting
over threads.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from ebm.exceptions import EBMError, InputError

__all__ = ["Averaged", "World", "launch"]

# What `launch` tells the other processes: the file through which all find each other, own number, how many.
STORE, RANK, SIZE = "EBMTRACK_STORE", "EBMTRACK_RANK", "EBMTRACK_PROCESSES"
PATIENCE = timedelta(hours=2)  # the others wait that long while the main process validates or saves


@dataclass(frozen=True)
class World:
    """The processes of a run.

    Attributes:
        rank: number of this process; 0 is the one that validates, saves and speaks.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process validates, saves and speaks."""
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """Samples of a batch that fall to each process.

        Raises:
            InputError: if the batch cannot be shared evenly, or a share would be a single sample.
        """
        local, rest = divmod(batch_size, self.size)
        if rest or (self.size > 1 and local < 2):
            raise InputError(
                f"A batch of {batch_size} cannot be shared by {self.size} processes: every process needs the "
                "same number of samples, at least 2. Change --batch-size or --processes."
            )
        return local

    def average(self, gradients: Sequence[Tensor], stats: Mapping[str, Tensor], stop: bool) -> "Averaged":
        """Average gradients in place and statistics over the processes; learn whether any wants to stop.

        Everything travels in one message, so that all processes decide alike after it.

        Args:
            gradients: float32 tensors, the same in number and shape everywhere.
            stats: scalars ``[]`` by name, the same names everywhere.
            stop: whether this process was asked to stop.
        """
        if self.size == 1:
            return Averaged(stats=dict(stats), stop=stop)
        scalars = [value.detach().float().reshape(1) for value in stats.values()]
        flag = gradients[0].new_full((1,), float(stop))
        message = torch.cat([*(g.flatten() for g in gradients), *scalars, flag])
        dist.all_reduce(message)
        message /= self.size
        first = 0
        for gradient in gradients:
            gradient.copy_(message[first : first + gradient.numel()].view_as(gradient))
            first += gradient.numel()
        means = dict(zip(stats, message[first:-1].unbind()))
        return Averaged(stats=means, stop=bool(message[-1] > 0))


@dataclass(frozen=True)
class Averaged:
    """What `World.average` returns: statistics over all processes, and whether any wants to stop."""

    stats: dict[str, Tensor]
    stop: bool


def _join() -> World:
    rank, size = int(os.environ[RANK]), int(os.environ[SIZE])
    _ready_file(rank).touch()
    dist.init_process_group(
        "gloo", init_method=f"file://{os.environ[STORE]}", rank=rank, world_size=size, timeout=PATIENCE
    )
    return World(rank, size)


def _ready_file(rank: int) -> Path:
    return Path(f"{os.environ[STORE]}.{rank}")


@contextmanager
def launch(processes: int, arguments: Sequence[str]) -> Iterator[Callable[[], World]]:
    """Start the other processes of a run and make this one its number 0, until the block is left.

    Inside a process that was started so, nothing is started. The block gets a function that meets the others.

    Args:
        processes: of the run, this one included.
        arguments: of ``ltr.run_training``, the same for all.

    Raises:
        EBMError: if another process fails, with the end of what it said.
    """
    if processes < 2 or STORE in os.environ:
        yield _join if STORE in os.environ else World
        return
    with tempfile.TemporaryDirectory(prefix="ebmtrack-") as folder:
        # Loopback by name: a machine whose own name does not resolve could not start otherwise.
        shared = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
        shared |= {STORE: str(Path(folder) / "store"), SIZE: str(processes)}
        logs = [Path(folder) / f"process{i}.log" for i in range(1, processes)]
        others = [
            _start(arguments, os.environ | shared | {RANK: str(i)}, log) for i, log in enumerate(logs, 1)
        ]
        own = shared | {RANK: "0"}
        os.environ.update(own)
        try:
            yield partial(_meet, others, logs)
        except RuntimeError as error:
            # What this process sees when another dies is a broken connection; what happened is in its log.
            _raise_first_failure(others, logs, error)
            raise
        finally:
            for name in own:
                os.environ.pop(name, None)
            _end(others)


def _start(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches the main process alone, which tells the others between two steps.
    with log.open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "ltr.run_training", *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def _meet(others: Sequence["subprocess.Popen[bytes]"], logs: Sequence[Path]) -> World:
    """Join once all others are about to; one that ended before would be waited for in vain."""
    while not all(_ready_file(number).exists() for number in range(1, len(others) + 1)):
        _raise_first_failure(others, logs)
        time.sleep(0.05)
    return _join()


def _raise_first_failure(
    others: Sequence["subprocess.Popen[bytes]"], logs: Sequence[Path], error: RuntimeError | None = None
) -> None:
    """Raise what ended another process, if one has ended."""
    for number, (process, log) in enumerate(zip(others, logs), 1):
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:]).strip()
            raise EBMError(
                f"Process {number} of the run ended with code {process.returncode}: {tail or 'no message'}"
            ) from error


def _end(others: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Give the others a moment to leave by themselves, then end them."""
    if dist.is_initialized():
        dist.destroy_process_group()
    for process in others:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
