"""What a density in closed form offers, whichever head predicts it; names are those of a grid density.

``GridDensity(density.log_prob, grid, batch_size=density.batch_size)`` turns one into a density on a grid, for
credible sets, CRPS and everything else that works on grids.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ebm.checks import checks_values, require_count, require_last_dim
from ebm.density.base import Labels, Levels, require_dim, require_level
from ebm.exceptions import DomainError, ShapeError
from ebm.numbers import labels_like, number_tensor

__all__ = ["ParametricDensity", "exponential_like", "normal_like", "per_item_values", "probabilities"]


class ParametricDensity(ABC):
    """p(y|x) of B inputs over D target coordinates; log-densities in nats, values in the unit of y.

    Attributes:
        batch_size: B.
        target_dim: D.
    """

    batch_size: int
    target_dim: int

    def log_prob(self, y: Labels) -> Tensor:
        """Log-density of targets, nats.

        Args:
            y: ``(B, D)``, or ``(B, M, D)``.

        Returns:
            ``(B,)``, or ``(B, M)``.

        Raises:
            ShapeError: if the shape does not fit.
        """
        if not isinstance(y, Tensor):  # the steps of a training need no mean
            y = labels_like("y", y, self.mean())
        shape = f"(B={self.batch_size}, [M,] D={self.target_dim})"
        require_last_dim("y", y, self.target_dim, shape, rank=3 if y.ndim == 3 else 2)
        if y.shape[0] != self.batch_size:
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
            ShapeError: if `t` has another shape.
            DomainError: if there is no such coordinate, or this density has no closed cumulative
                distribution.
        """
        require_dim(dim, self.target_dim)
        values, single = per_item_values("t", t, self.mean()[:, 0])
        result = self._cdf(values, dim)
        return result[:, 0] if single else result

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """The value that y_dim stays below with probability p.

        Args:
            p: a probability in [0, 1], P of them, or P per input ``(B, P)``; 0 and 1 may give infinity.
            dim: coordinate of the target.

        Returns:
            ``(B,)``, or ``(B, P)``.

        Raises:
            ShapeError: if `p` has another shape.
            DomainError: if a probability is outside [0, 1], there is no such coordinate, or this density has
                no closed cumulative distribution.
        """
        require_dim(dim, self.target_dim)
        row, single = probabilities(p, self.mean()[:, 0])
        result = self._quantile(row, dim)
        return result[:, 0] if single else result

    def credible_interval(self, level: float = 0.95, dim: int = 0) -> Tensor:
        """Equal-tailed interval that holds y_dim with probability `level`, ``(B, 2)``.

        Raises:
            DomainError: if `level` is outside (0, 1).
        """
        tail = 0.5 * (1.0 - require_level(level))
        return self.quantile((tail, 1.0 - tail), dim)

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


def per_item_values(name: str, value: float | Tensor, like: Tensor) -> tuple[Tensor, bool]:
    """One number, ``(B,)`` or ``(B, M)``, as ``(B, M)`` like `like` ``(B,)``, and whether there is one each.

    Raises:
        ShapeError: for another shape.
    """
    tensor = number_tensor(name, value, like.dtype, like.device)
    if tensor.ndim == 0:
        return tensor.expand(like.shape[0], 1), True
    if tensor.ndim > 2 or tensor.shape[0] != like.shape[0]:
        batch = like.shape[0]
        raise ShapeError(
            f"expected {name} to be a number, (B={batch},) or (B={batch}, M), got {tuple(tensor.shape)}."
        )
    return (tensor, False) if tensor.ndim == 2 else (tensor[:, None], True)


def probabilities(p: Levels, like: Tensor) -> tuple[Tensor, bool]:
    """Probabilities for every input ``(B, P)`` in the dtype of `like` ``(B,)``, and whether one was given.

    Raises:
        ShapeError: for another shape.
        DomainError: (a ValueError) for an entry outside [0, 1], or NaN.
    """
    row = number_tensor("p", p, like.dtype, like.device)
    if row.ndim > 2 or (row.ndim == 2 and row.shape[0] != like.shape[0]):
        expected = f"(), (P,) or (B={like.shape[0]}, P)"
        raise ShapeError(f"expected probabilities of shape {expected}, got {tuple(row.shape)}.")
    if checks_values(row, None) and not bool(((row >= 0) & (row <= 1)).all()):
        raise DomainError(f"probabilities must lie in [0, 1], got {p!r}.")
    return (row if row.ndim == 2 else row.reshape(1, -1).expand(like.shape[0], -1)), row.ndim == 0


def normal_like(tensor: Tensor, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Standard normal draws of the given shape, on the device and in the dtype of `tensor`."""
    return torch.randn(shape, generator=generator, device=tensor.device, dtype=tensor.dtype)


def exponential_like(tensor: Tensor, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Draws of the exponential density of rate 1, on the device and in the dtype of `tensor`."""
    return torch.empty(shape, device=tensor.device, dtype=tensor.dtype).exponential_(generator=generator)
