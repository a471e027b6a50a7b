"""Where candidates are drawn and how likely each draw was: q(y | y_i) and p_N(y | y_i) of the papers.

Densities are log-densities throughout; a density itself is never formed, so far samples cannot underflow.
"""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ebm.checks import float_dtype, require_count, require_finite, require_last_dim, require_positive
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name

__all__ = [
    "BetaMode",
    "GaussianMixtureProposal",
    "Proposal",
    "ProposalSamples",
    "ZeroNoise",
    "annotation_noise",
]

BetaMode = Literal["std", "variance"]
Sigmas = Sequence[float] | Sequence[Sequence[float]] | Tensor


@dataclass(frozen=True)
class ProposalSamples:
    """Draws around B centres; no gradient flows through any of it.

    Attributes:
        y: candidates ``(B, M, D)``.
        log_q: log-density of each candidate, nats, ``(B, M)``.
        offsets: candidate minus centre, ``(B, M, D)``, or ``(1, M, D)`` where the batch shares its draws.
    """

    y: Tensor
    log_q: Tensor
    offsets: Tensor


class Proposal(nn.Module, ABC):
    """A density over targets, placed at a centre that is given with every call.

    Draws and densities use the device of the centre and its dtype, at least float32.
    """

    target_dim: int

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
        validate: bool | None = None,
    ) -> ProposalSamples:
        """Draw M candidates around each of B centres.

        Args:
            center: centres ``(B, D)``; B may be 0.
            num_samples: M, at least 1.
            generator: source of randomness on the device of `center`; None is torch's global one.
            share_across_batch: one set of M offsets for the whole batch instead of one per centre.
            validate: look for NaN in `center`; None means on CPU tensors only.

        Raises:
            ShapeError: if `center` is not ``(B, D)``.
            DomainError: if M < 1, or `center` is not finite.
            TypeError: if the generator is for another kind of device.
        """
        require_last_dim("center", center, self.target_dim, f"(B, D={self.target_dim})", rank=2)
        require_count("num_samples", num_samples)
        require_finite("center", center, validate)
        if generator is not None and generator.device.type != center.device.type:
            raise TypeError(
                f"generator is for {generator.device.type}, but center is on {center.device.type}."
            )
        center = center.detach().to(float_dtype(center))
        batch = 1 if share_across_batch else center.shape[0]
        with torch.no_grad():
            offsets = self.sample_offsets(batch * num_samples, center, generator=generator)
            log_q = self.log_prob_offset(offsets).reshape(batch, num_samples)
        offsets = offsets.reshape(batch, num_samples, self.target_dim)
        return ProposalSamples(center[:, None] + offsets, log_q.expand(center.shape[0], -1), offsets)

    def log_prob(self, y: Tensor, center: Tensor) -> Tensor:
        """Log-density of targets, nats.

        Args:
            y: targets ``(B, M, D)`` or ``(B, D)``.
            center: centres ``(B, D)``.

        Returns:
            ``(B, M)`` or ``(B,)``.

        Raises:
            ShapeError: if the shapes do not fit.
        """
        dim = self.target_dim
        require_last_dim("y", y, dim, f"(B, M, D={dim}) or (B, D={dim})")
        require_last_dim("center", center, dim, f"(B, D={dim})", rank=2)
        if y.ndim not in (2, 3) or y.shape[0] != center.shape[0]:
            raise ShapeError(
                f"expected y of shape (B={center.shape[0]}, [M,] D={dim}), got {tuple(y.shape)}."
            )
        return self.log_prob_offset(y - (center[:, None] if y.ndim == 3 else center))


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

    def __init__(
        self,
        sigmas: Sigmas,
        weights: Sequence[float] | Tensor | None = None,
        target_dim: int | None = None,
        layout: Literal["box"] | None = None,
    ) -> None:
        super().__init__()
        self._rows = _sigma_rows(sigmas, target_dim, layout)
        self._shares = _mixture_weights(weights, len(self._rows))
        self.target_dim = len(self._rows[0])
        self.register_buffer("sigmas", torch.tensor(self._rows), persistent=False)
        self.register_buffer("weights", torch.tensor(self._shares), persistent=False)
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def max_sigma(self) -> Tensor:
        """Largest standard deviation per dimension, ``(D,)``."""
        return self.sigmas.amax(0)

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """See `Proposal.sample_offsets`."""
        dtype, device = float_dtype(like), like.device
        if count == 0:
            return torch.empty(0, self.target_dim, dtype=dtype, device=device)
        sigmas, weights, _ = self._table(device, dtype)
        noise = torch.randn(count, self.target_dim, dtype=dtype, device=device, generator=generator)
        component = torch.multinomial(weights, count, replacement=True, generator=generator)
        return noise * sigmas[component]

    def log_prob_offset(self, e: Tensor) -> Tensor:
        """Log-density of offsets from the centre, nats: ``(..., D) -> (...)``, float32 or wider.

        Raises:
            ShapeError: if the last dimension is not D.
        """
        require_last_dim("offsets", e, self.target_dim, f"(..., D={self.target_dim})")
        dtype = float_dtype(e)
        sigmas, _, log_scale = self._table(e.device, dtype)
        scaled = e.to(dtype).unsqueeze(-2) / sigmas
        return (log_scale - 0.5 * scaled.square().sum(-1)).logsumexp(-1)

    def log_prob_at_center(self) -> Tensor:
        """Log-density of the centre itself, nats, ``()``."""
        return self.log_prob_offset(torch.zeros_like(self.sigmas[0]))

    def scaled(self, r: float) -> "GaussianMixtureProposal":
        """The same mixture with every standard deviation multiplied by `r` > 0.

        Raises:
            DomainError: if `r` is not positive and finite.
        """
        require_positive("scale", [r])
        return GaussianMixtureProposal([[r * s for s in row] for row in self._rows], self._shares)

    def extra_repr(self) -> str:
        """The sigmas, for ``print(proposal)``."""
        return f"sigmas={self._rows}"

    def _table(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Sigmas ``(K, D)``, weights and log-factors ``(K,)``, exact in `dtype`, copied to a device once."""
        if (device, dtype) not in self._tables:
            with torch.inference_mode(False):  # a table made inside it could never meet autograd later
                sigmas = torch.tensor(self._rows, dtype=dtype, device=device)
                weights = torch.tensor(self._shares, dtype=dtype, device=device)
                factors = weights.log() - sigmas.log().sum(-1) - 0.5 * self.target_dim * math.log(2 * math.pi)
            self._tables[device, dtype] = (sigmas, weights, factors)
        return self._tables[device, dtype]


class ZeroNoise(Proposal):
    """No noise: every draw is the centre (D = `target_dim`); log-density +inf there, -inf elsewhere."""

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
    if not (math.isfinite(beta) and beta >= 0):
        raise DomainError(f"beta must be finite and >= 0, got {beta!r}.")
    if beta == 0:
        return ZeroNoise(proposal.target_dim)
    if beta > 1:
        warnings.warn(f"beta = {beta:g} makes the label noise wider than the proposal.", stacklevel=2)
    return proposal.scaled(beta if mode == "std" else math.sqrt(beta))


def _sigma_rows(sigmas: Sigmas, target_dim: int | None, layout: str | None) -> list[list[float]]:
    """K rows of D positive numbers."""
    if layout not in (None, "box"):
        raise unknown_name("sigma layout", str(layout), ("box",))
    given = cast(
        list[float | list[float]], torch.as_tensor(sigmas).tolist() if isinstance(sigmas, Tensor) else sigmas
    )
    rows = [[float(s) for s in row] if isinstance(row, Sequence) else [float(row)] for row in given]
    if not rows or not all(rows):
        raise DomainError("sigmas must hold at least one number.")
    for row in rows:
        require_positive("sigma", row)
    if layout == "box":
        if any(len(row) != 2 for row in rows):
            raise ShapeError(f"layout 'box' takes (position, size) pairs, got {rows}.")
        rows = [[p, p, s, s] for p, s in rows]
    elif len(rows[0]) == 1 and target_dim is not None:
        rows = [row * target_dim if len(row) == 1 else row for row in rows]
    if len({len(row) for row in rows}) > 1 or (target_dim is not None and len(rows[0]) != target_dim):
        raise ShapeError(f"expected sigmas of shape (K, D={target_dim or 'equal'}), got rows {rows}.")
    return rows


def _mixture_weights(weights: Sequence[float] | Tensor | None, count: int) -> list[float]:
    if weights is None:
        return [1.0 / count] * count
    shares = [float(w) for w in weights]
    if len(shares) != count:
        raise ShapeError(f"expected {count} mixture weights, one per component, got {len(shares)}.")
    require_positive("mixture weight", shares)
    if abs(sum(shares) - 1) > 1e-6:
        raise DomainError(f"mixture weights must sum to 1, got {shares} with sum {sum(shares):g}.")
    return shares
