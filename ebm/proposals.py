"""Where candidates are drawn and how likely each draw was: q(y | y_i) and p_N(y | y_i) of the papers.

Densities are log-densities throughout; a density itself is never formed, so far samples cannot underflow.
"""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ebm.checks import (
    float_dtype,
    require_count,
    require_finite,
    require_from_zero,
    require_generator,
    require_last_dim,
    require_positive,
    require_same_device,
    require_same_dtype,
)
from ebm.exceptions import ShapeError
from ebm.lookup import unknown_name
from ebm.mixtures import DiagonalMixture, Sigmas, mixture_weights, sigma_rows

__all__ = [
    "BetaMode",
    "GaussianMixtureProposal",
    "Proposal",
    "ProposalSamples",
    "ZeroNoise",
    "annotation_noise",
]

BetaMode = Literal["std", "variance"]


@dataclass(frozen=True)
class ProposalSamples:
    """Draws around B centres; no gradient flows through any of it.

    Attributes:
        y: candidates ``(B, M, D)``, or ``(B, 1 + M, D)`` with one that was given in front.
        log_q: log-density of each candidate, nats, ``(B, M)`` or ``(B, 1 + M)``.
        offsets: draw minus centre, ``(B, M, D)``, or ``(1, M, D)`` where the batch shares its draws.
    """

    y: Tensor
    log_q: Tensor
    offsets: Tensor


class Proposal(nn.Module, ABC):
    """A density over targets, placed at a centre that is given with every call.

    Draws and densities use the device of the centre and its dtype, at least float32.

    Attributes:
        target_dim: D.
        symmetric: whether an offset is as likely as its opposite, whatever it is; conditional NCE asks.
    """

    target_dim: int
    symmetric: bool = False

    @abstractmethod
    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """`count` offsets from the centre ``(count, D)``, on the device and in the dtype of `like`."""

    @abstractmethod
    def log_prob_offset(self, e: Tensor) -> Tensor:
        """Log-density of offsets from the centre, nats: ``(..., D) -> (...)``."""

    def sample(
        self,
        center: Tensor,
        num_samples: int,
        *,
        generator: torch.Generator | None = None,
        share_across_batch: bool = False,
        lead: Tensor | None = None,
        validate: bool | None = None,
    ) -> ProposalSamples:
        """Draw M candidates around each of B centres.

        Allocates two tensors of the size of the candidates, their offsets and themselves.

        Args:
            center: centres ``(B, D)``; B may be 0.
            num_samples: M, at least 1.
            generator: source of randomness on the device of `center`; None is torch's global one.
            share_across_batch: one set of M offsets for the whole batch instead of one per centre.
            lead: offset ``(B, D)`` or ``(1, D)`` of one more candidate per centre, put before the draws.
            validate: look for NaN in `center`; None means on CPU tensors only.

        Raises:
            ShapeError: if `center` is not ``(B, D)``, or `lead` does not fit.
            DomainError: if M < 1, or `center` is not finite.
            TypeError: if the generator is for another kind of device.
        """
        require_last_dim("center", center, self.target_dim, f"(B, D={self.target_dim})", rank=2)
        num_samples = require_count("num_samples", num_samples)
        require_finite("center", center, validate)
        require_generator(generator, center=center)
        center = center.detach().to(float_dtype(center))
        rows = center.shape[0]
        batch = 1 if share_across_batch else rows
        with torch.no_grad():
            offsets = self.sample_offsets(batch * num_samples, center, generator=generator)
            log_q = self.log_prob_offset(offsets).reshape(batch, num_samples).expand(rows, -1)
            offsets = offsets.reshape(batch, num_samples, self.target_dim)
            if lead is None:
                return ProposalSamples(center[:, None] + offsets, log_q, offsets)
            lead = self._fitting_lead(lead, center)
            y = center.new_empty(rows, 1 + num_samples, self.target_dim)
            torch.add(center, lead, out=y[:, 0])
            torch.add(center[:, None], offsets, out=y[:, 1:])
            front = self.log_prob_offset(lead)[:, None].expand(rows, 1)
        return ProposalSamples(y, torch.cat((front, log_q), 1), offsets)

    def log_prob(self, y: Tensor, center: Tensor, *, validate: bool | None = None) -> Tensor:
        """Log-density of targets, nats.

        Args:
            y: targets ``(B, M, D)`` or ``(B, D)``.
            center: centres ``(B, D)``.
            validate: look for NaN in both; None means on CPU tensors only.

        Returns:
            ``(B, M)`` or ``(B,)``.

        Raises:
            ShapeError: if the shapes do not fit.
            TypeError: if devices or dtypes differ.
            DomainError: if an entry is not finite.
        """
        dim = self.target_dim
        require_last_dim("y", y, dim, f"(B, M, D={dim}) or (B, D={dim})")
        require_last_dim("center", center, dim, f"(B, D={dim})", rank=2)
        if y.ndim not in (2, 3) or y.shape[0] != center.shape[0]:
            raise ShapeError(
                f"expected y of shape (B={center.shape[0]}, [M,] D={dim}), got {tuple(y.shape)}."
            )
        require_same_device(y=y, center=center)
        require_same_dtype(y=y, center=center)
        require_finite("y", y, validate)
        require_finite("center", center, validate)
        return self.log_prob_offset(y - (center[:, None] if y.ndim == 3 else center))

    def _fitting_lead(self, lead: Tensor, center: Tensor) -> Tensor:
        dim = self.target_dim
        require_last_dim("lead", lead, dim, f"(B, D={dim}) or (1, D={dim})", rank=2)
        if lead.shape[0] not in (1, center.shape[0]):
            raise ShapeError(f"expected lead of 1 or B = {center.shape[0]} rows, got {lead.shape[0]}.")
        require_same_device(lead=lead, center=center)
        return lead.detach().to(center.dtype)


class GaussianMixtureProposal(Proposal):
    """K zero-mean Gaussians with diagonal covariance, all placed at the centre.

    ``q(y | c) = sum_k w_k prod_d N(y_d; c_d, s_kd^2)``; a draw picks one component for all its dimensions.

    Args:
        sigmas: standard deviations in the unit of the target: K numbers (equal in all dimensions), K rows of
            D numbers, or with ``layout="box"`` K pairs (position, size).
        weights: K positive numbers that sum to 1; None is 1/K each.
        target_dim: D; needed where K numbers stand for more than one dimension.
        layout: ``"box"`` reads pairs as (position, position, size, size) of a relative box.

    Raises:
        DomainError: (a ValueError) for empty, non-positive or NaN sigmas, or weights that are not positive or
            do not sum to 1 within 1e-6.
        ShapeError: if rows do not fit `target_dim` or the layout.

    Source: Gustafsson et al., ECCV 2020, eq. 5; BMVC 2020, eq. 12.
    """

    sigmas: Tensor
    weights: Tensor
    symmetric = True

    def __init__(
        self,
        sigmas: Sigmas,
        weights: Sequence[float] | Tensor | None = None,
        target_dim: int | None = None,
        layout: Literal["box"] | None = None,
    ) -> None:
        super().__init__()
        rows = sigma_rows(sigmas, target_dim, layout)
        self._mixture = DiagonalMixture(rows, mixture_weights(weights, len(rows)))
        self.target_dim = len(rows[0])
        self.register_buffer("sigmas", torch.tensor(rows), persistent=False)
        self.register_buffer("weights", torch.tensor(self._mixture.shares), persistent=False)

    @property
    def max_sigma(self) -> Tensor:
        """Largest standard deviation per dimension, ``(D,)``."""
        return self.sigmas.amax(0)

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """See `Proposal.sample_offsets`."""
        return self._mixture.draw(count, float_dtype(like), like.device, generator)

    def log_prob_offset(self, e: Tensor) -> Tensor:
        """Log-density of offsets from the centre, nats: ``(..., D) -> (...)``, float32 or wider.

        Raises:
            ShapeError: if the last dimension is not D.
        """
        require_last_dim("offsets", e, self.target_dim, f"(..., D={self.target_dim})")
        return self._mixture.log_prob(e.to(float_dtype(e)))

    def log_prob_at_center(self) -> Tensor:
        """Log-density of the centre itself, nats, ``()``."""
        return self.log_prob_offset(torch.zeros_like(self.sigmas[0]))

    def scaled(self, r: float) -> "GaussianMixtureProposal":
        """The same mixture with every standard deviation multiplied by `r` > 0.

        Raises:
            DomainError: if `r` is not positive and finite.
        """
        (r,) = require_positive("scale", [r])
        rows, shares = self._mixture.rows, self._mixture.shares
        return self.of_sigmas([[r * s for s in row] for row in rows], shares)

    def of_sigmas(self, rows: Sigmas, shares: list[float] | None = None) -> "GaussianMixtureProposal":
        """A mixture of the same kind with other standard deviations."""
        return GaussianMixtureProposal(rows, shares, self.target_dim)

    def extra_repr(self) -> str:
        """The sigmas, for ``print(proposal)``."""
        return f"sigmas={self._mixture.rows}"


class ZeroNoise(Proposal):
    """No noise: every draw is the centre (D = `target_dim`); log-density +inf there, -inf elsewhere."""

    symmetric = True

    def __init__(self, target_dim: int) -> None:
        super().__init__()
        self.target_dim = require_count("target_dim", target_dim)

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Zeros ``(count, D)``."""
        return torch.zeros(count, self.target_dim, dtype=float_dtype(like), device=like.device)

    def log_prob_offset(self, e: Tensor) -> Tensor:
        """+inf where an offset ``(..., D)`` is zero, -inf elsewhere, ``(...)``."""
        require_last_dim("offsets", e, self.target_dim, f"(..., D={self.target_dim})")
        at_centre = (e == 0).all(-1)
        return torch.where(at_centre, math.inf, -math.inf).to(float_dtype(e))


def annotation_noise(
    proposal: GaussianMixtureProposal, beta: float, mode: BetaMode = "std"
) -> GaussianMixtureProposal | ZeroNoise:
    """Label noise of NCE+: the proposal, narrowed by `beta`.

    Args:
        proposal: the noise distribution p_N.
        beta: at least 0; 0 gives `ZeroNoise`, that is plain NCE.
        mode: ``"std"`` multiplies standard deviations by beta, ``"variance"`` variances. The paper's eq. 15
            prints the second; the authors' code does the first, and only the first can give the published
            numbers. ``beta_variance = beta_std ** 2`` converts.

    Warns:
        UserWarning: if `beta` is above 1.

    Raises:
        DomainError: (a ValueError) if `beta` is negative or not finite.
        UnknownNameError: (a ValueError) if `mode` is neither name.

    Source: Gustafsson et al., BMVC 2020, eq. 15-16 and the released code.
    """
    if mode not in ("std", "variance"):
        raise unknown_name("beta mode", str(mode), ("std", "variance"))
    beta = require_from_zero("beta", beta)
    if beta == 0:
        return ZeroNoise(proposal.target_dim)
    if beta > 1:
        warnings.warn(f"beta = {beta:g} makes the label noise wider than the proposal.", stacklevel=2)
    return proposal.scaled(beta if mode == "std" else math.sqrt(beta))
