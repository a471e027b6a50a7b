"""Several processes that train one network: each computes a share of every batch, gradients are averaged.

On GPUs there is a process for each; on a CPU this is what uses the cores, since the operations of a small
network are too short to be worth splitting over threads.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

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
        scalars = _scalars(stats, stop)
        messages = []
        for tensors in _buckets([*gradients, scalars]):
            flat = _flat(tensors)
            messages.append((tensors, flat, dist.all_reduce(flat, async_op=True)))
        for tensors, flat, work in messages:
            work.wait()
            _unpack(flat.div_(self.size), tensors)
        return Averaged.of(stats, scalars)

    def average_in_order(
        self, gradients: Sequence[Sequence[Tensor]], stats: Sequence[Mapping[str, Tensor]], stop: bool
    ) -> "Averaged":
        """Average over the groups of all processes; the same bits however many processes these are shared by.

        Args:
            gradients: of each group of this process, as many groups and tensors everywhere; those of the last
                group become the averages.
            stats: of each group, scalars ``[]`` by name, at least one.
            stop: whether this process was asked to stop.
        """
        scalars = [_scalars(values, stop) for values in stats]
        own = torch.stack([_flat([*group, more]) for group, more in zip(gradients, scalars)])
        rows = list(own)
        if self.size > 1:
            others = [torch.empty_like(own) for _ in range(self.size)]
            dist.all_gather(others, own)
            rows = [row for other in others for row in other]
        total = rows[0].clone()
        for row in rows[1:]:  # one after another: any other order would round otherwise
            total += row
        _unpack(total.div_(len(rows)), [*gradients[-1], scalars[-1]])
        return Averaged.of(stats[-1], scalars[-1])

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

    @classmethod
    def of(cls, names: Iterable[str], scalars: Tensor) -> "Averaged":
        """From what `_scalars` puts together, averaged."""
        return cls(stats=dict(zip(names, scalars[:-1].unbind())), stop=bool(scalars[-1] > 0))


def _scalars(stats: Mapping[str, Tensor], stop: bool) -> Tensor:
    """Statistics and a request to stop as one tensor ``[len(stats) + 1]``."""
    scalars = torch.stack([value.detach().float() for value in stats.values()])
    return torch.cat((scalars, scalars.new_full((1,), float(stop))))


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
