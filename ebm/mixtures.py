"""Arithmetic of zero-mean mixtures of diagonal Gaussians that makes no tensor with a component dimension."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import torch
from torch import Tensor

from ebm.checks import require_positive
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.numbers import listed, require_number

__all__ = ["DiagonalMixture", "Sigmas", "mixture_weights", "sigma_rows"]

Sigmas: TypeAlias = Sequence[float] | Sequence[Sequence[float]] | Tensor


@dataclass(frozen=True)
class DiagonalMixture:
    """``sum_k w_k prod_d N(e_d; 0, s_kd^2)`` with numbers that are exact in every dtype.

    Attributes:
        rows: K rows of D standard deviations.
        shares: K weights.
    """

    rows: list[list[float]]
    shares: list[float]

    def log_prob(self, e: Tensor) -> Tensor:
        """Log-density of offsets, nats: ``(..., D) -> (...)``, in the dtype of `e`.

        Differentiable any number of times. Temporaries have the size of the result: a squared norm per
        component, or one for all where the rows are multiples of each other, as those of an isotropic
        mixture are.
        """
        ratios = self._ratios()
        shared = None if ratios is None else _squared_norm(e, self.rows[0])
        total: Tensor | None = None
        for k, (row, share) in enumerate(zip(self.rows, self.shares)):
            factor = math.log(share) - sum(map(math.log, row)) - 0.5 * len(row) * math.log(2 * math.pi)
            if shared is None or ratios is None:
                term = _squared_norm(e, row).mul_(-0.5)
            elif k + 1 < len(ratios):
                term = shared.mul(-0.5 / ratios[k] ** 2)
            else:  # nobody needs the shared norm any more
                term = shared.mul_(-0.5 / ratios[k] ** 2)
            term.add_(factor)
            # Two at a time: stacking the components first would take K times the memory.
            total = term if total is None else torch.logaddexp(total, term)
        assert total is not None, "a mixture has at least one component"
        return total

    def draw(
        self, count: int, dtype: torch.dtype, device: torch.device, generator: torch.Generator | None
    ) -> Tensor:
        """`count` offsets ``(count, D)``; one component serves all dimensions of a draw."""
        base = self.rows[0]
        noise = torch.empty(count, len(base), dtype=dtype, device=device).normal_(generator=generator)
        component = self._components(noise, generator)
        ratios = self._ratios()
        if ratios is None:
            for d, column in enumerate(zip(*self.rows)):
                noise[:, d].mul_(_chosen(column, component, noise))
            return noise
        if len(set(base)) > 1:
            for d, sigma in enumerate(base):
                noise[:, d].mul_(sigma)
        else:
            ratios = [base[0] * ratio for ratio in ratios]
        return noise.mul_(_chosen(ratios, component, noise)[:, None])

    def _components(self, noise: Tensor, generator: torch.Generator | None) -> Tensor:
        """Which component each draw of `noise` ``(count, D)`` comes from, ``(count,)``."""
        if len(self.shares) == 1:
            return torch.zeros(noise.shape[0], dtype=torch.int32, device=noise.device)
        level = noise.new_empty(noise.shape[0]).uniform_(generator=generator)
        bounds = noise.new_tensor([*accumulate(self.shares[:-1])])
        return torch.bucketize(level, bounds, out_int32=True, right=True)

    def _ratios(self) -> list[float] | None:
        """Each row as a multiple of the first, None if one is not."""
        base = self.rows[0]
        ratios = [row[0] / base[0] for row in self.rows]
        fits = all(
            math.isclose(sigma, ratio * first, rel_tol=1e-14)
            for row, ratio in zip(self.rows, ratios)
            for sigma, first in zip(row, base)
        )
        return ratios if fits else None


def sigma_rows(sigmas: Sigmas, target_dim: int | None, layout: str | None) -> list[list[float]]:
    """K rows of D positive numbers, see `ebm.proposals.GaussianMixtureProposal`.

    Raises:
        DomainError: (a ValueError) for an empty list, or naming the first number that is not positive.
        ShapeError: if rows do not fit `target_dim` or the layout.
        UnknownNameError: (a ValueError) for another layout.
    """
    if layout not in (None, "box"):
        raise unknown_name("sigma layout", str(layout), ("box",))
    rows = [listed(row) for row in listed(sigmas)]
    if not rows or not all(rows):
        raise DomainError("sigmas must hold at least one number.")
    rows = [[float(s) for s in require_positive(f"sigmas[{k}]", row)] for k, row in enumerate(rows)]
    if layout == "box":
        if any(len(row) != 2 for row in rows):
            raise ShapeError(f"layout 'box' takes (position, size) pairs, got {rows}.")
        rows = [[p, p, s, s] for p, s in rows]
    elif len(rows[0]) == 1 and target_dim is not None:
        rows = [row * target_dim if len(row) == 1 else row for row in rows]
    if len({len(row) for row in rows}) > 1 or (target_dim is not None and len(rows[0]) != target_dim):
        raise ShapeError(f"expected sigmas of shape (K, D={target_dim or 'equal'}), got rows {rows}.")
    return rows


def mixture_weights(weights: Sequence[float] | Tensor | None, count: int) -> list[float]:
    """K positive numbers that sum to 1; None is 1/K each.

    Raises:
        ShapeError: if there are not `count`.
        DomainError: (a ValueError) if one is not positive, or their sum is not 1 within 1e-6.
    """
    if weights is None:
        return [1.0 / count] * count
    shares = [require_number("weights", w) for w in weights]
    if len(shares) != count:
        raise ShapeError(f"expected {count} mixture weights, one per component, got {len(shares)}.")
    require_positive("weights", shares)
    if abs(sum(shares) - 1) > 1e-6:
        raise DomainError(f"mixture weights must sum to 1, got {shares} with sum {sum(shares):g}.")
    return shares


def _chosen(values: Sequence[float], component: Tensor, like: Tensor) -> Tensor:
    """``values[component]`` in the dtype of `like`, ``(count,)``."""
    return torch.tensor(values, dtype=like.dtype, device=like.device).index_select(0, component)


def _squared_norm(e: Tensor, row: Sequence[float]) -> Tensor:
    """``sum_d (e_d / s_d)^2``, ``(..., D) -> (...)``, dimension by dimension."""
    # Where all deviations are one ordinary number, the squares of e itself neither over- nor underflow.
    plain = len(set(row)) == 1 and 1e-9 < row[0] < 1e9
    total: Tensor | None = None
    for d, sigma in enumerate(row):
        part = e[..., d] if plain else e[..., d] / sigma
        total = part * part if total is None else total.addcmul_(part, part)
    assert total is not None, "there is at least one dimension"
    return total.mul_(row[0] ** -2) if plain else total
