"""Noise on a circle: a mixture of Gaussians, wrapped around."""

import math

import torch
from torch import Tensor

from ebm.checks import float_dtype
from ebm.mixtures import Sigmas
from ebm.proposals import GaussianMixtureProposal

__all__ = ["WrappedMixtureProposal"]

TURN = 2 * math.pi
# Standard deviations beyond which a turn further on adds nothing.
FAR = 7.0


class WrappedMixtureProposal(GaussianMixtureProposal):
    """Zero-mean Gaussians of angles in radians, D = 1: offsets a full turn apart are the same place.

    ``q(e) = sum_j sum_k w_k N(e + 2 pi j; 0, s_k^2)``, a density over any period of 2 pi.

    Args:
        sigmas: K standard deviations before they are wrapped, radians.
        weights: see `GaussianMixtureProposal`.

    Raises:
        DomainError: (a ValueError) as `GaussianMixtureProposal`.
        ShapeError: if there is more than one target.

    Source: Mardia and Jupp, "Directional Statistics", 2000, section 3.5.7.
    """

    def __init__(self, sigmas: Sigmas, weights: list[float] | Tensor | None = None) -> None:
        super().__init__(sigmas, weights, target_dim=1)
        self._turns = max(1, math.ceil(FAR * float(self.max_sigma) / TURN))

    def log_prob_offset(self, e: Tensor) -> Tensor:
        """Log-density of offsets from the centre, nats: ``(..., 1) -> (...)``, float32 or wider."""
        near = torch.remainder(e.to(float_dtype(e)) + math.pi, TURN) - math.pi
        total = super().log_prob_offset(near)
        for turn in range(1, self._turns + 1):
            for way in (-turn, turn):
                total = torch.logaddexp(total, super().log_prob_offset(near + way * TURN))
        return total

    def of_sigmas(self, rows: Sigmas, shares: list[float] | None = None) -> "WrappedMixtureProposal":
        """See `GaussianMixtureProposal.of_sigmas`."""
        return WrappedMixtureProposal(rows, shares)
