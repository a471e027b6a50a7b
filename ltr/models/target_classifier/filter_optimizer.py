"""The iteration that every unrolled filter optimiser shares: steepest descent with the best step."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError, ShapeError
from ltr.models.layers.filter import apply_feat_transpose, apply_filter
from ltr.models.layers.precision import at_least_float32, full_precision

__all__ = ["FilterOptimizer", "ScoreObjective", "target_centers"]


class ScoreObjective(Protocol):
    """The data term of a filter loss as a function of the scores ``(I, S, h, w)``; sums are per sequence."""

    def loss(self, scores: Tensor) -> Tensor:
        """The data term at `scores`, ``(S,)``."""

    def gradient(self, scores: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Gradient in the scores ``(I, S, h, w)``, and the curvature there along a direction, ``(S,)``."""


class FilterOptimizer(nn.Module):
    """Steepest descent on ``data(scores) + lambda |f|^2`` with the step that a quadratic model finds best.

    A member of the family says what the data term is (`objective`); the iteration is the same for all.
    ``num_iter``, ``min_filter_reg`` and ``filter_reg[0]`` may be changed at run time.

    Args:
        num_iter: default number of iterations.
        feat_stride: image pixels per feature cell.
        init_step_length: initial value of the learned factor of the step.
        init_filter_reg: initial value of the learned root of lambda.
        min_filter_reg: floor of that root.
        detach_length: cut the graph at the filter before every so many iterations; infinity never does.
        alpha_eps: added to lambda in the curvature.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    def __init__(
        self,
        num_iter: int = 1,
        feat_stride: int = 16,
        init_step_length: float = 1.0,
        init_filter_reg: float = 1e-2,
        min_filter_reg: float = 1e-3,
        detach_length: float = math.inf,
        alpha_eps: float = 0.0,
    ) -> None:
        super().__init__()
        if not init_step_length > 0:
            raise DomainError(f"The step length must be positive, not {init_step_length}.")
        self.num_iter = num_iter
        self.feat_stride = feat_stride
        self.log_step_length = nn.Parameter(torch.full((1,), math.log(init_step_length)))
        self.filter_reg = nn.Parameter(torch.full((1,), float(init_filter_reg)))
        self.min_filter_reg = min_filter_reg
        self.detach_length = detach_length
        self.alpha_eps = alpha_eps

    @abstractmethod
    def objective(
        self, centers: Tensor, size: tuple[int, int], sample_weight: Tensor | float | None
    ) -> ScoreObjective:
        """The data term of one call.

        Args:
            centers: target centres (row, column) in score cells, ``(I, S, 2)``.
            size: score size (h, w).
            sample_weight: ``(I, S)``, a number that is used as it is, or None for equal weights.
        """

    def forward(
        self,
        weights: Tensor,
        feat: Tensor,
        bb: Tensor,
        sample_weight: Tensor | float | None = None,
        num_iter: int | None = None,
        compute_losses: bool = True,
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Improve the filters.

        Args:
            weights: filters to start from, ``(S, C, kh, kw)``.
            feat: features, ``(I, S, C, H, W)``, or ``(I, C, H, W)`` for one sequence.
            bb: xywh boxes in image pixels, ``(I, S, 4)`` or ``(I, 4)``.
            sample_weight: ``(I, S)`` or ``(I,)``; None weighs all images alike.
            num_iter: number of iterations, default as constructed.
            compute_losses: whether to evaluate the loss at every iterate.

        Returns:
            The last filter; all iterates, the first being `weights` (n + 1); their losses, each a scalar,
            or an empty list.

        Raises:
            ShapeError: if features, boxes and filters disagree on the number of images or sequences.
        """
        feat = feat[:, None] if feat.dim() == 4 else feat
        images, sequences = feat.shape[:2]
        if bb.numel() != images * sequences * 4 or weights.shape[0] != sequences:
            raise ShapeError(
                f"{tuple(weights.shape)} filters, {tuple(feat.shape)} features and {tuple(bb.shape)} boxes "
                "disagree; expected (S, C, kh, kw), (I, S, C, H, W) and (I, S, 4)."
            )
        kernel = (weights.shape[-2], weights.shape[-1])
        size = (feat.shape[-2] + (kernel[0] + 1) % 2, feat.shape[-1] + (kernel[1] + 1) % 2)
        if isinstance(sample_weight, Tensor):
            sample_weight = sample_weight.reshape(images, sequences)
        with full_precision(feat):
            centers = target_centers(
                at_least_float32(bb).reshape(images, sequences, 4), self.feat_stride, kernel
            )
            objective = self.objective(centers, size, sample_weight)
        steps = self.num_iter if num_iter is None else num_iter
        return self._descend(at_least_float32(weights), feat, objective, steps, compute_losses)

    def _descend(
        self, weights: Tensor, feat: Tensor, objective: ScoreObjective, steps: int, compute_losses: bool
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        reg = self.filter_reg.square().clamp(min=self.min_filter_reg**2)
        factor = self.log_step_length.exp()
        kernel = (weights.shape[-2], weights.shape[-1])
        iterates, losses = [weights], []
        scores: Tensor | None = None
        for i in range(steps):
            if self.detach_length <= 0 or (i > 0 and i % self.detach_length == 0):
                weights, scores = weights.detach(), None
            if scores is None:
                scores = apply_filter(feat, weights)
            if compute_losses:
                losses.append(self._total_loss(objective, scores, weights, reg))
            with full_precision(feat):
                slope, curvature = objective.gradient(scores)
            gradient = apply_feat_transpose(feat, slope, kernel, self.training) + reg * weights
            direction = apply_filter(feat, gradient)
            with full_precision(feat):
                energy = gradient.square().sum(dim=(1, 2, 3))
                bend = curvature(direction) + (reg + self.alpha_eps) * energy
                step = factor * (energy / bend.clamp(min=1e-8))
                weights = weights - step[:, None, None, None] * gradient
                # The scores are linear in the filter: moving them along saves one of two correlations.
                scores = scores - step[None, :, None, None] * direction
            iterates.append(weights)
        if compute_losses:
            scores = apply_filter(feat, weights) if scores is None else scores
            losses.append(self._total_loss(objective, scores, weights, reg))
        return weights, iterates, losses

    @staticmethod
    def _total_loss(objective: ScoreObjective, scores: Tensor, weights: Tensor, reg: Tensor) -> Tensor:
        with full_precision(scores):
            return (objective.loss(scores).sum() + (reg * weights.square().sum()).squeeze()) / scores.shape[1]


def target_centers(bb: Tensor, feat_stride: float, kernel: tuple[int, int]) -> Tensor:
    """Centres (row, column) of xywh boxes ``(..., 4)`` px in score cells; odd filters: half a cell less."""
    middle = (bb[..., :2] + bb[..., 2:] / 2).flip(-1) / feat_stride
    return middle - middle.new_tensor([(k % 2) / 2.0 for k in kernel])
