"""Gaussian and Laplace densities: one unit density, moved and stretched."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ebm.baselines.densities import ParametricDensity, exponential_like, normal_like
from ebm.baselines.functional import gaussian_nll, laplace_multivariate_nll, laplace_nll, same_shape
from ebm.exceptions import DomainError, ShapeError

__all__ = ["DiagonalGaussian", "DiagonalLaplace", "EllipticalLaplace", "LocationScale"]


class LocationScale(ParametricDensity):
    """Densities that are one unit density, moved and stretched per coordinate.

    Args:
        location: mean of y, ``(B, D)``.
        log_spread: what the head predicts for the width, as `nll` takes it, ``(B, D)``.

    Attributes:
        nll: the family's negative log-likelihood, see `ebm.baselines.functional`.
        unit_per_spread: a unit of the unit density is ``exp(unit_per_spread * log_spread)`` long.

    Raises:
        ShapeError: if the shapes differ or are not ``(B, D)``.
    """

    nll: ClassVar[Callable[..., Tensor]]
    unit_per_spread: ClassVar[float]

    def __init__(self, location: Tensor, log_spread: Tensor) -> None:
        if location.ndim != 2:
            raise ShapeError(f"expected location of shape (B, D), got {tuple(location.shape)}.")
        self.location, self.log_spread = same_shape(location=location, log_spread=log_spread)
        self.batch_size, self.target_dim = location.shape
        self.unit = (self.unit_per_spread * self.log_spread).exp()

    def mean(self) -> Tensor:
        """Expected value, ``(B, D)``."""
        return self.location

    def mode(self) -> Tensor:
        """Equal to the mean, ``(B, D)``."""
        return self.location

    def variance(self) -> Tensor:
        """Variance per coordinate, ``(B, D)``."""
        return self.unit_variance() * self.unit.square()

    @abstractmethod
    def unit_variance(self) -> float:
        """Variance of a coordinate of the unit density."""

    @abstractmethod
    def unit_sample(self, shape: tuple[int, int, int], generator: torch.Generator | None) -> Tensor:
        """Draws ``(B, n, D)`` of the unit density."""

    @abstractmethod
    def unit_cdf(self, z: Tensor) -> Tensor:
        """Cumulative distribution of a coordinate of the unit density, elementwise."""

    @abstractmethod
    def unit_quantile(self, p: Tensor) -> Tensor:
        """Inverse of `unit_cdf`, elementwise."""

    def _log_prob(self, y: Tensor) -> Tensor:
        location, log_spread = (t[:, None].expand_as(y) for t in (self.location, self.log_spread))
        return -type(self).nll(location, log_spread, y, reduction="none")

    def _sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        unit = self.unit_sample((self.batch_size, n, self.target_dim), generator)
        return self.location[:, None] + self.unit[:, None] * unit

    def _cdf(self, t: Tensor, dim: int) -> Tensor:
        return self.unit_cdf((t - self.location[:, dim, None]) / self.unit[:, dim, None])

    def _quantile(self, p: Tensor, dim: int) -> Tensor:
        return self.location[:, dim, None] + self.unit[:, dim, None] * self.unit_quantile(p)


class DiagonalGaussian(LocationScale):
    """A Gaussian with one variance per coordinate; `log_spread` is log variance."""

    nll = staticmethod(gaussian_nll)
    unit_per_spread = 0.5

    def unit_variance(self) -> float:
        """1."""
        return 1.0

    def unit_sample(self, shape: tuple[int, int, int], generator: torch.Generator | None) -> Tensor:
        """Standard normal draws ``(B, n, D)``."""
        return normal_like(self.location, shape, generator)

    def unit_cdf(self, z: Tensor) -> Tensor:
        """Normal cumulative distribution."""
        return torch.special.ndtr(z)

    def unit_quantile(self, p: Tensor) -> Tensor:
        """Its inverse."""
        return torch.special.ndtri(p)


class DiagonalLaplace(LocationScale):
    """A Laplace density per coordinate; `log_spread` is log b."""

    nll = staticmethod(laplace_nll)
    unit_per_spread = 1.0

    def unit_variance(self) -> float:
        """2."""
        return 2.0

    def unit_sample(self, shape: tuple[int, int, int], generator: torch.Generator | None) -> Tensor:
        """Difference of two exponential draws, ``(B, n, D)``: finite, as an inverted uniform may not be."""
        first, second = (exponential_like(self.location, shape, generator) for _ in range(2))
        return first - second

    def unit_cdf(self, z: Tensor) -> Tensor:
        """Laplace cumulative distribution of scale 1."""
        return 0.5 - 0.5 * z.sign() * torch.expm1(-z.abs())

    def unit_quantile(self, p: Tensor) -> Tensor:
        """Its inverse."""
        # Twice the smaller tail keeps its digits where p is near 0; near 1, p itself has lost them.
        return (p - 0.5).sign() * -torch.log(2 * torch.minimum(p, 1 - p))


class EllipticalLaplace(DiagonalLaplace):
    """The elliptical Laplace density; `log_spread` is log b, b the square of a length.

    A coordinate's cumulative distribution is closed for D = 1 alone: a Laplace of scale 2 sqrt(b).
    """

    nll = staticmethod(laplace_multivariate_nll)
    unit_per_spread = 0.5

    def unit_variance(self) -> float:
        """4 (D + 1): the radius has a Gamma density of shape D and scale 2, the direction is uniform."""
        return 4.0 * (self.target_dim + 1)

    def unit_sample(self, shape: tuple[int, int, int], generator: torch.Generator | None) -> Tensor:
        """Radius times direction, ``(B, n, D)``."""
        radius = 2 * exponential_like(self.location, shape, generator).sum(-1, keepdim=True)
        direction = normal_like(self.location, shape, generator)
        return radius * direction / direction.norm(dim=-1, keepdim=True)

    def unit_cdf(self, z: Tensor) -> Tensor:
        """Laplace cumulative distribution of scale 2."""
        self._require_one_dimension()
        return super().unit_cdf(0.5 * z)

    def unit_quantile(self, p: Tensor) -> Tensor:
        """Its inverse."""
        self._require_one_dimension()
        return 2 * super().unit_quantile(p)

    def _require_one_dimension(self) -> None:
        if self.target_dim != 1:
            raise DomainError(
                "the elliptical Laplace has a closed cumulative distribution for D=1 only, here "
                f"D={self.target_dim}; use sample(), or a grid or importance density of its log_prob."
            )
