"""Are densities honest? Coverage, reliability, probability integral transform and CRPS against labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from ebm.crps import circular_crps_from_cells, crps_from_cells, crps_from_gaussian, crps_from_samples
from ebm.density.base import Density, Labels, require_dim, require_level
from ebm.density.circular import CircularDensity
from ebm.density.grid import GridDensity
from ebm.density.importance import ImportanceDensity
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.numbers import number_tensor

__all__ = [
    "Densities",
    "Distribution",
    "Region",
    "Reliability",
    "coverage",
    "crps",
    "crps_from_cells",
    "crps_from_gaussian",
    "crps_from_samples",
    "expected_calibration_error",
    "pit",
    "ranks",
    "reliability",
    "reliability_of_ranks",
]


@runtime_checkable
class Distribution(Protocol):
    """What is needed of a density: those of `ebm.density` have it, and those of `ebm.baselines`.

    Attributes:
        batch_size: B.
        target_dim: D.
    """

    batch_size: int
    target_dim: int

    def cdf(self, t: Tensor, dim: int = 0) -> Tensor:
        """Probability that coordinate `dim` is at most `t` ``(B,)``, ``(B,)``."""


Densities = Distribution | Sequence[Distribution]
Region = Literal["highest-density", "equal-tailed"]


@dataclass(frozen=True)
class Reliability:
    """Nominal against observed coverage.

    Attributes:
        levels: nominal, in (0, 1), ``(L,)``.
        observed: share of the labels inside the regions, ``(L,)``; NaN without labels.
        count: number of labels.
    """

    levels: Tensor
    observed: Tensor
    count: int

    @property
    def expected_calibration_error(self) -> Tensor:
        """Mean of ``|observed - nominal|`` over the levels, ``()``."""
        return (self.observed - self.levels).abs().mean()

    @property
    def standard_error(self) -> Tensor:
        """Standard error of `observed` if the densities were honest, ``(L,)``."""
        return (self.levels * (1 - self.levels) / max(self.count, 1)).sqrt()


def pit(densities: Densities, y: Labels, dim: int = 0) -> Tensor:
    """Probability integral transform, F(y): uniform in [0, 1] where the densities are honest.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``, a tensor or an array of NumPy.
        dim: coordinate.

    Returns:
        ``(B,)``.

    Raises:
        ShapeError: if there are not as many labels as items.
        DomainError: (a ValueError) if there is no such coordinate.
    """
    return torch.cat([density.cdf(part[:, dim], dim) for density, part in paired(densities, y, dim)])


def ranks(densities: Densities, y: Labels, *, region: Region = "highest-density", dim: int = 0) -> Tensor:
    """The smallest level whose credible region contains each label; uniform where densities are honest.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``, a tensor or an array of NumPy.
        region: ``"highest-density"`` sets, or ``"equal-tailed"`` intervals of one coordinate.
        dim: that coordinate; only for intervals.

    Returns:
        ``(B,)``.

    Raises:
        ShapeError: if there are not as many labels as items.
        TypeError: for highest-density sets of a density in closed form; put it on a grid.
        UnknownNameError: (a ValueError) for another region.
    """
    if region not in ("highest-density", "equal-tailed"):
        raise unknown_name("region", str(region), ("highest-density", "equal-tailed"))
    if region == "equal-tailed":
        return (2 * pit(densities, y, dim) - 1).abs()
    return torch.cat(
        [_weighted(density).highest_density_rank(part) for density, part in paired(densities, y)]
    )


def coverage(
    densities: Densities,
    y: Labels,
    levels: Sequence[float] | Tensor,
    *,
    region: Region = "highest-density",
    dim: int = 0,
) -> Tensor:
    """Share of the labels inside their credible regions.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``, a tensor or an array of NumPy.
        levels: L nominal levels in (0, 1).
        region: see `ranks`.
        dim: see `ranks`.

    Returns:
        ``(L,)``, to compare with `levels`; NaN for B = 0.

    Raises:
        ShapeError: if there are not as many labels as items.
        DomainError: (a ValueError) if a level is not in (0, 1).
    """
    return reliability_of_ranks(ranks(densities, y, region=region, dim=dim), levels).observed


def reliability(
    densities: Densities,
    y: Labels,
    *,
    levels: Sequence[float] | Tensor | None = None,
    region: Region = "highest-density",
    dim: int = 0,
) -> Reliability:
    """Data of a reliability diagram; arguments as in `coverage`, by default the levels 0.05, 0.1 ... 0.95."""
    return reliability_of_ranks(ranks(densities, y, region=region, dim=dim), levels)


def reliability_of_ranks(rank: Tensor, levels: Sequence[float] | Tensor | None = None) -> Reliability:
    """Data of a reliability diagram from ranks, of whatever predicts regions.

    Args:
        rank: the smallest level whose region contains each label, ``(B,)``; ``|2 F(y) - 1|`` for the equal-
            tailed intervals of a distribution function F.
        levels: L nominal levels in (0, 1); None is 0.05, 0.1 ... 0.95.

    Raises:
        ShapeError: if the ranks are not ``(B,)``.
        DomainError: (a ValueError) if a level is not in (0, 1), or there is none.
    """
    if rank.ndim != 1:
        raise ShapeError(f"expected ranks of shape (B,), got {tuple(rank.shape)}.")
    wanted = [k / 20 for k in range(1, 20)] if levels is None else [float(level) for level in levels]
    if not wanted:
        raise DomainError("levels must hold at least one number in (0, 1).")
    nominal = torch.tensor(
        [require_level(level) for level in wanted], dtype=torch.float64, device=rank.device
    )
    inside = rank.double()[:, None] < nominal
    return Reliability(nominal, inside.double().mean(0), len(rank))


def expected_calibration_error(
    densities: Densities,
    y: Labels,
    *,
    levels: Sequence[float] | Tensor | None = None,
    region: Region = "highest-density",
    dim: int = 0,
) -> Tensor:
    """Mean of ``|observed - nominal|`` coverage over the levels, ``()``; arguments as in `reliability`."""
    return reliability(densities, y, levels=levels, region=region, dim=dim).expected_calibration_error


def crps(densities: Densities, y: Labels, dim: int = 0) -> Tensor:
    """Continuous ranked probability score of one coordinate, in its unit; lower is better.

    On a grid exact for the distribution function that is linear within cells, for weighted samples exact for
    their step function.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``, a tensor or an array of NumPy.
        dim: coordinate.

    Returns:
        ``(B,)``.

    Raises:
        ShapeError: if there are not as many labels as items.
        TypeError: for a density in closed form; put it on a grid.

    Source: Gneiting and Raftery, JASA 2007, section 4.2.
    """
    return torch.cat([_crps_of(density, part[:, dim], dim) for density, part in paired(densities, y, dim)])


def _crps_of(density: Distribution, y: Tensor, dim: int) -> Tensor:
    weighted = _weighted(density)
    result = _exact_crps(weighted, y.double(), dim)
    return result.to(weighted.log_partition().dtype)


def _exact_crps(density: Density, y: Tensor, dim: int) -> Tensor:
    if isinstance(density, GridDensity):
        edges, below = density.cumulative(dim)
        if isinstance(density, CircularDensity):
            return circular_crps_from_cells(edges, below, y, density.circle.period)
        return crps_from_cells(edges, below, y)
    if isinstance(density, ImportanceDensity):
        return crps_from_samples(density.samples[..., dim].double(), y, density.log_weights.double().exp())
    raise TypeError(f"expected a GridDensity or ImportanceDensity, got {type(density).__name__}.")


def _weighted(density: Distribution) -> Density:
    if isinstance(density, Density):
        return density
    raise TypeError(
        f"expected a GridDensity or ImportanceDensity, got {type(density).__name__}; make it one with "
        "GridDensity(density.log_prob, grid, batch_size=density.batch_size)."
    )


def require_distribution(density: Any) -> None:
    """Raise a TypeError for what is no density.

    Raises:
        TypeError: if it lacks what `Distribution` names.
    """
    if not isinstance(density, Distribution):
        raise TypeError(
            f"expected a density, got {type(density).__name__}; a fitted model has fitted.density(x), an "
            "EBMRegressor model.predict_density(x)."
        )


def paired(densities: Densities, y: Labels, dim: int = 0) -> list[tuple[Distribution, Tensor]]:
    """Every density with its labels.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B, D)``; what is no tensor becomes like the density.
        dim: a coordinate that must exist.

    Raises:
        ShapeError: if there are not as many labels as items.
        DomainError: (a ValueError) if there is no such coordinate.
        TypeError: if one is no density.
    """
    parts = list(densities) if isinstance(densities, Sequence) else [densities]
    labels = y if isinstance(y, Tensor) else number_tensor("y", y, torch.float64)
    if not parts:
        raise ShapeError("expected at least one density, got none.")
    for part in parts:
        require_distribution(part)
    sizes = [density.batch_size for density in parts]
    count = parts[0].target_dim
    if any(density.target_dim != count for density in parts) or labels.shape != (sum(sizes), count):
        raise ShapeError(f"expected y of shape (B={sum(sizes)}, D={count}), got {tuple(labels.shape)}.")
    require_dim(dim, count)
    chosen = labels is y  # the dtype and device of a tensor are the caller's; those of an array mean nothing
    split = zip(parts, labels.split(sizes))
    return [
        (density, part if chosen or not isinstance(density, Density) else part.to(density.log_partition()))
        for density, part in split
    ]
