"""Which rows are trained on and which are held out."""

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebm.exceptions import InputError, OutlierWarning, ShapeError
from ebm.fitting.bounds import parse_bounds, require_inside
from ebm.fitting.censored import Censored, any_censored, bounded
from ebm.fitting.circle import supported
from ebm.fitting.data import Scaling, as_inputs, as_targets, as_weights, measure
from ebm.fitting.groups import codes_of, without_validation
from ebm.fitting.moments import OUTLYING, outliers
from ebm.fitting.splits import in_orders, members_split
from ebm.fitting.support import Support, dequantised
from ebm.fitting.tables import require_same_order

__all__ = ["Rows", "held_out_pair", "prepare_rows", "rows_of_scaling"]

# Outliers that a warning names.
NAMED = 10


class Rows(NamedTuple):
    """Rows of a fit.

    Attributes:
        x: inputs ``(N, ...)``.
        y: targets ``(N, D)``; of censored ones a place between their bounds.
        weights: ``(N,)``; a row of weight 0 is there so that all members have as many.
        bounds: of a single target, ``(N, 2)``, equal where it is known; None where all are.
        groups: number of the group ``(N,)``; None where rows do not belong together.
    """

    x: Tensor
    y: Tensor
    weights: Tensor
    bounds: Tensor | None = None
    groups: Tensor | None = None

    def chosen(self, rows: Tensor) -> "Rows":
        """Those with the given indices, also several times, or of a mask ``(N,)``."""
        bounds, groups = (None if part is None else part[rows] for part in (self.bounds, self.groups))
        return Rows(self.x[rows], self.y[rows], self.weights[rows], bounds, groups)

    def placed(self, rows: Tensor) -> "Rows":
        """Those with the given indices; -1 stands for a row of weight 0."""
        some = self.chosen(rows.clamp(min=0))
        return some._replace(weights=some.weights * (rows >= 0))

    @property
    def known(self) -> Tensor:
        """Which targets are known, ``(N,)``."""
        if self.bounds is None:
            return torch.ones(len(self.y), dtype=torch.bool, device=self.y.device)
        return self.bounds[:, 0] == self.bounds[:, 1]

    def scaled(self, scaling: Scaling, device: torch.device) -> "Rows":
        """Raw rows as a network and its loss take them: standardised, float32 on `device`.

        Whole numbers are moved within their units, the same way every time; see `dequantised`.
        """
        y = scaling.standardised(_spread_out(self.y, scaling.support)).to(device, torch.float32)
        bounds = None
        if self.bounds is not None:
            bounds = scaling.standardised(self.bounds[..., None])[..., 0].to(torch.float32)
            wider = torch.nextafter(bounds[:, 1], torch.tensor(torch.inf))
            same = ~self.known & (bounds[:, 0] == bounds[:, 1])  # by rounding
            bounds = torch.stack((bounds[:, 0], torch.where(same, wider, bounds[:, 1])), 1).to(device)
        weights = self.weights.to(device, torch.float32)
        return Rows(scaling.inputs(self.x, device), y, weights, bounds, self.groups)


def prepare_rows(
    x: Any,
    y: Any,
    sample_weight: Any,
    validation_data: tuple[Any, Any] | None,
    *,
    share: float,
    seed: int,
    members: int = 1,
    support: Any = None,
    groups: Any = None,
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
        support: where targets can lie, see `ebm.fitting.bounds.parse_bounds`.
        groups: a text or whole number per row ``(N,)``: rows are held out by whole groups; None for none.

    Raises:
        ShapeError: if shapes do not fit.
        DomainError: if a value is outside its domain, there are too few rows, or a target is constant or
            outside its support.
        InputError: if something is not numeric, or tables label the same rows in another order.

    Warns:
        OutlierWarning: if rows lie more than `OUTLYING` robust deviations from the median.
    """
    without_validation(groups, validation_data)
    censored = any_censored(y, validation_data)
    rows, used, flat = _used(x, y, sample_weight, support, censored, groups)
    line, way = _on_line(rows, support, flat, used)
    wrong_x = _outliers("x", rows.x, used)
    on_circle = way is not None and way.circle is not None
    wrong_y = None if on_circle else _outliers("y", line, used)
    raw = line if on_circle else rows.y

    def measured(own: Tensor | slice) -> Scaling:
        odd_x, odd_y = (part if part is None else part[own] for part in (wrong_x, wrong_y))
        scaling = measure(rows.x[own], raw[own], flat, odd_x, odd_y, line[own])
        return supported(scaling, way).named(x, y)

    if validation_data is None:
        train, held = members_split(len(rows.x), rows.groups, share, seed, members)
        scaling = measured(train if members == 1 else slice(None))
        return rows.placed(train), rows.placed(held), scaling
    scaling = measured(slice(None))
    held_out = _held_out(validation_data, scaling, support, censored)
    return *_beside(rows, held_out, seed, members), scaling


def rows_of_scaling(
    x: Any,
    y: Any,
    sample_weight: Any,
    validation_data: tuple[Any, Any] | None,
    scaling: Scaling,
    *,
    share: float,
    seed: int,
    members: int = 1,
    groups: Any = None,
) -> tuple[Rows, Rows]:
    """Rows to train on and rows held out as `prepare_rows` gives them, of a scaling that is known.

    Args:
        x: inputs, encoded as the scaling says.
        y: targets.
        sample_weight: ``(N,)`` or None.
        validation_data: rows to hold out; None draws them.
        scaling: whose columns and targets they must have.
        share: of the rows, to hold out.
        seed: of the draw.
        members: K.
        groups: ``(N,)`` or None.

    Raises:
        ShapeError, DomainError, InputError: as `prepare_rows`, or if they are of another kind.
    """
    without_validation(groups, validation_data)
    require_same_order(x, y)
    require_same_order(x, sample_weight, "sample_weight")
    inputs = scaling.rows(x)
    targets = scaling.targets(y, len(inputs))
    weights = as_weights(sample_weight, len(inputs))
    used = weights > 0
    rows = Rows(inputs, targets, weights, None, codes_of(groups, x, len(inputs))).chosen(used)
    if scaling.support is not None:
        require_inside(scaling.support.columns, rows.y, scaling.flat, used.nonzero()[:, 0])
    if validation_data is None:
        train, held = members_split(len(rows.x), rows.groups, share, seed, members)
        return rows.placed(train), rows.placed(held)
    return _beside(rows, _held_out(validation_data, scaling, None, False), seed, members)


def _held_out(validation_data: Any, scaling: Scaling, support: Any, censored: bool) -> Rows:
    """The rows that the user holds out."""
    held_x, held_y = held_out_pair(validation_data)
    return _given(scaling.rows(held_x), held_y, scaling, support, censored)


def _beside(rows: Rows, held_rows: Rows, seed: int, members: int) -> tuple[Rows, Rows]:
    """Every member's rows, all of them, and those that the user holds out, for each."""
    train = in_orders(torch.arange(len(rows.x)).expand(members, -1), seed)
    again = torch.arange(len(held_rows.x)).repeat(members)
    return rows.chosen(train), held_rows.chosen(again)


def _on_line(rows: Rows, support: Any, flat: bool, used: Tensor) -> tuple[Tensor, Support | None]:
    """Raw targets ``(N, D)`` on the line, and the way there."""
    y = rows.y
    bounds = parse_bounds(support, y.shape[1])
    if bounds is None:
        return y, None
    require_inside(bounds, y[rows.known], flat, used.nonzero()[rows.known, 0])
    whole = dequantised(y, torch.Generator().manual_seed(0)) if bounds[0].whole else y
    way = Support.of(bounds, whole)
    return way.to_line(whole), way


def _spread_out(y: Tensor, support: Support | None) -> Tensor:
    whole = support is not None and support.whole
    return dequantised(y, torch.Generator().manual_seed(0)) if whole else y


def _used(
    x: Any, y: Any, sample_weight: Any, support: Any, censored: bool, groups: Any
) -> tuple[Rows, Tensor, bool]:
    """Checked rows that have weight, which of the user's rows these are, and whether y was ``(N,)``."""
    require_same_order(x, y)
    require_same_order(x, sample_weight, "sample_weight")
    inputs = as_inputs(x)
    targets, flat, bounds = _targets(y, len(inputs), support, censored)
    weights = as_weights(sample_weight, len(inputs))
    used = weights > 0
    rows = Rows(inputs, targets, weights, bounds, codes_of(groups, x, len(inputs))).chosen(used)
    return rows, used, flat


def _targets(y: Any, count: int, support: Any, censored: bool) -> tuple[Tensor, bool, Tensor | None]:
    """Targets ``(N, D)`` of any kind, whether they were given as ``(N,)``, and their bounds where some have.

    Raises:
        ShapeError: if they are not as many as rows, or several targets are to be censored.
    """
    if not isinstance(y, Censored):
        targets, flat = as_targets(y, count)
        if censored and targets.shape[1] > 1:
            raise ShapeError(
                f"one target alone can be censored, y has {targets.shape[1]}; fit them one by one."
            )
        return targets, flat, targets.expand(-1, 2) if censored else None
    if len(y) != count:
        raise ShapeError(f"expected a censored target for each of the {count} rows of x, got {len(y)}.")
    places, bounds = bounded(y, support)
    return places, True, bounds


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


def _given(x: Tensor, y: Any, scaling: Scaling, support: Any, censored: bool) -> Rows:
    """Rows that the user holds out, ``(N, ...)`` as they are and targets of any kind."""
    if not len(x):
        raise ShapeError("validation_data has no rows; leave it out to hold out a share of x.")
    if censored:
        targets, _, bounds = _targets(y, len(x), support, censored)
    else:
        targets, bounds = scaling.targets(y, len(x)), None
    rows = Rows(x, targets, as_weights(None, len(x)), bounds)
    if scaling.support is not None:
        require_inside(scaling.support.columns, targets[rows.known], scaling.flat, rows.known.nonzero()[:, 0])
    return rows


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
            stacklevel=5,
        )
    return wrong
