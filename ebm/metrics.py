"""Figures of merit as the papers compute them: divergence on a grid, absolute error, the best runs' mean."""

from typing import Literal

import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import ShapeError
from ebm.lookup import unknown_name

__all__ = ["best_k_mean", "grid_kl", "mean_absolute_error"]

# Added to a true density, not to its log, before it is normalised over the grid.
DENSITY_FLOOR = 1e-30
# A row whose exponentials add up to less counts as uniform in the released evaluation.
LEAST_ROW_SUM = 1e-40


def grid_kl(
    f: Tensor,
    log_p: Tensor,
    *,
    arithmetic: Literal["stable", "released"] = "stable",
    floor: float = DENSITY_FLOOR,
    reduction: Literal["mean", "none"] = "mean",
) -> Tensor:
    """KL divergence from a known density to a model, both normalised over a uniform grid of y.

    Args:
        f: scores of the model, ``(..., X, G)``: X inputs, G grid points; leading dimensions are models.
        log_p: true log-density, -inf where there is none, ``(X, G)`` or as `f`.
        arithmetic: ``"stable"`` takes log-softmax in float64. ``"released"`` repeats the authors' evaluation:
            exponentials in float32 without a maximum subtracted, a row without mass counted as uniform; an
            exponential that underflows makes the divergence inf, one that overflows makes it NaN.
        floor: added to the true density, in its own unit, so that ``0 log 0`` never occurs.
        reduction: ``"mean"`` over the X inputs, or ``"none"``.

    Returns:
        Nats, ``(...)``, or ``(..., X)`` without reduction; float64. NaN is the mean over no inputs, X = 0.

    Raises:
        ShapeError: if the shapes do not fit.
        UnknownNameError: (a ValueError) for another arithmetic or reduction.

    Source: Gustafsson et al., BMVC 2020, appendix B, and the released evaluation.
    """
    if f.ndim < 2 or log_p.ndim < 2 or f.shape[-2:] != log_p.shape[-2:]:
        raise ShapeError(
            f"expected f (..., X, G) and log_p (X, G), got {tuple(f.shape)} and {tuple(log_p.shape)}."
        )
    if arithmetic not in ("stable", "released"):
        raise unknown_name("arithmetic", str(arithmetic), ("stable", "released"))
    if reduction not in ("mean", "none"):
        raise unknown_name("reduction", str(reduction), ("mean", "none"))
    p = log_p.double().exp() + floor
    p = p / p.sum(-1, keepdim=True)
    log_q = f.double().log_softmax(-1) if arithmetic == "stable" else _released_log_q(f)
    crossed = torch.where(p > 0, p * log_q, 0).sum(-1)  # 0 * -inf counts as 0
    per_input = -torch.special.entr(p).sum(-1) - crossed
    return per_input.mean(-1) if reduction == "mean" else per_input


def mean_absolute_error(prediction: Tensor, y: Tensor, *, per_coordinate: bool = False) -> Tensor:
    """Mean absolute error, in the unit of the targets.

    Args:
        prediction: ``(B, D)``.
        y: labels ``(B, D)``.
        per_coordinate: one value per coordinate, as for yaw, pitch and roll; else their mean.

    Returns:
        ``()``, or ``(D,)``; NaN for B = 0.

    Raises:
        ShapeError: if the shapes differ or are not ``(B, D)``.
    """
    if prediction.shape != y.shape or y.ndim != 2:
        raise ShapeError(
            "expected prediction and y of one shape (B, D), "
            f"got {tuple(prediction.shape)} and {tuple(y.shape)}."
        )
    errors = (prediction - y).abs().mean(0)
    return errors if per_coordinate else errors.mean()


def best_k_mean(values: Tensor, k: int = 5) -> Tensor:
    """Mean of the k smallest values; NaN sorts last, behind inf.

    Args:
        values: one per run, ``(..., R)``.
        k: 1 to R.

    Returns:
        ``(...)``; inf or NaN where fewer than k runs have a finite value.

    Raises:
        DomainError: (a ValueError) if k is no integer of at least 1.
        ShapeError: if there are fewer than k runs.
    """
    k = require_count("k", k)
    if values.ndim == 0 or values.shape[-1] < k:
        raise ShapeError(
            f"the best {k} runs need values of shape (..., R >= {k}), got {tuple(values.shape)}."
        )
    return values.sort(dim=-1).values[..., :k].mean(-1)


def _released_log_q(f: Tensor) -> Tensor:
    q = f.float().exp()
    total = q.sum(-1, keepdim=True)
    uniform = q.new_ones(()).div(q.shape[-1])
    return torch.where(total <= LEAST_ROW_SUM, uniform, q / total).double().log()
