"""The draw of which rows are trained on and which are held out, of one member or several."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ebm.exceptions import DomainError
from ebm.fitting.groups import split_groups

__all__ = ["in_orders", "members_split", "split_rows"]

FEWEST_ROWS = 4


def members_split(
    count: int, groups: Tensor | None, share: float, seed: int, members: int
) -> tuple[Tensor, Tensor]:
    """Indices of every member's rows to train on, and of those that it holds out, one member after the other.

    Groups of different sizes make members of different sizes, which -1 fills up.

    Args:
        count: N.
        groups: number of the group of every row ``(N,)``, held out as a whole; None for none.
        share: of the rows, to hold out.
        seed: of the first member's draw; each has one of its own.
        members: K.

    Raises:
        DomainError: if there are too few rows or groups for both.
    """
    seeds = range(seed, seed + members)
    if groups is None:
        pairs = [split_rows(count, share, own) for own in seeds]
    else:
        _require_enough(count)
        pairs = [split_groups(groups, share, own) for own in seeds]
    train, held = (pad_sequence(list(part), batch_first=True, padding_value=-1) for part in zip(*pairs))
    return in_orders(train, seed), held.flatten()


def in_orders(rows: Tensor, seed: int) -> Tensor:
    """Every member's rows ``(K, N)`` in an order of its own, so that batches differ, ``(K * N,)``."""
    if len(rows) == 1:
        return rows[0]
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([own[torch.randperm(len(own), generator=generator)] for own in rows])


def split_rows(count: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of the rows to train on and of those held out, at random, in order.

    Raises:
        DomainError: if there are too few rows for both.
    """
    _require_enough(count)
    held = min(max(1, round(share * count)), count - 2)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[held:].sort().values, order[:held].sort().values


def _require_enough(count: int) -> None:
    if count < FEWEST_ROWS:
        raise DomainError(
            f"got n_samples = {count}, too few to hold some out for early stopping; give >= {FEWEST_ROWS}."
        )
