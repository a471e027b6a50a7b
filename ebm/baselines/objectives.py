"""Objectives of the baselines that are not the likelihood of one closed density: cVAE, binned, quantile."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ebm.baselines.functional import over_items, same_shape, widen
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.losses.reduction import Reduction

__all__ = [
    "Moments",
    "Objective",
    "cvae_elbo",
    "expected_bin",
    "gaussian_kl",
    "nearest_bin",
    "quantile_loss",
    "require_levels",
    "softmax_regression",
]

Moments = tuple[Tensor, Tensor]  # mean and log-variance, (..., D) each
Objective = Literal["elbo", "iwae"]


def gaussian_kl(q: Moments, p: Moments) -> Tensor:
    """KL(q || p) of Gaussians with one variance per coordinate, nats.

    Args:
        q: mean and log-variance, ``(..., D)`` each.
        p: the same of the second one.

    Returns:
        ``(...)``, at least 0.

    Raises:
        ShapeError: if the shapes differ.
    """
    mean_q, log_var_q, mean_p, log_var_p = same_shape(
        mean_q=q[0], log_var_q=q[1], mean_p=p[0], log_var_p=p[1]
    )
    shrink = log_var_q - log_var_p
    shift = ((mean_q - mean_p) * (-0.5 * log_var_p).exp()).square()
    # expm1 keeps the difference of nearly equal variances, where exp(s) - 1 - s cancels.
    return 0.5 * (shrink.expm1() - shrink + shift).sum(-1)


def cvae_elbo(
    log_likelihood: Tensor,
    prior: Moments,
    posterior: Moments | None = None,
    z: Tensor | None = None,
    *,
    objective: Objective = "elbo",
    reduction: Reduction = "mean",
) -> Tensor:
    """Minus the evidence lower bound of a conditional variational auto-encoder, nats.

    Args:
        log_likelihood: log p(y | x, z_s) of S latent draws, ``(B, S)``.
        prior: mean and log-variance of p(z | x), ``(B, Z)`` each.
        posterior: the same of q(z | x, y) that drew z; None: the prior drew it, and the divergence is zero.
        z: the draws, ``(B, S, Z)``; needed for ``"iwae"`` with a posterior of its own.
        objective: ``"elbo"``: ``KL(q || p) - mean_s log p(y | x, z_s)``; ``"iwae"``: the tighter
            ``log S - LSE_s (log p(y | x, z_s) + log p(z_s | x) - log q(z_s | x, y))``.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if shapes do not fit or `z` is missing.
        UnknownNameError: (a ValueError) for another objective.

    Source: Gustafsson et al., ECCV 2020, supplement C.4; Burda et al., arXiv:1509.00519 (iwae).
    """
    if objective not in ("elbo", "iwae"):
        raise unknown_name("objective", str(objective), ("elbo", "iwae"))
    if log_likelihood.ndim != 2 or log_likelihood.shape[1] < 1:
        raise ShapeError(f"expected log_likelihood (B, S >= 1), got {tuple(log_likelihood.shape)}.")
    (log_likelihood,) = widen(log_likelihood)
    if objective == "elbo":
        bound = log_likelihood.mean(-1)
        bound = bound if posterior is None else bound - gaussian_kl(posterior, prior)
        return over_items(-bound, reduction)
    if posterior is not None:
        log_likelihood = log_likelihood + _log_weight(log_likelihood, prior, posterior, z)
    return over_items(math.log(log_likelihood.shape[1]) - log_likelihood.logsumexp(-1), reduction)


def softmax_regression(
    logits: Tensor,
    y: Tensor,
    bins: Tensor,
    *,
    l2_weight: float = 0.1,
    var_weight: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Regression by classification: cross-entropy of the nearest bin plus terms on the expected value.

    ``CE + l2_weight (E[c] - y)^2 + var_weight Var[c]`` with moments under the softmax, summed over D.

    Args:
        logits: ``(..., D, C)``.
        y: targets in the unit of the bins, ``(..., D)``; beyond the outer bins they count as these.
        bins: bin centres, ``(C,)``.
        l2_weight: 0.1 in the paper.
        var_weight: 0.05 in the paper's variant with variance, else 0.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if shapes do not fit.

    Source: Gustafsson et al., ECCV 2020, supplement E.4, F.4; Pan et al., CVPR 2018.
    """
    _require_extra_axis("logits", logits, y, bins)
    logits, y, bins = widen(logits, y, bins)
    log_p = logits.log_softmax(-1)
    per_item = -log_p.gather(-1, nearest_bin(y, bins)[..., None])[..., 0]
    p = log_p.exp()
    expected = (p * bins).sum(-1)
    per_item = per_item + l2_weight * (expected - y).square()
    if var_weight:
        per_item = per_item + var_weight * (p * (bins - expected[..., None]).square()).sum(-1)
    return over_items(per_item.sum(-1), reduction)


def expected_bin(logits: Tensor, bins: Tensor) -> Tensor:
    """Mean of the bins under the softmax, ``(..., C)`` and ``(C,) -> (...)``, in the unit of the bins."""
    logits, bins = widen(logits, bins)
    return (logits.softmax(-1) * bins).sum(-1)


def nearest_bin(y: Tensor, bins: Tensor) -> Tensor:
    """Index of the bin nearest to each target, ``(...)`` int64; targets beyond the outer bins get these."""
    middles = (bins[1:] + bins[:-1]) / 2
    return torch.bucketize(y.detach().contiguous(), middles)


def quantile_loss(quantiles: Tensor, y: Tensor, levels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Pinball loss, mean over levels and summed over coordinates; twice it estimates the CRPS.

    Args:
        quantiles: ``(..., D, Q)``.
        y: targets, ``(..., D)``.
        levels: in (0, 1), ``(Q,)``.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if shapes do not fit.

    Source: Koenker and Bassett, "Regression quantiles", Econometrica 1978.
    """
    _require_extra_axis("quantiles", quantiles, y, levels)
    quantiles, y, levels = widen(quantiles, y, levels)
    error = y[..., None] - quantiles
    return over_items(torch.maximum(levels * error, (levels - 1) * error).mean(-1).sum(-1), reduction)


def require_levels(levels: Sequence[float]) -> Tensor:
    """Quantile levels as a tensor ``(Q,)``.

    Raises:
        DomainError: unless they increase inside (0, 1) and there is at least one.
    """
    inside = [0.0, *map(float, levels), 1.0]
    if len(inside) < 3 or not all(a < b for a, b in zip(inside[:-1], inside[1:], strict=True)):
        raise DomainError(f"levels must increase strictly inside (0, 1), got {list(levels)!r}.")
    return torch.tensor(inside[1:-1])


def _log_weight(log_likelihood: Tensor, prior: Moments, posterior: Moments, z: Tensor | None) -> Tensor:
    """log p(z | x) - log q(z | x, y) of draws ``(B, S, Z) -> (B, S)``."""
    if z is None or z.ndim != 3 or z.shape[:2] != log_likelihood.shape:
        got = None if z is None else tuple(z.shape)
        raise ShapeError(f"iwae with a posterior needs its draws z ({log_likelihood.shape}, Z), got {got}.")
    densities = [_log_normal(mean[:, None], log_var[:, None], z) for mean, log_var in (prior, posterior)]
    return densities[0] - densities[1]


def _log_normal(mean: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
    """log N(z) without its constant, which cancels in a ratio: broadcast ``(..., Z) -> (...)``."""
    return -0.5 * (((z - mean) * (-0.5 * log_var).exp()).square() + log_var).sum(-1)


def _require_extra_axis(name: str, prediction: Tensor, y: Tensor, axis: Tensor) -> None:
    """`prediction` is ``(..., D, C)`` where y is ``(..., D)`` and the axis ``(C,)``."""
    if y.ndim < 1 or axis.ndim != 1 or prediction.shape != (*y.shape, axis.shape[0]):
        wanted = f"(*{tuple(y.shape)}, {tuple(axis.shape)[0] if axis.ndim else 'C'})"
        raise ShapeError(f"expected {name} of shape {wanted}, got {tuple(prediction.shape)}.")
