"""Losses as pure functions of scores f and log-densities, in log-space and in float32 or wider.

Scores may come from a network under autocast: they are widened before the first operation. Column or row
indices count candidates; B is the batch, M the number of noise samples. All values are in nats.
"""

import math

from torch import Tensor
from torch.nn.functional import logsigmoid

from ebm.checks import float_dtype, require_same_device, require_same_dtype
from ebm.exceptions import ShapeError
from ebm.losses.reduction import Reduction, reduce
from ebm.losses.score_matching import denoising_score_matching, score_matching

__all__ = [
    "Reduction",
    "cnce",
    "denoising_score_matching",
    "kld_is",
    "ml_is",
    "ml_mcmc",
    "nce",
    "reduce",
    "score_matching",
]


def ml_is(f_label: Tensor, f: Tensor, log_q: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Negative log-likelihood of the label with Z estimated by importance sampling.

    ``LSE_m (f_m - log q_m) - log M - f_label``. The estimate of log Z is biased downwards and the loss is
    not bounded below for finite M; below M = 16 prefer `cnce`.

    Args:
        f_label: scores of the labels, ``(B,)``.
        f: scores of the samples, ``(B, M)``; the label is not among them.
        log_q: log-density of the proposal at the samples, ``(B, M)``.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if the shapes do not fit or M is 0.

    Source: Gustafsson et al., ECCV 2020, eq. 4.
    """
    _require_scores(1, f=f, log_q=log_q)
    _require_label(f_label, f)
    f_label, f, log_q = _widen(f_label=f_label, f=f, log_q=log_q)
    return reduce((f - log_q).logsumexp(-1) - math.log(f.shape[1]) - f_label, reduction)


def kld_is(
    f: Tensor,
    log_q: Tensor,
    log_p: Tensor,
    *,
    self_normalize: bool = False,
    constant: Tensor | float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Kullback-Leibler divergence from a label density p(y | y_i) to the model, up to the entropy of p.

    ``LSE_m (f_m - log q_m) - log M - (1/M) sum_m exp(log p_m - log q_m) f_m``. It leaves out minus the
    entropy of p, hence may be negative.

    Args:
        f: scores of the samples, ``(B, M)``.
        log_q: log-density of the proposal at the samples, ``(B, M)``.
        log_p: log-density of the label distribution at the samples, ``(B, M)``.
        self_normalize: divide by the sum of the weights instead of M, which makes the loss invariant to a
            constant added to f; not in the paper.
        constant: added to every item, ``()`` or ``(B,)``; minus the entropy of p gives the divergence itself.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if the shapes differ or M is 0.

    Source: Gustafsson et al., BMVC 2020, eq. 7.
    """
    _require_scores(1, f=f, log_q=log_q, log_p=log_p)
    f, log_q, log_p = _widen(f=f, log_q=log_q, log_p=log_p)
    log_m = math.log(f.shape[1])
    log_ratio = log_p - log_q
    weights = log_ratio.softmax(-1) if self_normalize else log_ratio.sub_(log_m).exp_()
    per_item = (f - log_q).logsumexp(-1) - log_m - (weights * f).sum(-1)
    return reduce(per_item if constant is None else per_item + constant, reduction)


def nce(f: Tensor, log_q: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Noise-contrastive loss: find the label among 1 + M candidates.

    ``LSE_m (f_m - log q_m) - (f_0 - log q_0)``, at least 0. With row 0 the label this is NCE; with row 0 the
    label plus annotation noise, and log_q there still the un-narrowed p_N, it is NCE+. Its minimiser is
    log p + constant for M to infinity; with few samples around the label it is too narrow, see `cnce`.

    Args:
        f: scores, ``(B, 1 + M)``; index 0 is the label or perturbed label.
        log_q: log-density of the noise distribution at the same candidates, ``(B, 1 + M)``.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if the shapes differ or M is 0.

    Source: Gustafsson et al., BMVC 2020, eq. 12 and 16.
    """
    _require_scores(2, f=f, log_q=log_q)
    f, log_q = _widen(f=f, log_q=log_q)
    logits = f - log_q
    return reduce(logits.logsumexp(-1) - logits[:, 0], reduction)


def cnce(f: Tensor, log_ratio: Tensor | None = None, *, reduction: Reduction = "mean") -> Tensor:
    """Conditional noise-contrastive loss: tell the label from each of M noise samples, pair by pair.

    ``mean_m softplus(f_m - f_0 + log_ratio_m)``, at least 0; log 2 for a constant f. Where the samples are
    drawn around the label, its minimiser is log p + constant for every M, that of `nce` for large M alone.

    Args:
        f: scores, ``(B, 1 + M)``; index 0 is the label.
        log_ratio: ``log q(y_0 | y_m) - log q(y_m | y_0)``, nats, ``(B, M)``: how much likelier the noise is
            to lead back than to lead away; None is 0, for noise that is symmetric.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if the shapes do not fit or M is 0.

    Source: Ceylan and Gutmann, "Conditional Noise-Contrastive Estimation of Unnormalised Models", ICML 2018.
    """
    _require_scores(2, f=f)
    if log_ratio is None:
        (f,) = _widen(f=f)
        logits = f[:, :1] - f[:, 1:]
    else:
        if log_ratio.shape != (f.shape[0], f.shape[1] - 1):
            raise ShapeError(
                f"expected log_ratio of shape ({f.shape[0]}, {f.shape[1] - 1}), got {tuple(log_ratio.shape)}."
            )
        f, log_ratio = _widen(f=f, log_ratio=log_ratio)
        logits = f[:, :1] - f[:, 1:] - log_ratio
    # Not softplus, which cuts off at 20 and is then a straight line.
    return reduce(-logsigmoid(logits).mean(-1), reduction)


def ml_mcmc(f_label: Tensor, f_chain: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Maximum likelihood with samples of the model: ``mean_m f_m - f_label``.

    Its gradient is that of the negative log-likelihood where the samples follow the model; its value is no
    likelihood and has no bound.

    Args:
        f_label: scores of the labels, ``(B,)``.
        f_chain: scores of the ends of Markov chains, ``(B, M)``.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if the shapes do not fit or M is 0.

    Source: Gustafsson et al., BMVC 2020, eq. 8.
    """
    _require_scores(1, f_chain=f_chain)
    _require_label(f_label, f_chain)
    f_label, f_chain = _widen(f_label=f_label, f_chain=f_chain)
    return reduce(f_chain.mean(-1) - f_label, reduction)


def _require_scores(least: int, **tensors: Tensor) -> None:
    """All tensors ``(B, count)`` with one shape and at least `least` candidates."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) != 2:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ShapeError(f"expected equal shapes (B, candidates), got {got}.")
    count = next(iter(shapes.values()))[1]
    if count < least:
        raise ShapeError(f"expected at least {least} candidates per item, got {count}: M must be >= 1.")


def _require_label(f_label: Tensor, f: Tensor) -> None:
    if f_label.shape != f.shape[:1]:
        raise ShapeError(f"expected f_label of shape ({f.shape[0]},), got {tuple(f_label.shape)}.")


def _widen(**tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors in float32 or wider, after a check that device and precision agree."""
    require_same_device(**tensors)
    require_same_dtype(**tensors)
    return tuple(tensor.to(float_dtype(tensor)) for tensor in tensors.values())
