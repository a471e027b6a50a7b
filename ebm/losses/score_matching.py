"""Score matching, plain and denoising: losses of grad f alone, in which Z never appears."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ebm.checks import float_dtype, require_count, require_finite, require_generator, require_positive
from ebm.exceptions import DomainError, ShapeError
from ebm.gradients import ScoreFunction, score_and_gradient, score_and_trained_gradient
from ebm.losses.accumulate import accumulate, leaves_of
from ebm.losses.reduction import Reduction, reduce
from ebm.numbers import number_tensor

__all__ = [
    "FLAT",
    "DenoisingBatch",
    "ScoreTerms",
    "denoising_score_matching",
    "score_matching",
    "score_terms",
]

FLAT = (
    "the second derivative of the score in y is zero for the whole batch, as with a ReLU network: score "
    "matching then only flattens the score. Use smooth activations in y, or another loss."
)


def score_matching(score_fn: ScoreFunction, y: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Score matching, ``sum_d d^2 f / dy_d^2 + (1/2) |grad f|^2`` at the labels.

    Takes D second-order passes. The value has no lower bound.

    Args:
        score_fn: ``(B, 1, D) -> (B, 1)``, twice differentiable.
        y: labels ``(B, D)``.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Warns:
        UserWarning: if every second derivative is zero.

    Raises:
        ShapeError: if `y` is not ``(B, D)`` or the scores are not ``(B, 1)``.
        DomainError: if a label is not finite (looked at on the CPU) or the scores do not depend on y.

    Source: Hyvaerinen, JMLR 2005; Gustafsson et al., BMVC 2020, eq. 13.
    """
    y = _labels(y)
    if y.shape[0] == 0:
        return reduce(y.sum(-1), reduction)
    terms = score_terms(score_fn, y)
    if terms.is_flat:
        warnings.warn(FLAT, UserWarning, stacklevel=2)
    return reduce(terms.per_item, reduction)


def denoising_score_matching(
    score_fn: ScoreFunction,
    y: Tensor,
    sigma: float | Sequence[float] | Tensor,
    num_samples: int,
    *,
    generator: torch.Generator | None = None,
    chunk: int | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Denoising score matching, ``mean_m |grad f(u_m) + (u_m - y) / sigma^2|^2`` at noisy labels u_m.

    At its minimum grad f is the score of the label density widened by the noise.

    Args:
        score_fn: ``(B, M, D) -> (B, M)``, twice differentiable.
        y: labels ``(B, D)``.
        sigma: standard deviation of the noise, in the unit of y, one number or D.
        num_samples: M.
        generator: source of randomness on the device of `y`.
        chunk: noisy labels per label and pass. Graphs of smaller passes exist one at a time and their
            gradients are added up at once, for every leaf the scores depend on; what lies before `score_fn`
            is differentiated once per pass. The draws do not depend on it.
        reduction: ``"mean"`` or ``"sum"`` over B, or ``"none"``, which `chunk` allows without gradients only.

    Returns:
        ``()``, or ``(B,)`` without reduction.

    Raises:
        ShapeError: if `y` is not ``(B, D)`` or the scores do not fit.
        DomainError: (a ValueError) if a number or label is out of its domain, or for ``"none"`` with `chunk`.

    Source: Vincent, Neural Computation 2011; Gustafsson et al., BMVC 2020, eq. 14.
    """
    y = _labels(y)
    if y.shape[0] == 0:
        return reduce(y.sum(-1), reduction)
    batch = DenoisingBatch.draw(y, sigma, num_samples, generator=generator, chunk=chunk)
    if len(batch.slices) == 1 or not torch.is_grad_enabled():
        return reduce(batch.per_item(score_fn), reduction)
    if reduction == "none":
        raise DomainError(
            "chunk adds gradients of the reduced loss: use reduction 'mean' or 'sum', or no chunk."
        )
    return batch.accumulated(score_fn, lambda rows: reduce(rows, reduction))


@dataclass(frozen=True)
class ScoreTerms:
    """The parts of score matching at labels ``(B, D)``.

    Attributes:
        score: ``(B, 1)``.
        gradient: grad f, ``(B, D)``.
        trace: sum of the D second derivatives, ``(B,)``.
    """

    score: Tensor
    gradient: Tensor
    trace: Tensor

    @property
    def per_item(self) -> Tensor:
        """The loss per item, ``(B,)``."""
        return self.trace + 0.5 * self.gradient.square().sum(-1)

    @property
    def is_flat(self) -> bool:
        """Every second derivative is exactly zero; waits for the device."""
        return not bool(self.trace.detach().any())


def score_terms(score_fn: ScoreFunction, y: Tensor) -> ScoreTerms:
    """Score, gradient and trace at labels ``(B, D)``, differentiable where the caller wants gradients."""
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        point = score_and_gradient(score_fn, y[:, None], create_graph=True)
        trace = torch.zeros_like(y[:, 0])
        # A gradient without a graph is constant in y, and so are its derivatives.
        for d in range(y.shape[1]) if point.gradient.requires_grad else ():
            (second,) = torch.autograd.grad(
                point.gradient[..., d].sum(),
                point.y,
                create_graph=differentiable,
                retain_graph=True,
                allow_unused=True,
            )
            if second is not None:
                trace = trace + second[:, 0, d]
    terms = (point.score, point.gradient[:, 0], trace)
    return ScoreTerms(*(terms if differentiable else (term.detach() for term in terms)))


@dataclass
class DenoisingBatch:
    """Noisy labels and what became of them.

    Attributes:
        y: labels ``(B, D)``.
        noisy: ``(B, M, D)``.
        variance: of the noise, ``()`` or ``(D,)``.
        slices: the noisy labels of each pass.
        rows: detached share of each pass in the loss per item, ``(B,)``.
        gradient_norm: sum of ``|grad f|`` of each pass, ``(B,)``.
        scores: detached scores of each pass, ``(B, slice)``.
    """

    y: Tensor
    noisy: Tensor
    variance: Tensor
    slices: list[slice]
    rows: list[Tensor] = field(default_factory=list)
    gradient_norm: list[Tensor] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)

    @classmethod
    def draw(
        cls,
        y: Tensor,
        sigma: float | Sequence[float] | Tensor,
        num_samples: int,
        *,
        generator: torch.Generator | None = None,
        chunk: int | None = None,
    ) -> "DenoisingBatch":
        """Draw M noisy labels per label, see `denoising_score_matching`."""
        count = require_count("num_samples", num_samples)
        width = count if chunk is None else require_count("chunk", chunk)
        require_generator(generator, y=y)
        scale = noise_scale(sigma, y.shape[1]).to(y)
        noisy = torch.empty(y.shape[0], count, y.shape[1], dtype=y.dtype, device=y.device)
        noisy.normal_(generator=generator).mul_(scale).add_(y.detach()[:, None])
        slices = [slice(start, min(start + width, count)) for start in range(0, count, width)]
        return cls(y.detach(), noisy, scale.square(), slices)

    def per_item(self, score_fn: ScoreFunction) -> Tensor:
        """The loss per item ``(B,)``; the graphs of all passes are kept if gradients are on."""
        parts = [self._share(score_fn, part) for part in self.slices]
        return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)

    def accumulated(
        self,
        score_fn: ScoreFunction,
        weigh: Callable[[Tensor], Tensor],
        inputs: Sequence[Tensor] | None = None,
        sources: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """``weigh`` of the loss per item, with one pass's graph at a time, see `accumulate`.

        Args:
            score_fn: ``(B, slice, D) -> (B, slice)``.
            weigh: ``(B,) -> ()``, linear.
            inputs: what to differentiate; None is every leaf that the scores depend on, found with one more
                noisy label.
            sources: see `accumulate`.
        """
        if inputs is None:
            rows, at = self._pass(score_fn, slice(0, 1))
            inputs = leaves_of(rows, but=at)
            for record in (self.rows, self.gradient_norm, self.scores):
                record.clear()
        passes = [partial(self._share, score_fn, part) for part in self.slices]
        return accumulate(passes, weigh, inputs, sources)

    def _share(self, score_fn: ScoreFunction, part: slice) -> Tensor:
        return self._pass(score_fn, part)[0]

    def _pass(self, score_fn: ScoreFunction, part: slice) -> tuple[Tensor, Tensor]:
        """The share of some noisy labels in the loss per item ``(B,)``, and the leaf that holds these."""
        noisy = self.noisy[:, part]
        trained = torch.is_grad_enabled()
        point = (score_and_trained_gradient if trained else score_and_gradient)(score_fn, noisy)
        residual = (noisy - self.y[:, None]).div_(self.variance).add_(point.gradient)
        # The norm makes no squares of the size of the residual.
        rows = torch.linalg.vector_norm(residual.flatten(1), dim=1).square() / self.noisy.shape[1]
        self.rows.append(rows.detach())
        self.gradient_norm.append(torch.linalg.vector_norm(point.gradient.detach(), dim=-1).sum(1))
        self.scores.append(point.score.detach())
        return rows, point.y


def noise_scale(sigma: float | Sequence[float] | Tensor, dim: int) -> Tensor:
    """Standard deviations as a tensor ``()``, ``(1,)`` or ``(D,)``.

    Raises:
        DomainError: (a ValueError) unless they are finite and positive.
        ShapeError: if there are neither one nor D.
    """
    scale = number_tensor("sigma", sigma, torch.float64)
    require_positive("sigma", scale.flatten().tolist())
    if scale.shape not in ((), (1,), (dim,)):
        raise ShapeError(f"sigma must be one number or D = {dim}, got shape {tuple(scale.shape)}.")
    return scale


def _labels(y: Tensor) -> Tensor:
    if y.ndim != 2:
        raise ShapeError(f"expected y of shape (B, D), got {tuple(y.shape)}.")
    require_finite("y", y)
    return y.detach().to(float_dtype(y))
