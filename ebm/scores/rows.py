"""Scores of densities against labels, one per row; less is better.

A density is one of `ebm.density`, of `ebm.baselines`, a `Marginal`, or anything with their methods; several
stand for their items one after the other, so that long tables need not be held at once.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ebm.calibration import Densities, Distribution, paired, require_distribution
from ebm.crps import circular_crps_from_cells
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.base import Labels, Levels, require_level
from ebm.density.circular import CircularDensity
from ebm.exceptions import DomainError, ShapeError
from ebm.numbers import number_tensor
from ebm.scores.arrays import (
    energy_score_from_samples,
    pinball_from_quantiles,
    require_thresholds,
    threshold_crps_from_cells,
    threshold_crps_from_samples,
    winkler_from_ends,
)
from ebm.scores.circles import circle_of, require_line, uncircular
from ebm.scores.clouds import MOST_POINTS, Cloud, cloud_of
from ebm.scores.marginal import Marginal

__all__ = [
    "crps",
    "density_list",
    "energy_score",
    "log_score",
    "pinball_loss",
    "sharpness",
    "threshold_crps",
    "width",
    "winkler_score",
]


def log_score(densities: Densities, y: Labels) -> Tensor:
    """Negative log-density of the labels, nats, ``(B,)``; infinite where a density is 0.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``.

    Raises:
        ShapeError: if there are not as many labels as items.
        TypeError: if a density has no `log_prob`.
    """
    return torch.cat([-_ask(part, "log_prob")(label).double() for part, label in paired(densities, y)])


def crps(densities: Densities, y: Labels, dim: int = 0) -> Tensor:
    """Continuous ranked probability score of one coordinate, in its unit.

    Exact on grids, on weighted samples and for a `Marginal`; of other densities by 1000 quantiles. Of angles
    it is that of the circle, see `ebm.crps.circular_crps_from_cells`.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``.
        dim: coordinate.

    Returns:
        ``(B,)`` float64.

    Raises:
        ShapeError: if there are not as many labels as items.
        DomainError: (a ValueError) if there is no such coordinate.
        TypeError: if a density has no quantiles.

    Source: Gneiting and Raftery, JASA 2007, section 4.2.
    """
    return threshold_crps(densities, y, dim=dim)


def threshold_crps(
    densities: Densities, y: Labels, low: float = -math.inf, high: float = math.inf, dim: int = 0
) -> Tensor:
    """CRPS that counts what lies between two thresholds only, for instance the extremes above `low`.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``.
        low: where it begins to count, in the unit of y.
        high: where it ends.
        dim: coordinate.

    Returns:
        ``(B,)`` float64, in the unit of y.

    Raises:
        ShapeError: if there are not as many labels as items.
        DomainError: (a ValueError) if `low` is not below `high`, there is no such coordinate, or targets are
            angles.
        TypeError: if a density has no quantiles.

    Source: Gneiting and Ranjan, JBES 2011.
    """
    ends = require_thresholds(low, high)
    parts = [_crps_between(part, label, ends, dim) for part, label in paired(densities, y, dim)]
    return torch.cat(parts)


def pinball_loss(densities: Densities, y: Labels, levels: Levels = 0.5, dim: int = 0) -> Tensor:
    """Pinball loss of quantiles of one coordinate, in its unit.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``.
        levels: a probability in [0, 1], or P of them.
        dim: coordinate.

    Returns:
        ``(B,)``, or ``(B, P)``, float64.

    Raises:
        ShapeError: if there are not as many labels as items.
        DomainError: (a ValueError) if a level or the coordinate does not exist, or targets are angles.
        TypeError: if a density has no quantiles.
    """
    require_line(density_list(densities), "a pinball loss")
    given = number_tensor("levels", levels, torch.float64)
    row = given.reshape(-1)
    parts = [
        pinball_from_quantiles(_ask(part, "quantile")(row.tolist(), dim), row, label[:, dim])
        for part, label in paired(densities, y, dim)
    ]
    result = torch.cat(parts)
    return result[:, 0] if given.ndim == 0 else result


def winkler_score(densities: Densities, y: Labels, level: float = 0.9, dim: int = 0) -> Tensor:
    """Winkler's interval score of the equal-tailed interval of one coordinate, in its unit, ``(B,)`` float64.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``.
        level: in (0, 1).
        dim: coordinate.

    Raises:
        ShapeError: if there are not as many labels as items.
        DomainError: (a ValueError) if the level or the coordinate does not exist, or targets are angles.
        TypeError: if a density has no quantiles.
    """
    require_line(density_list(densities), "Winkler's score")
    return torch.cat(
        [
            winkler_from_ends(*_ends(part, level, dim), label[:, dim], level)
            for part, label in paired(densities, y, dim)
        ]
    )


def width(densities: Densities, level: float = 0.9, dim: int = 0) -> Tensor:
    """Width of the equal-tailed interval of one coordinate, in its unit, ``(B,)`` float64.

    Args:
        densities: one density, or several.
        level: in (0, 1).
        dim: coordinate.

    Raises:
        DomainError: (a ValueError) if the level or the coordinate does not exist.
        TypeError: if a density has no quantiles.
    """
    pairs = [_ends(part, level, dim) for part in density_list(densities)]
    return torch.cat([high - low for low, high in pairs])


def sharpness(densities: Densities, dim: int = 0) -> Tensor:
    """Standard deviation of the predicted distribution of one coordinate, in its unit, ``(B,)`` float64.

    Among honest predictions the sharper is the better; of a dishonest one it says nothing.

    Args:
        densities: one density, or several.
        dim: coordinate.

    Raises:
        TypeError: if a density has no standard deviation.

    Source: Gneiting, Balabdaoui and Raftery, JRSS B 2007.
    """
    return torch.cat([_ask(part, "std")()[:, dim].double() for part in density_list(densities)])


def energy_score(densities: Densities, y: Labels, *, scale: Any = None, points: int = MOST_POINTS) -> Tensor:
    """Energy score of all coordinates together, ``E|X - y| - E|X - X'| / 2``.

    For D = 1 it is the CRPS. A density of more stands in by at most `points` of its places, see `Cloud`; all
    of them cost the square of their number.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``.
        scale: what the coordinates are divided by, ``(D,)``, for example the standard deviations of the
            training targets; None leaves them in their units, so that the largest numbers decide.
        points: most points of a density.

    Returns:
        ``(B,)`` float64.

    Raises:
        ShapeError: if there are not as many labels as items, or scales as coordinates.
        DomainError: (a ValueError) if a scale is not positive.
        TypeError: if a density can be neither asked for quantiles nor drawn from.

    Source: Gneiting and Raftery, JASA 2007, section 4.3.
    """
    pairs = paired(densities, y)
    dim = pairs[0][0].target_dim
    unit = (
        torch.ones(dim, dtype=torch.float64)
        if scale is None
        else number_tensor("scale", scale, torch.float64)
    )
    if unit.shape != (dim,):
        raise ShapeError(f"expected scale of shape (D={dim},), got {tuple(unit.shape)}.")
    if not bool(((unit > 0) & unit.isfinite()).all()):
        raise DomainError(f"scale must be finite and > 0, got {unit.tolist()}.")
    return torch.cat([_energy_of(part, label.double(), unit, points) for part, label in pairs])


def _energy_of(density: Distribution, y: Tensor, scale: Tensor, points: int) -> Tensor:
    scale = scale.to(y.device)
    if density.target_dim == 1:
        return _crps_between(density, y, (-math.inf, math.inf), 0) / scale
    if isinstance(density, Marginal):
        return density.energy_score(y, scale)
    cloud = cloud_of(density, points)
    return energy_score_from_samples(cloud.points / scale, y / scale, cloud.weights)


def _crps_between(density: Distribution, y: Tensor, ends: tuple[float, float], dim: int) -> Tensor:
    """CRPS between two thresholds, ``(B, D) -> (B,)``."""
    low, high = ends
    if circle_of(density) is not None and (low, high) != (-math.inf, math.inf):
        raise uncircular("a threshold-weighted CRPS")
    if isinstance(density, Marginal):
        return density.crps(y, dim, low, high)
    if isinstance(density, CircularDensity):
        return circular_crps_from_cells(*density.cumulative(dim), y[:, dim].double(), density.circle.period)
    if isinstance(density, GridDensity):
        return threshold_crps_from_cells(*density.cumulative(dim), y[:, dim], low, high)
    if isinstance(density, ImportanceDensity):
        weights = density.log_weights.double().exp()
        return threshold_crps_from_samples(density.samples[..., dim], y[:, dim], low, high, weights)
    if isinstance(density, Cloud):
        return threshold_crps_from_samples(density.points[..., dim], y[:, dim], low, high, density.weights)
    steps = ((torch.arange(MOST_POINTS, dtype=torch.float64) + 0.5) / MOST_POINTS).tolist()
    return threshold_crps_from_samples(_ask(density, "quantile")(steps, dim), y[:, dim], low, high)


def _ends(density: Distribution, level: float, dim: int) -> tuple[Tensor, Tensor]:
    """The equal-tailed interval, twice ``(B,)`` float64."""
    tail = 0.5 * (1 - require_level(level))
    name = "quantile" if circle_of(density) is None else "unrolled_quantile"
    low, high = _ask(density, name)((tail, 1 - tail), dim).double().unbind(-1)
    return low, high


def density_list(densities: Densities) -> list[Distribution]:
    """One density or several as a list.

    Raises:
        ShapeError: for none.
        TypeError: if one is no density.
    """
    parts = list(densities) if isinstance(densities, Sequence) else [densities]
    if not parts:
        raise ShapeError("expected at least one density, got none.")
    for part in parts:
        require_distribution(part)
    return parts


def _ask(density: Distribution, name: str) -> Any:
    """A method that the density has beyond those that every one needs."""
    method = getattr(density, name, None)
    if method is None:
        raise TypeError(f"{type(density).__name__} has no {name}, which this score is computed from.")
    return method
