"""A function in several real processes that meet through gloo, for tests."""

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import torch

from ltr.trainers import launch as module
from ltr.trainers.launch import launch
from ltr.trainers.world import World

__all__ = ["run_processes"]


def run_processes(function: Callable[[World], Any], size: int, folder: Path) -> list[Any]:
    """What `function` returned in each of `size` processes, by rank."""
    context = multiprocessing.get_context("spawn")
    results: Queue[tuple[int, Any, str]] = context.Queue()
    processes = [
        context.Process(target=_work, args=(function, rank, size, folder / "store", results))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    seen = sorted((results.get(timeout=120) for _ in processes), key=lambda result: result[0])
    for process in processes:
        process.join()
    assert not any(error for _, _, error in seen), next(error for _, _, error in seen if error)
    return [value for _, value, _ in seen]


def _work(
    function: Callable[[World], Any],
    rank: int,
    size: int,
    store: Path,
    results: "Queue[tuple[int, Any, str]]",
) -> None:
    os.environ |= {module.STORE: str(store), module.RANK: str(rank), module.SIZE: str(size)}
    torch.set_num_threads(1)
    try:
        with launch(size, []) as join:
            results.put((rank, function(join(torch.device("cpu"))), ""))
    except Exception:  # noqa: BLE001  the test shows it
        results.put((rank, None, traceback.format_exc()))
