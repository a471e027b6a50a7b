"""Regression losses with a closed form: negative log-likelihoods in nats, and what the papers print of them.

Every function takes predictions and targets as ``(..., D)``, returns one value per item after summing over D,
and widens to float32 first. ``scale="exact"`` is the negative log-likelihood with all its constants;
``scale="paper"`` is the objective as printed, whose gradient differs by a constant factor (published learning
rates belong to it).
"""

import math
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from ebm.checks import float_dtype, require_positive
from ebm.exceptions import ShapeError
from ebm.lookup import unknown_name
from ebm.losses.reduction import Reduction, reduce

__all__ = [
    "Scale",
    "gaussian_nll",
    "huber",
    "l1",
    "l2",
    "laplace_multivariate_constant",
    "laplace_multivariate_nll",
    "laplace_nll",
    "mdn_nll",
    "over_items",
    "same_shape",
    "widen",
]

Scale = Literal["exact", "paper"]

LOG_2PI = math.log(2.0 * math.pi)


def l2(prediction: Tensor, y: Tensor, *, scale: Scale = "exact", reduction: Reduction = "mean") -> Tensor:
    """Squared error summed over coordinates; exact: the NLL of a Gaussian of variance 1.

    Args:
        prediction: ``(..., D)``.
        y: targets, ``(..., D)``.
        scale: ``"exact"``: ``0.5 r^2 + 0.5 log 2 pi`` per coordinate; ``"paper"``: ``r^2``.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if the shapes differ.

    Source: Gustafsson et al., ECCV 2020, section 3.
    """
    prediction, y = same_shape(prediction=prediction, y=y)
    error = (y - prediction).square()
    if not _is_paper(scale):
        error = 0.5 * error + 0.5 * LOG_2PI
    return over_items(error.sum(-1), reduction)


def l1(prediction: Tensor, y: Tensor, *, scale: Scale = "exact", reduction: Reduction = "mean") -> Tensor:
    """Absolute error summed over coordinates; exact: the NLL of a Laplace density of scale 1.

    Args and raised errors as `l2`; ``"exact"`` is ``|r| + log 2`` per coordinate, ``"paper"`` ``|r|``.
    """
    prediction, y = same_shape(prediction=prediction, y=y)
    error = (y - prediction).abs()
    if not _is_paper(scale):
        error = error + math.log(2.0)
    return over_items(error.sum(-1), reduction)


def huber(
    prediction: Tensor,
    y: Tensor,
    *,
    delta: float = 1.0,
    scale: Scale = "exact",
    reduction: Reduction = "mean",
) -> Tensor:
    """Huber's loss summed over coordinates: ``0.5 r^2`` inside delta, ``delta (|r| - delta / 2)`` outside.

    Args:
        prediction: ``(..., D)``.
        y: targets, ``(..., D)``.
        delta: where the parabola turns into a line, > 0.
        scale: ``"exact"`` adds the log-normaliser of ``exp(-huber)`` per coordinate.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if the shapes differ.
        DomainError: if `delta` is not positive.
    """
    (delta,) = require_positive("delta", [delta])
    prediction, y = same_shape(prediction=prediction, y=y)
    error = F.huber_loss(prediction, y, reduction="none", delta=delta)
    if not _is_paper(scale):
        inside = math.sqrt(2.0 * math.pi) * math.erf(delta / math.sqrt(2.0))
        error = error + math.log(inside + 2.0 / delta * math.exp(-0.5 * delta**2))
    return over_items(error.sum(-1), reduction)


def gaussian_nll(
    mean: Tensor, log_var: Tensor, y: Tensor, *, scale: Scale = "exact", reduction: Reduction = "mean"
) -> Tensor:
    """Negative log-likelihood of a Gaussian with one variance per coordinate.

    Args:
        mean: ``(..., D)``.
        log_var: s = log variance, ``(..., D)``.
        y: targets, ``(..., D)``.
        scale: ``"paper"``: ``r^2 exp(-s) + s`` per coordinate; ``"exact"``: half of it plus ``0.5 log 2 pi``.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        Nats, ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if the shapes differ.

    Source: Gustafsson et al., ECCV 2020, supplement, eq. S1-S4, S7-S8.
    """
    mean, log_var, y = same_shape(mean=mean, log_var=log_var, y=y)
    # Scaled before it is squared: the inverse variance alone would overflow long before the quotient does.
    printed = ((y - mean) * (-0.5 * log_var).exp()).square() + log_var
    if not _is_paper(scale):
        printed = 0.5 * (printed + LOG_2PI)
    return over_items(printed.sum(-1), reduction)


def laplace_nll(
    mean: Tensor, log_scale: Tensor, y: Tensor, *, scale: Scale = "exact", reduction: Reduction = "mean"
) -> Tensor:
    """Negative log-likelihood of a Laplace density per coordinate.

    Args:
        mean: ``(..., D)``.
        log_scale: s = log b, ``(..., D)``.
        y: targets, ``(..., D)``.
        scale: ``"paper"``: ``|r| exp(-s) + s`` per coordinate; ``"exact"`` adds ``log 2``.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        Nats, ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if the shapes differ.

    Source: Gustafsson et al., ECCV 2020, supplement, eq. S5-S6.
    """
    mean, log_scale, y = same_shape(mean=mean, log_scale=log_scale, y=y)
    printed = (y - mean).abs() * (-log_scale).exp() + log_scale
    if not _is_paper(scale):
        printed = printed + math.log(2.0)
    return over_items(printed.sum(-1), reduction)


def laplace_multivariate_nll(
    mean: Tensor, log_scale: Tensor, y: Tensor, *, scale: Scale = "exact", reduction: Reduction = "mean"
) -> Tensor:
    """Negative log-likelihood of the elliptical Laplace density.

    ``p = exp(-r / 2) / (C_D prod_d sqrt(b_d))`` with ``r = sqrt(sum_d (y_d - mean_d)^2 / b_d + 1e-12)``; the
    small number keeps the gradient finite at the mean. In one dimension it is a Laplace of scale 2 sqrt(b).

    Args:
        mean: ``(..., D)``.
        log_scale: s = log b, the square of a length per coordinate, ``(..., D)``.
        y: targets, ``(..., D)``.
        scale: ``"paper"``: ``r + sum_d s_d``; ``"exact"``: half of it plus `laplace_multivariate_constant`.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        Nats, ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if the shapes differ.

    Source: Gustafsson et al., ECCV 2020, supplement, eq. S9-S10; the normaliser is missing there.
    """
    mean, log_scale, y = same_shape(mean=mean, log_scale=log_scale, y=y)
    r2 = ((y - mean) * (-0.5 * log_scale).exp()).square().sum(-1)
    printed = (r2 + 1e-12).sqrt() + log_scale.sum(-1)
    if not _is_paper(scale):
        printed = 0.5 * printed + laplace_multivariate_constant(y.shape[-1])
    return over_items(printed, reduction)


def laplace_multivariate_constant(target_dim: int) -> float:
    """log C_D, nats: the integral of ``exp(-|u| / 2)`` over D dimensions (C: 4, 8 pi, 64 pi, ...)."""
    # Surface of the unit sphere, 2 pi^(D/2) / Gamma(D/2), times the radial integral, Gamma(D) 2^D.
    half = 0.5 * target_dim
    sphere = math.log(2.0) + half * math.log(math.pi) - math.lgamma(half)
    return sphere + math.lgamma(target_dim) + target_dim * math.log(2.0)


def mdn_nll(
    logits: Tensor, mean: Tensor, log_var: Tensor, y: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """Negative log-likelihood of a mixture of K diagonal Gaussians; what the paper prints is this, exactly.

    Args:
        logits: unnormalised log-weights, ``(..., K)``.
        mean: ``(..., K, D)``.
        log_var: log variance, ``(..., K, D)``.
        y: targets, ``(..., D)``.
        reduction: ``"mean"`` or ``"sum"`` over items, or ``"none"``.

    Returns:
        Nats, ``()``, or ``(...)`` without reduction.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Gustafsson et al., ECCV 2020, supplement C.4; Bishop, "Mixture density networks", 1994.
    """
    if mean.ndim < 2 or logits.shape != mean.shape[:-1]:
        raise ShapeError(
            f"expected logits (..., K) for mean (..., K, D), got {tuple(logits.shape)}, {tuple(mean.shape)}."
        )
    if y.shape != (*mean.shape[:-2], mean.shape[-1]):
        raise ShapeError(f"expected y (..., D) for mean {tuple(mean.shape)}, got {tuple(y.shape)}.")
    (logits,) = widen(logits)
    log_p = -gaussian_nll(mean, log_var, y[..., None, :].expand_as(mean), reduction="none")
    return over_items(-(logits.log_softmax(-1) + log_p).logsumexp(-1), reduction)


def over_items(per_item: Tensor, reduction: Reduction) -> Tensor:
    """Reduce ``(...)`` over all its entries; `ebm.losses.functional.reduce` takes ``(B,)`` alone."""
    return per_item if reduction == "none" else reduce(per_item.flatten(), reduction)


def same_shape(**tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in their widest floating type, at least float32, if all have one shape ``(..., D)``.

    Raises:
        ShapeError: if the shapes differ (nothing is broadcast: that hides mistakes) or are empty.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    first, *others = shapes.values()  # compared, not hashed: in an exported graph sizes are symbols
    if len(first) == 0 or any(other != first for other in others):
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ShapeError(f"expected one shape (..., D) for all, got {got}.")
    return widen(*tensors.values())


def widen(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in their widest floating type, at least float32."""
    dtype = float_dtype(*tensors)
    return tuple(tensor.to(dtype) for tensor in tensors)


def _is_paper(scale: Scale) -> bool:
    if scale not in ("exact", "paper"):
        raise unknown_name("scale", str(scale), ("exact", "paper"))
    return scale == "paper"
