"""What a density in closed form offers, whichever head predicts it: the methods of a grid density."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ebm.checks import checks_values, require_count, require_last_dim
from ebm.exceptions import DomainError, ShapeError

__all__ = ["ParametricDensity", "exponential_like", "normal_like", "per_item_values", "require_probability"]


class ParametricDensity(ABC):
    """p(y|x) of B inputs over D target coordinates; log-densities in nats, values in the unit of y.

    Attributes:
        batch: B.
        target_dim: D.
    """

    batch: int
    target_dim: int

    def log_prob(self, y: Tensor) -> Tensor:
        """Log-density of targets, nats.

        Args:
            y: ``(B, D)``, or ``(B, M, D)``.

        Returns:
            ``(B,)``, or ``(B, M)``.

        Raises:
            ShapeError: if the shape does not fit.
        """
        shape = f"(B={self.batch}, [M,] D={self.target_dim})"
        require_last_dim("y", y, self.target_dim, shape, rank=3 if y.ndim == 3 else 2)
        if y.shape[0] != self.batch:
            raise ShapeError(f"expected y of shape {shape}, got {tuple(y.shape)}.")
        return self._log_prob(y) if y.ndim == 3 else self._log_prob(y[:, None])[:, 0]

    @abstractmethod
    def mean(self) -> Tensor:
        """Expected value, ``(B, D)``."""

    @abstractmethod
    def variance(self) -> Tensor:
        """Variance per coordinate, ``(B, D)``."""

    @abstractmethod
    def mode(self) -> Tensor:
        """Where the density is largest (for a mixture: the mean of the heaviest component), ``(B, D)``."""

    def std(self) -> Tensor:
        """Standard deviation per coordinate, ``(B, D)``."""
        return self.variance().sqrt()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` draws per input, ``(B, n, D)``, without gradient.

        Raises:
            DomainError: if `n` is not a positive integer.
        """
        with torch.no_grad():
            return self._sample(require_count("n", n), generator)

    def cdf(self, t: float | Tensor, dim: int = 0) -> Tensor:
        """P(y_dim <= t).

        Args:
            t: one number, one per input ``(B,)``, or several per input ``(B, M)``.
            dim: coordinate of the target.

        Returns:
            ``(B,)``, or ``(B, M)``.

        Raises:
            ShapeError: if `t` has another shape or there is no such coordinate.
            DomainError: if this density has no closed cumulative distribution.
        """
        self._require_coordinate(dim)
        values = per_item_values("t", t, self.mean()[:, 0])
        result = self._cdf(values, dim)
        return result if isinstance(t, Tensor) and t.ndim == 2 else result[:, 0]

    def quantile(self, p: float | Tensor, dim: int = 0) -> Tensor:
        """The value that y_dim stays below with probability p.

        Args:
            p: in (0, 1); one number, one per input ``(B,)``, or several per input ``(B, M)``.
            dim: coordinate of the target.

        Returns:
            ``(B,)``, or ``(B, M)``.

        Raises:
            ShapeError: if `p` has another shape or there is no such coordinate.
            DomainError: if `p` is outside (0, 1), or this density has no closed cumulative distribution.
        """
        self._require_coordinate(dim)
        values = per_item_values("p", p, self.mean()[:, 0])
        require_probability("p", values)
        result = self._quantile(values, dim)
        return result if isinstance(p, Tensor) and p.ndim == 2 else result[:, 0]

    def credible_interval(self, level: float = 0.95, dim: int = 0) -> Tensor:
        """Equal-tailed interval that holds y_dim with probability `level`, ``(B, 2)``.

        Raises:
            DomainError: if `level` is outside (0, 1).
        """
        require_probability("level", torch.tensor(float(level)))
        tail = 0.5 * (1.0 - level)
        return torch.stack((self.quantile(tail, dim), self.quantile(1.0 - tail, dim)), -1)

    def _require_coordinate(self, dim: int) -> None:
        if not 0 <= dim < self.target_dim:
            raise ShapeError(f"coordinate {dim} of a target with D={self.target_dim}: use 0 <= dim < D.")

    @abstractmethod
    def _log_prob(self, y: Tensor) -> Tensor:
        """``(B, M, D) -> (B, M)``."""

    @abstractmethod
    def _sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        """``(B, n, D)``."""

    @abstractmethod
    def _cdf(self, t: Tensor, dim: int) -> Tensor:
        """``(B, M) -> (B, M)``."""

    @abstractmethod
    def _quantile(self, p: Tensor, dim: int) -> Tensor:
        """``(B, M) -> (B, M)``."""


def per_item_values(name: str, value: float | Tensor, like: Tensor) -> Tensor:
    """One number, ``(B,)`` or ``(B, M)``, as ``(B, M)`` on the device and in the dtype of `like` ``(B,)``.

    Raises:
        ShapeError: for another shape.
    """
    tensor = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    if tensor.ndim == 0:
        return tensor.expand(like.shape[0], 1)
    if tensor.ndim > 2 or tensor.shape[0] != like.shape[0]:
        batch = like.shape[0]
        raise ShapeError(
            f"expected {name} to be a number, (B={batch},) or (B={batch}, M), got {tuple(tensor.shape)}."
        )
    return tensor if tensor.ndim == 2 else tensor[:, None]


def require_probability(name: str, p: Tensor) -> None:
    """Raise unless every entry of `p` lies inside (0, 1); looked at on CPU tensors.

    Raises:
        DomainError: (a ValueError) otherwise, also for NaN.
    """
    if checks_values(p, None) and not bool(((p > 0) & (p < 1)).all()):
        wrong = p[~((p > 0) & (p < 1))][0].item()
        raise DomainError(f"{name} must lie inside (0, 1), got {wrong!r}.")


def normal_like(tensor: Tensor, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Standard normal draws of the given shape, on the device and in the dtype of `tensor`."""
    return torch.randn(shape, generator=generator, device=tensor.device, dtype=tensor.dtype)


def exponential_like(tensor: Tensor, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Draws of the exponential density of rate 1, on the device and in the dtype of `tensor`."""
    return torch.empty(shape, device=tensor.device, dtype=tensor.dtype).exponential_(generator=generator)
