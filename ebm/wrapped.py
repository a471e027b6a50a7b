"""Noise on a circle: a mixture of Gaussians, wrapped around."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ebm.checks import float_dtype, require_positive
from ebm.exceptions import ShapeError
from ebm.mixtures import Sigmas
from ebm.numbers import listed
from ebm.proposals import GaussianMixtureProposal

__all__ = ["WrappedMixtureProposal"]

TURN = 2 * math.pi
# Standard deviations beyond which a turn further on adds nothing.
FAR = 7.0


class WrappedMixtureProposal(GaussianMixtureProposal):
    """Zero-mean Gaussians of angles: offsets a full turn apart, in any dimension, are the same place.

    ``q(e) = sum_k w_k prod_d sum_j N(e_d + j P_d; 0, s_kd^2)``, a density over any period P.

    Args:
        sigmas: standard deviations before they are wrapped, see `GaussianMixtureProposal`.
        weights: see `GaussianMixtureProposal`.
        target_dim: D.
        period: P, one number or D; a full turn in radians where left out.

    Raises:
        DomainError: (a ValueError) as `GaussianMixtureProposal`, or if a period is not positive.
        ShapeError: if rows or periods do not fit `target_dim`.

    Source: Mardia and Jupp, "Directional Statistics", 2000, section 3.5.7.
    """

    def __init__(
        self,
        sigmas: Sigmas,
        weights: list[float] | Tensor | None = None,
        target_dim: int = 1,
        period: float | Sequence[float] = TURN,
    ) -> None:
        super().__init__(sigmas, weights, target_dim=target_dim)
        given = require_positive("period", listed(period))
        if len(given) not in (1, target_dim):
            raise ShapeError(f"expected 1 period or D={target_dim}, got {len(given)}.")
        self.period = given * (target_dim // len(given))
        self._turns = max(1, math.ceil(FAR * float(self.max_sigma.max()) / min(self.period)))

    def log_prob_offset(self, e: Tensor) -> Tensor:
        """Log-density of offsets from the centre, nats: ``(..., D) -> (...)``, float32 or wider."""
        e = e.to(float_dtype(e))
        period = torch.tensor(self.period, dtype=e.dtype, device=e.device)
        near = torch.remainder(e + 0.5 * period, period) - 0.5 * period
        total: Tensor | None = None
        for row, share in zip(self._mixture.rows, self._mixture.shares):
            sigma = torch.tensor(row, dtype=e.dtype, device=e.device)
            around: Tensor | None = None
            for turn in range(-self._turns, self._turns + 1):
                one = -0.5 * ((near + turn * period) / sigma).square()
                around = one if around is None else torch.logaddexp(around, one)
            assert around is not None, "there is at least the turn that an offset lies in"
            unit = math.log(share) - sum(map(math.log, row)) - 0.5 * len(row) * math.log(TURN)
            term = around.sum(-1) + unit
            total = term if total is None else torch.logaddexp(total, term)
        assert total is not None, "a mixture has at least one component"
        return total

    def of_sigmas(self, rows: Sigmas, shares: list[float] | None = None) -> "WrappedMixtureProposal":
        """See `GaussianMixtureProposal`."""
        return WrappedMixtureProposal(rows, shares, self.target_dim, self.period)
