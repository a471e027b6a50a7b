"""Which rows are trained on and which are held out."""

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebm.exceptions import DomainError, InputError, OutlierWarning, ShapeError
from ebm.fitting.data import Scaling, as_inputs, as_targets, as_weights, measure
from ebm.fitting.moments import OUTLYING, outliers
from ebm.fitting.tables import require_same_order

__all__ = ["Rows", "held_out_pair", "prepare_rows", "split_rows"]

FEWEST_ROWS = 4
# Outliers that a warning names.
NAMED = 10


class Rows(NamedTuple):
    """Inputs ``(N, ...)``, targets ``(N, D)`` and weights ``(N,)`` that belong together."""

    x: Tensor
    y: Tensor
    weights: Tensor

    def chosen(self, rows: Tensor) -> "Rows":
        """Those with the given indices, also several times, or of a mask ``(N,)``."""
        return Rows(self.x[rows], self.y[rows], self.weights[rows])

    def scaled(self, scaling: Scaling, device: torch.device) -> "Rows":
        """Raw rows as a network and its loss take them: standardised, float32 on `device`."""
        y = scaling.standardised(self.y).to(device, torch.float32)
        return Rows(scaling.inputs(self.x, device), y, self.weights.to(device, torch.float32))


def prepare_rows(
    x: Any,
    y: Any,
    sample_weight: Any,
    validation_data: tuple[Any, Any] | None,
    *,
    share: float,
    seed: int,
    members: int = 1,
) -> tuple[Rows, Rows, Scaling]:
    """Rows to train on and rows held out, raw, float64 on the CPU, and the scaling of the former.

    Of several members, each with a split of its own, the rows of the first stand first, and so on; then the
    scaling is that of all rows.

    Args:
        x: inputs ``(N, F)`` or ``(N, ...)``.
        y: targets ``(N,)`` or ``(N, D)``.
        sample_weight: weight per row ``(N,)``; rows of weight 0 are left out; None is 1 each.
        validation_data: rows to hold out; None draws them.
        share: of the rows, to hold out.
        seed: of the draw.
        members: K.

    Raises:
        ShapeError: if shapes do not fit.
        DomainError: if a value is outside its domain, there are too few rows, or a target is constant.
        InputError: if something is not numeric, or tables label the same rows in another order.

    Warns:
        OutlierWarning: if rows lie more than `OUTLYING` robust deviations from the median.
    """
    rows, wrong, flat = _used(x, y, sample_weight)
    if validation_data is None:
        train, held = _splits(len(rows.x), share, seed, members)
        kept = rows.chosen(train)
        if members == 1:
            scaling = measure(
                kept.x, kept.y, flat, *(part if part is None else part[train] for part in wrong)
            )
        else:
            scaling = measure(rows.x, rows.y, flat, *wrong)
        return kept, rows.chosen(held), scaling.named(x, y)
    scaling = measure(rows.x, rows.y, flat, *wrong).named(x, y)
    held_x, held_y = held_out_pair(validation_data)
    held_rows = _given(scaling.rows(held_x), held_y, scaling)
    train = _in_orders(torch.arange(len(rows.x)).expand(members, -1), seed)
    again = torch.arange(len(held_rows.x)).repeat(members)
    return rows.chosen(train), held_rows.chosen(again), scaling


def _used(x: Any, y: Any, sample_weight: Any) -> tuple[Rows, tuple[Tensor | None, Tensor | None], bool]:
    """Checked rows that have weight, which of their entries are outliers, and whether y was ``(N,)``."""
    require_same_order(x, y)
    require_same_order(x, sample_weight, "sample_weight")
    inputs = as_inputs(x)
    targets, flat = as_targets(y, len(inputs))
    weights = as_weights(sample_weight, len(inputs))
    used = weights > 0
    rows = Rows(inputs, targets, weights).chosen(used)
    return rows, (_outliers("x", rows.x, used), _outliers("y", rows.y, used)), flat


def held_out_pair(validation_data: Any) -> tuple[Any, Any]:
    """Inputs and targets that the user holds out, of any kind.

    Raises:
        InputError: if it is no pair, or its tables label the same rows in another order.
    """
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        got = type(validation_data).__name__
        size = f" of {len(validation_data)}" if isinstance(validation_data, tuple | list) else ""
        raise InputError(f"validation_data must be a pair (x, y), got a {got}{size}.")
    x, y = validation_data
    require_same_order(x, y)
    return x, y


def _given(x: Tensor, y: Any, scaling: Scaling) -> Rows:
    """Rows that the user holds out, ``(N, ...)`` as they are and targets of any kind."""
    if not len(x):
        raise ShapeError("validation_data has no rows; leave it out to hold out a share of x.")
    return Rows(x, scaling.targets(y, len(x)), as_weights(None, len(x)))


def _splits(count: int, share: float, seed: int, members: int) -> tuple[Tensor, Tensor]:
    """Indices of every member's rows to train on, and of those that it holds out."""
    pairs = [split_rows(count, share, seed + k) for k in range(members)]
    train, held = (torch.stack(part) for part in zip(*pairs))
    return _in_orders(train, seed), held.flatten()


def _in_orders(rows: Tensor, seed: int) -> Tensor:
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
    if count < FEWEST_ROWS:
        raise DomainError(
            f"got n_samples = {count}, too few to hold some out for early stopping; give >= {FEWEST_ROWS}."
        )
    held = min(max(1, round(share * count)), count - 2)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[held:].sort().values, order[:held].sort().values


def _outliers(name: str, values: Tensor, used: Tensor) -> Tensor | None:
    """Which entries of the rows used, ``(N, F)``, are gross outliers; None of rows that are not flat.

    Args:
        name: of `values`, for the warning.
        values: of the rows used.
        used: which of the user's rows these are, ``(N_all,)``.

    Warns:
        OutlierWarning: with the places of these rows among the user's.
    """
    if values.ndim != 2:
        return None
    wrong = outliers(values)
    rows = used.nonzero()[wrong.any(1), 0].tolist()
    if rows:
        named = ", ".join(map(str, rows[:NAMED])) + (", ..." if len(rows) > NAMED else "")
        warnings.warn(
            f"{len(rows)} of {len(values)} rows have a value of {name} more than {OUTLYING:g} robust "
            f"standard deviations from the median (row {named}). They are used, but have no say in the "
            "scale; leave them out if they are errors.",
            OutlierWarning,
            stacklevel=6,
        )
    return wrong
