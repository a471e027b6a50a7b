"""Rows that belong together, as those of one patient or one house, kept together where rows are parted."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ebm.exceptions import DomainError, InputError
from ebm.fitting.conformal import group_codes
from ebm.fitting.tables import require_same_order

__all__ = ["codes_of", "group_folds", "split_groups", "without_validation"]


def codes_of(groups: Any, x: Any, count: int) -> Tensor | None:
    """Every row's number among the groups, ``(N,)``; None where there are no groups.

    Args:
        groups: a text or whole number per row, or None.
        x: the inputs, whose order a column of pandas must have.
        count: N.

    Raises:
        ShapeError: if there are not as many as rows.
        InputError: if a label is neither text nor whole number, or pandas' order is another one.
    """
    if groups is None:
        return None
    require_same_order(x, groups, "groups")
    return group_codes(groups, count)[0]


def without_validation(groups: Any, validation_data: Any) -> None:
    """Refuse two answers to the question which rows are held out.

    Raises:
        InputError: if there are both.
    """
    if groups is not None and validation_data is not None:
        raise InputError(
            "groups say which rows are held out together, and validation_data are the rows held out; leave "
            "out one of them."
        )


def split_groups(codes: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of the rows to train on and of those held out, whole groups each, at random, in order.

    Groups are held out in a random order as long as each brings the rows held out closer to their share.

    Args:
        codes: every row's group ``(N,)``.
        share: of the rows, to hold out, in (0, 1).
        seed: of the order.

    Raises:
        DomainError: if there are fewer than two groups.
    """
    present, sizes = codes.unique(return_counts=True)
    if len(present) < 2:
        raise DomainError(
            "all rows are of one group, and whole groups are held out: that takes two groups or more. Leave "
            "out groups, or give validation_data."
        )
    order = torch.randperm(len(present), generator=torch.Generator().manual_seed(seed))
    wanted, held = share * len(codes), 0
    chosen: list[int] = []
    for place, size in zip(order.tolist(), sizes[order].tolist()):
        if len(chosen) < len(present) - 1 and abs(held + size - wanted) < abs(held - wanted):
            chosen.append(place)
            held += size
    if not chosen:  # all are large
        chosen = [min(order.tolist(), key=lambda place: int(sizes[place]))]
    inside = torch.isin(codes, present[chosen])
    return (~inside).nonzero()[:, 0], inside.nonzero()[:, 0]


def group_folds(codes: Tensor, folds: int, seed: int) -> Iterator[Tensor]:
    """Indices of the rows of every fold, whole groups each; at most as many folds as there are groups.

    The largest groups are dealt first, each to the fold that has fewest rows.

    Raises:
        DomainError: if there are fewer than two groups.
    """
    present, sizes = codes.unique(return_counts=True)
    if len(present) < 2:
        raise DomainError("all rows are of one group, and a base needs two or more for its folds.")
    order = torch.randperm(len(present), generator=torch.Generator().manual_seed(seed)).tolist()
    dealt: list[list[int]] = [[] for _ in range(min(folds, len(present)))]
    rows = [0] * len(dealt)
    for place in sorted(order, key=lambda place: -int(sizes[place])):
        least = rows.index(min(rows))
        dealt[least].append(place)
        rows[least] += int(sizes[place])
    for own in dealt:
        yield torch.isin(codes, present[own]).nonzero()[:, 0]
