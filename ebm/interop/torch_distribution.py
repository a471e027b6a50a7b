"""A density as a `torch.distributions.Distribution`."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ebm.baselines.densities import ParametricDensity
from ebm.density.base import Density
from ebm.density.circular import CircularDensity
from ebm.density.grid import GridDensity
from ebm.density.interpolation import InterpolatedScore
from ebm.density.truncation import BoundedScore
from ebm.exceptions import DomainError

__all__ = ["DensityDistribution", "to_distribution"]


def to_distribution(
    density: Density | ParametricDensity, *, validate_args: bool | None = None
) -> "DensityDistribution":
    """A density of B items as a distribution of torch.

    Args:
        density: of a model or a fit, ``fitted.density(x)`` say, or of a baseline's head.
        validate_args: check values against the support, as torch does unless Python runs with ``-O``.

    Returns:
        ``batch_shape`` is ``(B,)``; ``event_shape`` is ``()`` for one target, else ``(D,)``.

    Raises:
        TypeError: if `density` is something else.
    """
    if not isinstance(density, Density | ParametricDensity):
        raise TypeError(
            f"to_distribution takes a density, such as fitted.density(x), got {type(density).__name__}."
        )
    return DensityDistribution(density, validate_args=validate_args)


class DensityDistribution(Distribution):
    """What `to_distribution` returns; every answer is that of the density itself.

    So on a grid the distribution function is linear within a cell and `icdf` is its inverse, whereas
    `log_prob` scores the value given; on weighted samples both are steps, and draws are these samples.
    Nothing carries a gradient: scores were taken once. `expand` copies nothing.

    Args:
        density: see `to_distribution`.
        validate_args: see `to_distribution`.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}

    def __init__(self, density: Density | ParametricDensity, *, validate_args: bool | None = None) -> None:
        self.density = density
        event = torch.Size() if density.target_dim == 1 else torch.Size([density.target_dim])
        super().__init__(torch.Size([density.batch_size]), event, validate_args)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> constraints.Constraint:
        """The grid, where nothing lies outside of it; else all real numbers."""
        single = not self.event_shape
        ends = _ends(self.density)
        if ends is None:
            return constraints.real if single else constraints.real_vector
        low, high = (self._placed(end) for end in ends)
        inside = constraints.interval(low, high)
        return inside if single else constraints.independent(inside, 1)

    @property
    def mean(self) -> Tensor:
        """``batch_shape + event_shape``, as `variance` and `mode`."""
        return self._placed(self.density.mean())

    @property
    def variance(self) -> Tensor:
        """Per target."""
        return self._placed(self.density.variance())

    @property
    def mode(self) -> Tensor:
        """The best of the places that the density holds."""
        return self._placed(self.density.mode())

    @property
    def covariance_matrix(self) -> Tensor:
        """``batch_shape + (D, D)``.

        Raises:
            NotImplementedError: for a baseline's density.
        """
        if not isinstance(self.density, Density):
            raise NotImplementedError(  # torch's own word for what a distribution lacks
                f"{type(self.density).__name__} has no covariance; put it on a grid, "
                "GridDensity(density.log_prob, grid, batch_size=density.batch_size)."
            )
        return self.density.covariance().expand(*self.batch_shape, -1, -1)

    def entropy(self) -> Tensor:
        """Nats, ``batch_shape``.

        Raises:
            NotImplementedError: for a baseline's density.
        """
        if not isinstance(self.density, Density):
            raise NotImplementedError(
                f"{type(self.density).__name__} has no entropy in closed form; put it on a grid, "
                "GridDensity(density.log_prob, grid, batch_size=density.batch_size)."
            )
        return self.density.entropy().expand(self.batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, for values that fit ``batch_shape + event_shape`` as torch broadcasts.

        Raises:
            ValueError: if arguments are validated and a value is outside the support.
        """
        if self._validate_args:
            self._validate_sample(value)
        full = torch.broadcast_shapes(value.shape, self.batch_shape + self.event_shape)
        places = value.expand(full) if self.event_shape else value.expand(full)[..., None]
        return self._from_rows(self.density.log_prob(self._to_rows(places)), places.shape[:-1])

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of at most `value`; for one target.

        Raises:
            NotImplementedError: for several targets: ``density.cdf(t, dim)`` has their margins.
            ValueError: if arguments are validated and a value is outside the support.
        """
        self._require_single("cdf")
        if self._validate_args:
            self._validate_sample(value)
        return self._per_value(self.density.cdf, value)

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`; for one target.

        Raises:
            NotImplementedError: for several targets.
            DomainError: (a ValueError) for a probability outside [0, 1].
        """
        self._require_single("icdf")
        return self._per_value(self.density.quantile, value)

    def sample(
        self,
        sample_shape: torch.Size | list[int] | tuple[int, ...] = (),
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draws ``sample_shape + batch_shape + event_shape``; without a generator by torch's global one."""
        full = torch.Size(sample_shape) + self.batch_shape
        count, batch = math.prod(full), self.density.batch_size
        if count == 0:
            return self.mean.new_empty(full + self.event_shape)
        drawn = self.density.sample(count // batch, generator)
        drawn = drawn if self.event_shape else drawn[..., 0]
        return self._from_rows(drawn, full)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "DensityDistribution":
        """The same distribution with a larger ``batch_shape``, see torch.

        Raises:
            DomainError: (a ValueError) if this batch shape cannot be broadcast to it.
        """
        shape = torch.Size(batch_shape)
        try:
            fits = torch.broadcast_shapes(self.batch_shape, shape) == shape
        except RuntimeError:
            fits = False
        if not fits:
            raise DomainError(f"batch_shape {tuple(self.batch_shape)} cannot be expanded to {tuple(shape)}.")
        new = self._get_checked_instance(DensityDistribution, _instance)
        new.density = self.density
        super(DensityDistribution, new).__init__(shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _require_single(self, name: str) -> None:
        if isinstance(self.density, CircularDensity):
            raise NotImplementedError(
                f"{name} depends on where a circle begins, which torch does not say; distribution.density."
                f"{'cdf' if name == 'cdf' else 'quantile'} begins opposite each item's mean direction."
            )
        if self.event_shape:
            raise NotImplementedError(
                f"{name} is for one target, and there are {self.density.target_dim}; "
                f"distribution.density.{'cdf' if name == 'cdf' else 'quantile'} takes a coordinate."
            )

    def _per_value(self, ask: Any, value: Tensor) -> Tensor:
        value = torch.as_tensor(value)
        full = torch.broadcast_shapes(value.shape, self.batch_shape)
        rows = self._to_rows(value.expand(full)[..., None])[..., 0]
        return self._from_rows(ask(rows), full)

    # The last batch dimension is that of the density, or a density of one item stands for all of the batch.

    def _to_rows(self, value: Tensor) -> Tensor:
        """Values ``(..., batch, n)`` by item of the density, ``(B, M, n)``."""
        batch, last = self.density.batch_size, value.shape[-1]
        if batch == 1:
            return value.reshape(1, -1, last)
        return value.reshape(math.prod(value.shape[:-2]), batch, last).transpose(0, 1)

    def _from_rows(self, result: Tensor, full: torch.Size) -> Tensor:
        """Results ``(B, M, ...)`` in the shape `full` of the values asked for, ``full + (...)``."""
        return result.transpose(0, 1).reshape(full + result.shape[2:])

    def _placed(self, rows: Tensor) -> Tensor:
        """One row per item ``(B, D)`` as ``batch_shape + event_shape``."""
        return (rows if self.event_shape else rows[:, 0]).expand(self.batch_shape + self.event_shape)


def _ends(density: Density | ParametricDensity) -> tuple[Tensor, Tensor] | None:
    """Where the grid begins and ends, ``(B, D)`` each, if the density is 0 outside; None if it is not.

    Of angles the period that answers lie in.
    """
    if isinstance(density, CircularDensity):
        low = density.axes[0].points.new_full((density.batch_size, 1), density.circle.low)
        return low, low + density.circle.period
    if not isinstance(density, GridDensity) or not isinstance(
        density.score_fn, BoundedScore | InterpolatedScore
    ):
        return None
    low, high = (
        torch.stack([axis.points[:, end].expand(density.batch_size) for axis in density.axes], -1)
        for end in (0, -1)
    )
    return low, high
