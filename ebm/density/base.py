"""What a density on a grid and one on weighted samples have in common: weighted scores."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.checks import (
    float_dtype,
    require_count,
    require_finite,
    require_generator,
    require_last_dim,
    require_same_device,
)
from ebm.density.credible import CredibleSet
from ebm.density.scoring import BatchScore, score_in_chunks
from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.numbers import labels_like, listed, number_tensor, plain, require_number

__all__ = ["Density", "require_dim", "require_level"]

Levels = float | Sequence[float] | Tensor
Labels = Tensor | NDArray[Any]


class Density(ABC):
    """p(y | x) for B items, held as N scored places with normalised weights.

    Everything is computed from scores taken once, at construction; `log_prob` and what needs a rank score the
    given targets in addition.

    Attributes:
        score_fn: ``(B, M, D) -> (B, M)``.
        batch_size: B.
        target_dim: D.
        chunk: most scores asked for in one call.
    """

    def __init__(
        self, score_fn: BatchScore, places: Tensor, scores: Tensor, log_measure: Tensor, chunk: int
    ) -> None:
        target_dim = places.shape[-1]
        self.score_fn = score_fn
        self._like = places.new_empty(0)  # the dtype that the scores are asked for in
        self.batch_size, self.target_dim, self.chunk = scores.shape[0], target_dim, chunk
        self._scores = scores  # f at every place, (B, N)
        # Relative to the highest score: f is known up to a constant, and a large one would cost the digits.
        self._peak = scores.amax(-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).min)
        terms = scores - self._peak + log_measure  # they add up to Z, (B, N)
        self._rest = terms.logsumexp(-1)
        self._log_z = self._peak[:, 0] + self._rest
        if not bool(self._log_z.isfinite().all()):
            item = int((~self._log_z.isfinite()).nonzero()[0])
            raise NumericalError(f"log Z of item {item} is {self._log_z[item].item()}: no density anywhere.")
        self._log_weights = terms - self._rest[:, None]

    @cached_property
    def _weights(self) -> Tensor:
        """Masses that add up to 1, ``(B, N)``."""
        return self._log_weights.exp()

    @cached_property
    def _by_score(self) -> tuple[Tensor, Tensor, Tensor]:
        """Places from the highest score down: scores, cumulative masses (float64) and indices, ``(B, N)``."""
        scores, order = self._scores.sort(dim=-1, descending=True)
        return scores, self._weights.gather(-1, order).double().cumsum(-1), order

    def log_partition(self) -> Tensor:
        """log Z, nats, ``(B,)``."""
        return self._log_z

    def log_prob(self, y: Labels) -> Tensor:
        """Log-density of targets, ``f(y) - log Z``: the targets are scored, nothing is interpolated.

        Args:
            y: ``(B, D)`` or ``(B, M, D)``; an array of NumPy is taken in the dtype of the density.

        Returns:
            Nats, ``(B,)`` or ``(B, M)``.

        Raises:
            ShapeError: if `y` has another shape.
            TypeError: if `y` is on another device, or more precise than what the density was made with.
            DomainError: if `y` is not finite (looked at on the CPU).
        """
        y = labels_like("y", y, self._like)
        scores = self._score(y)
        return (scores - self._peak - self._rest[:, None]).reshape(y.shape[:-1])

    @abstractmethod
    def mean(self) -> Tensor:
        """Mean, ``(B, D)``."""

    @abstractmethod
    def covariance(self) -> Tensor:
        """Covariance matrix, ``(B, D, D)``."""

    @abstractmethod
    def mode(self) -> Tensor:
        """The place with the highest score, ``(B, D)``; `ebm.gradient_ascent` from it gets closer."""

    @abstractmethod
    def cdf(self, t: float | Tensor, dim: int = 0) -> Tensor:
        """Probability that coordinate `dim` is at most `t`.

        Args:
            t: a number, one per item ``(B,)``, or several ``(B, T)``.
            dim: coordinate.

        Returns:
            ``(B,)``, or ``(B, T)``.
        """

    def pit(self, y: Tensor, dim: int = 0) -> Tensor:
        """Probability integral transform of one label per item ``(B,)``: where in its distribution it lies.

        `cdf`, but for distributions of whole numbers, whose steps it halves.
        """
        return self.cdf(y, dim)

    @abstractmethod
    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """Quantiles of coordinate `dim`.

        Args:
            p: a probability in [0, 1], P of them, or P per item ``(B, P)``.
            dim: coordinate.

        Returns:
            ``(B,)``, or ``(B, P)``.
        """

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` draws per item, ``(B, n, D)``; `generator` lives on the device of the density."""

    @abstractmethod
    def effective_sample_size(self) -> Tensor:
        """How many places carry the density, between 1 and N, ``(B,)``."""

    @abstractmethod
    def marginal(self, dims: int | Sequence[int]) -> "Density":
        """Density of some coordinates (at most three), in the order given, on a grid."""

    def variance(self) -> Tensor:
        """Variance per coordinate, ``(B, D)``."""
        return self.covariance().diagonal(dim1=-2, dim2=-1)

    def std(self) -> Tensor:
        """Standard deviation per coordinate, ``(B, D)``."""
        return self.variance().sqrt()

    def entropy(self) -> Tensor:
        """Differential entropy, ``log Z - E[f]``, nats, ``(B,)``."""
        below = self._scores - self._peak
        weighted = torch.where(self._weights > 0, self._weights * below, 0)  # 0 * -inf counts as 0
        return self._rest - weighted.sum(-1)

    def credible_interval(self, level: float = 0.95, dim: int = 0) -> Tensor:
        """Equal-tailed interval of coordinate `dim` that holds `level` of the mass.

        Returns:
            Lower and upper end, ``(B, 2)``.

        Raises:
            DomainError: (a ValueError) if `level` is not in (0, 1).
        """
        tail = 0.5 * (1 - require_level(level))
        return self.quantile((tail, 1 - tail), dim)

    def credible_set(self, level: float = 0.95) -> CredibleSet:
        """The smallest set that holds `level` of the mass: what scores at least a threshold.

        Raises:
            DomainError: (a ValueError) if `level` is not in (0, 1).
        """
        last, mass = self._last_inside(level)
        threshold = self._by_score[0].gather(-1, last)[:, 0]
        return CredibleSet(level=level, mass=mass, threshold=threshold, rank=self.highest_density_rank)

    def highest_density_rank(self, y: Labels) -> Tensor:
        """Mass of everything that scores higher than `y`: the level from which `credible_set` contains it.

        Uniform in [0, 1] for labels that follow the density, which `ebm.calibration` tests.

        Args:
            y: ``(B, D)`` or ``(B, M, D)``.

        Returns:
            ``(B,)`` or ``(B, M)``.
        """
        y = labels_like("y", y, self._like)
        scores, mass, _ = self._by_score
        higher = torch.searchsorted(-scores, -self._score(y).to(scores.dtype))  # how many places score higher
        none = mass.new_zeros(self.batch_size, 1)
        return (
            torch.cat((none, mass), 1).gather(1, higher).clamp(max=1).to(scores.dtype).reshape(y.shape[:-1])
        )

    def _last_inside(self, level: float) -> tuple[Tensor, Tensor]:
        """Position of the last place of the smallest set in `_by_score` ``(B, 1)``, and its mass ``(B,)``."""
        mass = self._by_score[1]
        wanted = mass.new_full((self.batch_size, 1), require_level(level))
        last = torch.searchsorted(mass, wanted).clamp(max=mass.shape[1] - 1)
        return last, mass.gather(-1, last)[:, 0].to(self._scores.dtype)

    def _score(self, y: Tensor) -> Tensor:
        """Scores of targets ``(B, D)`` or ``(B, M, D)``, ``(B, M)`` or ``(B, 1)``."""
        dim = self.target_dim
        shape = f"(B={self.batch_size}, M, D={dim}) or (B={self.batch_size}, D={dim})"
        require_last_dim("y", y, dim, shape)
        if y.ndim not in (2, 3) or y.shape[0] != self.batch_size:
            raise ShapeError(f"expected y of shape {shape}, got {tuple(y.shape)}.")
        require_same_device(y=y, density=self._scores)
        if float_dtype(y, self._like) != self._like.dtype:
            raise TypeError(
                f"y is {y.dtype}, but the density was made in {self._like.dtype}: convert y with .to(dtype)."
            )
        y = y.detach().to(self._like.dtype)
        require_finite("y", y)
        candidates = y[:, None] if y.ndim == 2 else y
        if candidates.shape[1] == 0:
            return self._scores.new_zeros(candidates.shape[:2])
        return score_in_chunks(self.score_fn, candidates, self.batch_size, self.chunk)

    def _draw(self, n: int, generator: torch.Generator | None) -> Tensor:
        """Indices of `n` places per item, by weight with replacement, ``(B, n)``."""
        n = require_count("n", n)
        require_generator(generator, density=self._scores)
        mass = self._weights.double().cumsum(-1)
        u = torch.rand(self.batch_size, n, dtype=torch.float64, device=mass.device, generator=generator)
        # Searching to the right of u passes places without mass, and u < 1 times the total stays inside.
        return torch.searchsorted(mass, u * mass[:, -1:], right=True).clamp(max=mass.shape[1] - 1)

    def _dims(self, dims: int | Sequence[int]) -> tuple[int, ...]:
        chosen = tuple(require_dim(d, self.target_dim) for d in listed(dims))
        if not chosen or len(set(chosen)) < len(chosen):
            raise DomainError(f"dims must name different coordinates, got {dims!r}.")
        return chosen

    def _probabilities(self, p: Levels) -> tuple[Tensor, bool]:
        """Probabilities for every item ``(B, P)``, float64, and whether one number was given."""
        row = number_tensor("p", p, torch.float64, self._scores.device)
        if row.ndim > 2 or (row.ndim == 2 and row.shape[0] != self.batch_size):
            expected = f"(), (P,) or (B={self.batch_size}, P)"
            raise ShapeError(f"expected probabilities of shape {expected}, got {tuple(row.shape)}.")
        if not bool(((row >= 0) & (row <= 1)).all()):
            raise DomainError(f"probabilities must lie in [0, 1], got {p!r}.")
        return (row if row.ndim == 2 else row.reshape(1, -1).expand(self.batch_size, -1)), row.ndim == 0

    def _positions(self, t: float | Tensor) -> tuple[Tensor, bool]:
        """Values of one coordinate for every item ``(B, T)``, float64, and whether there is one per item."""
        rows = number_tensor("t", t, torch.float64, self._scores.device)
        if rows.ndim == 0:
            return rows.expand(self.batch_size, 1), True
        if rows.ndim > 2 or rows.shape[0] != self.batch_size:
            expected = f"(), (B={self.batch_size},) or (B={self.batch_size}, T)"
            raise ShapeError(f"expected t of shape {expected}, got {tuple(rows.shape)}.")
        return (rows[:, None], True) if rows.ndim == 1 else (rows, False)


def require_dim(dim: int, target_dim: int) -> int:
    """`dim` itself if it is a coordinate of a target of `target_dim` dimensions.

    Raises:
        DomainError: (a ValueError) otherwise.
    """
    number = plain(dim)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < target_dim:
        raise DomainError(f"dim must be one of 0 to {target_dim - 1}, got {dim!r}.")
    return number


def require_level(level: float) -> float:
    """`level` itself if it lies in (0, 1).

    Raises:
        DomainError: (a ValueError) otherwise.
    """
    share = require_number("level", level)
    if not 0 < share < 1:
        raise DomainError(f"level must lie in (0, 1), got {share!r}.")
    return share
