"""How the processes of a run come about and meet: started by torchrun, or by the command itself."""

import importlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist

from ebm.exceptions import EBMError, InputError
from ltr.trainers.world import World

__all__ = ["expected_world", "launch", "under_torchrun"]

# What `launch` tells the other processes: the file through which all find each other, own number, how many,
# and who started them.
STORE, RANK, SIZE = "EBMTRACK_STORE", "EBMTRACK_RANK", "EBMTRACK_PROCESSES"
PARENT = "EBMTRACK_PARENT"
TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Loopback by name: a machine whose own name does not resolve could not start otherwise.
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"}
PATIENCE = timedelta(hours=2)  # the others wait that long while the main process makes data or saves

Join = Callable[[torch.device], World]


def under_torchrun() -> bool:
    """Whether torchrun started this process, or something that sets the same variables."""
    return STORE not in os.environ and all(name in os.environ for name in TORCHRUN)


def expected_world(processes: int = 1) -> World:
    """The place that this process will have, before it meets the others.

    Args:
        processes: that the command is to start, itself included.

    Raises:
        InputError: if torchrun already decides how many there are.
    """
    if under_torchrun():
        if processes > 1:
            raise InputError(
                f"--processes {processes} starts processes of its own, but torchrun has started these; leave "
                "--processes out and use torchrun's --nproc-per-node."
            )
        rank, size, local_rank, local_size = (int(os.environ[name]) for name in TORCHRUN[:4])
        return World(rank, size, local_rank, local_size)
    if STORE in os.environ:
        rank, size = int(os.environ[RANK]), int(os.environ[SIZE])
        return World(rank, size, rank, size)
    return World(0, processes, 0, processes)


@contextmanager
def launch(processes: int, arguments: Sequence[str]) -> Iterator[Join]:
    """Start the other processes of a run and make this one its number 0, until the block is left.

    Inside a process that was started so, or by torchrun, nothing is started. The block gets a function that
    meets the others, given the device that this process computes on.

    Args:
        processes: of the run, this one included.
        arguments: of ``ltr.run_training``, the same for all.

    Raises:
        EBMError: if another process fails, with the end of what it said.
    """
    world = expected_world(processes)
    if PARENT in os.environ:
        threading.Thread(target=_end_with, args=(int(os.environ[PARENT]),), daemon=True).start()
    if STORE in os.environ or under_torchrun() or processes < 2:
        try:
            yield partial(_join, world)
        finally:
            if world.size > 1 and dist.is_initialized():
                dist.destroy_process_group()
        return
    with tempfile.TemporaryDirectory(prefix="ebmtrack-") as folder:
        shared = LOOPBACK if sys.platform == "linux" else {}
        shared = shared | {STORE: str(Path(folder) / "store"), SIZE: str(processes)}
        logs = [Path(folder) / f"process{i}.log" for i in range(1, processes)]
        others = [
            _start(arguments, os.environ | shared | {RANK: str(i), PARENT: str(os.getpid())}, log)
            for i, log in enumerate(logs, 1)
        ]
        own = shared | {RANK: "0"}
        os.environ.update(own)
        patience = 0.0  # with an error there is nothing to wait for
        try:
            yield partial(_meet, world, others, logs)
            patience = 5.0
        except RuntimeError as error:
            # What this process sees when another dies is a broken connection; what happened is in its log.
            time.sleep(0.5)  # the other may still be ending
            _raise_first_failure(others, logs, error)
            raise
        finally:
            for name in own:
                os.environ.pop(name, None)
            _end(others, patience)


def _join(world: World, device: torch.device) -> World:
    """Meet the other processes: NCCL between GPUs, gloo between CPUs."""
    if world.size == 1:
        return world
    # Imported later, as torch.optim does, its functions keep the group as a default argument for ever: its
    # threads then outlive destroy_process_group and may abort the process at its end (torch 2.11).
    importlib.import_module("torch.distributed.nn.functional")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if STORE in os.environ:
        _ready_file(world.rank).touch()
        method = f"file://{os.environ[STORE]}"
        dist.init_process_group(
            "gloo", init_method=method, rank=world.rank, world_size=world.size, timeout=PATIENCE
        )
        return world
    if world.local_size == world.size and sys.platform == "linux":
        for name, value in LOOPBACK.items():
            os.environ.setdefault(name, value)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    return world


def _end_with(parent: int) -> None:
    """End this process once `parent` is dead: one that is killed while they start leaves nobody to meet."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _ready_file(rank: int) -> Path:
    return Path(f"{os.environ[STORE]}.{rank}")


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


def _meet(
    world: World, others: Sequence["subprocess.Popen[bytes]"], logs: Sequence[Path], device: torch.device
) -> World:
    """Join once all others are about to; one that ended before would be waited for in vain."""
    while not all(_ready_file(number).exists() for number in range(1, len(others) + 1)):
        _raise_first_failure(others, logs)
        time.sleep(0.05)
    return _join(world, device)


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


def _end(others: Sequence["subprocess.Popen[bytes]"], patience: float) -> None:
    """Give the others a moment to leave by themselves, s, then end them."""
    if dist.is_initialized():
        dist.destroy_process_group()
    for process in others:
        try:
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
