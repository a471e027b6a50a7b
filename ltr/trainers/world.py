"""Several processes that train one network: each computes a share of every batch, gradients are averaged.

On GPUs there is a process for each; on a CPU this is what uses the cores, since the operations of a small
network are too short to be worth splitting over threads.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ebm.exceptions import InputError

__all__ = ["Averaged", "World"]

BUCKET = 2**23  # numbers in a message: while one travels, the next is put together


@dataclass(frozen=True)
class World:
    """The processes of a run.

    Attributes:
        rank: number of this process; 0 is the one that saves and speaks.
        size: number of processes.
        local_rank: number among the processes on this machine.
        local_size: number of processes on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process saves and speaks."""
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
                "same number of samples, at least 2. Change --batch-size or the number of processes "
                "(--processes, or torchrun's --nproc-per-node and --nnodes)."
            )
        return local

    def average(self, gradients: Sequence[Tensor], stats: Mapping[str, Tensor], stop: bool) -> "Averaged":
        """Average gradients in place and statistics over the processes; learn whether any wants to stop.

        All processes decide alike after it, since all see the same numbers.

        Args:
            gradients: float32 tensors, the same in number and shape everywhere; may be none.
            stats: scalars ``[]`` by name, the same names everywhere, at least one.
            stop: whether this process was asked to stop.
        """
        if self.size == 1:
            return Averaged(stats=dict(stats), stop=stop)
        scalars = torch.stack([value.detach().float() for value in stats.values()])
        scalars = torch.cat((scalars, scalars.new_full((1,), float(stop))))
        messages = []
        for tensors in _buckets([*gradients, scalars]):
            flat = _flat(tensors)
            messages.append((tensors, flat, dist.all_reduce(flat, async_op=True)))
        for tensors, flat, work in messages:
            work.wait()
            _unpack(flat.div_(self.size), tensors)
        return Averaged(stats=dict(zip(stats, scalars[:-1].unbind())), stop=bool(scalars[-1] > 0))

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite `tensors`, the same in number and shape everywhere, by those of the main process."""
        if self.size == 1:
            return
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            kinds.setdefault(tensor.dtype, []).append(tensor)
        for same in kinds.values():
            for bucket in _buckets(same):
                flat = _flat(bucket)
                dist.broadcast(flat, 0)
                _unpack(flat, bucket)

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, plain data, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    @contextmanager
    def in_turns(self) -> Iterator[None]:
        """Run a block on the main process first, then on the first of every machine, then on the others.

        What the first one makes or moves, the others then find, whether machines share a disk or not.
        """
        turn = 0 if self.is_main else 1 if self.local_rank == 0 else 2
        for _ in range(turn):
            self.wait_for_all()
        yield
        for _ in range(2 - turn):
            self.wait_for_all()

    def wait_for_all(self) -> None:
        """Return when all processes have come here."""
        if self.size > 1:
            dist.barrier()


@dataclass(frozen=True)
class Averaged:
    """What `World.average` returns: statistics over all processes, and whether any wants to stop."""

    stats: dict[str, Tensor]
    stop: bool


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive tensors of at most `BUCKET` numbers, or single larger ones."""
    bucket: list[Tensor] = []
    count = 0
    for tensor in tensors:
        if bucket and count + tensor.numel() > BUCKET:
            yield bucket
            bucket, count = [], 0
        bucket.append(tensor)
        count += tensor.numel()
    if bucket:
        yield bucket


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _unpack(message: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copy a message made by `_flat` back into its tensors."""
    first = 0
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(message[first : first + tensor.numel()].view(tensor.shape))
            first += tensor.numel()
