"""Batches that do not fit into memory are computed in parts; how many is measured, not guessed."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ltr.actors.base_actor import BaseActor
from ltr.trainers.batches import part_sizes, split_batch
from ltr.trainers.config import Batch

__all__ = ["available_memory", "graph_bytes", "parts_needed", "peak_memory"]

# Of the free memory that a graph may take; the rest is for gradients and work space. A ResNet-50 step on a
# CPU was seen to need 1.4 times its graph; CUDA's allocator wastes less.
SHARES = {"cuda": 0.7, "cpu": 0.5}
PROBE = 2  # samples; batch normalisation allows no fewer


def available_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on `device`; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    table = Path("/proc/meminfo")
    if device.type != "cpu" or not table.is_file():
        return None
    fields = dict(line.split(":", 1) for line in table.read_text().splitlines() if ":" in line)
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limit = _container_limit()
    return free if limit is None else min(free, limit)


def peak_memory(device: torch.device) -> int:
    """Bytes, the most that this process has held: of its GPU's memory, or of the machine's; 0 if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _container_limit() -> int | None:
    """Bytes left to this container, if it has a limit."""
    for folder, limit_name, usage_name in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, usage = Path(folder, limit_name), Path(folder, usage_name)
        if limit.is_file() and usage.is_file() and (text := limit.read_text().strip()) != "max":
            return max(int(text) - int(usage.read_text()), 0)
    return None


def graph_bytes(actor: BaseActor, batch: Batch) -> int:
    """Bytes that the forward pass keeps for the backward pass, beside the weights themselves.

    The network's buffers are as before afterwards.

    Args:
        actor: in training mode.
        batch: a small batch on the device.
    """
    known = {p.untyped_storage().data_ptr() for p in actor.net.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    buffers = [(buffer, buffer.clone()) for buffer in actor.net.buffers()]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss, _ = actor(batch)
    del loss
    with torch.no_grad():
        for buffer, copy in buffers:
            buffer.copy_(copy)
    return sum(kept.values())


def parts_needed(actor: BaseActor, batch: Batch, batch_size: int, free: int) -> int:
    """Into how many parts a batch must be cut to fit into `free` bytes; at most pairs.

    Args:
        actor: in training mode.
        batch: a batch on the device.
        batch_size: samples in it.
        free: bytes to be had.
    """
    share = SHARES[next(actor.net.parameters()).device.type]
    sample = graph_bytes(actor, next(split_batch(batch, [PROBE]))) / PROBE
    for parts in range(1, batch_size // PROBE + 1):
        if max(part_sizes(batch_size, parts)) * sample <= share * free:
            return parts
    return max(batch_size // PROBE, 1)
