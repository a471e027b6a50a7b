"""How a batch is divided: into groups, each computed as if by one process, and these among the processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ebm.exceptions import InputError
from ltr.trainers.world import Averaged, World

__all__ = ["Division", "divide", "equal_groups"]


@dataclass(frozen=True, kw_only=True)
class Division:
    """A batch as groups of equal size.

    With a fixed number of groups the learned weights do not depend on the number of processes: a group has
    batch statistics and random numbers of its own, and gradients are summed in the order of the groups. Else
    every process computes one group, and the sum is the fastest there is.

    Attributes:
        world: the processes.
        samples: samples of a group.
        groups: of a batch, over all processes.
        fixed: whether their number is the recipe's and not that of the processes.
    """

    world: World
    samples: int
    groups: int
    fixed: bool

    @property
    def own(self) -> int:
        """Groups of every batch that this process computes, one after another."""
        return self.groups // self.world.size

    def first(self, group: int) -> int:
        """Number within the batch of the first sample of this process's own group `group`."""
        return (self.world.rank * self.own + group) * self.samples

    def average(
        self, gradients: Sequence[Sequence[Tensor]], stats: Sequence[Mapping[str, Tensor]], stop: bool
    ) -> Averaged:
        """Average over all groups; see `World.average_in_order`."""
        if self.fixed:
            return self.world.average_in_order(gradients, stats, stop)
        return self.world.average(gradients[0], stats[0], stop)


def divide(batch_size: int, world: World, groups: int | None) -> Division:
    """Divide a batch.

    Args:
        batch_size: samples of a batch.
        world: the processes.
        groups: groups wanted, None for one a process. A batch too small for them, or without equal parts, is
            divided into the next smaller number, which depends on no machine.

    Raises:
        InputError: if the processes cannot share the groups evenly, or a group would be a single sample.
    """
    count = world.size if groups is None else equal_groups(batch_size, groups)
    samples, rest = divmod(batch_size, count)
    if rest or (count > 1 and samples < 2):
        raise InputError(
            f"A batch of {batch_size} cannot be shared by {count} processes: every process needs the "
            "same number of samples, at least 2. Change --batch-size or the number of processes "
            "(--processes, or torchrun's --nproc-per-node and --nnodes)."
        )
    if count % world.size:
        fitting = ", ".join(str(n) for n in range(1, count + 1) if count % n == 0)
        raise InputError(
            f"A batch of {batch_size} is computed in {count} groups, which {world.size} processes cannot "
            f"share evenly: use {fitting} (--processes, or torchrun's --nproc-per-node and --nnodes), which "
            f"all train the same network, or --set groups={world.size}, which trains another one."
        )
    return Division(world=world, samples=samples, groups=count, fixed=groups is not None)


def equal_groups(batch_size: int, most: int) -> int:
    """The largest number of equal groups of a batch, at most `most`, with at least 2 samples each."""
    return max(n for n in range(1, most + 1) if n == 1 or (batch_size % n == 0 and batch_size // n >= 2))
