"""Data terms of the filter losses as functions of the score maps, with slope and curvature."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ltr.models.layers.activation import softmax_reg

__all__ = ["ActivatedSquares", "SoftmaxCrossEntropy", "gaussian_around", "image_weight", "root_weight"]

Activation = Callable[[Tensor, Tensor], Tensor]
"""A function of scores and mask, both ``(I, S, h, w)``."""


@dataclass(frozen=True, kw_only=True)
class ActivatedSquares:
    """``sum (v (act(s, m) - y))^2``: a hinged least-squares fit of the scores; see `ScoreObjective`.

    Attributes:
        label: y, ``(I, S, h, w)``.
        mask: m, 1 where scores are fitted and 0 where only those above zero count, ``(I, S, h, w)``.
        weight: v, a number or a map.
        activation: ``act(s, m)``.
        derivative: its slope in s.
    """

    label: Tensor
    mask: Tensor
    weight: Tensor | float
    activation: Activation
    derivative: Activation

    def residual(self, scores: Tensor) -> Tensor:
        """``v (act(s, m) - y)``, the shape of `scores`."""
        return self.weight * (self.activation(scores, self.mask) - self.label)

    def slope(self, scores: Tensor) -> Tensor:
        """Derivative of the residual in the scores, cell by cell."""
        return self.weight * self.derivative(scores, self.mask)

    def loss(self, scores: Tensor) -> Tensor:
        """The sum of squares, ``(S,)``."""
        return self.residual(scores).square().sum(dim=(0, 2, 3))

    def gradient(self, scores: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Half the gradient, and half the Gauss-Newton curvature along a direction."""
        slope = self.slope(scores)
        return slope * self.residual(scores), lambda z: (slope * z).square().sum(dim=(0, 2, 3))


@dataclass(frozen=True, kw_only=True)
class SoftmaxCrossEntropy:
    """``sum_I w (LSE(s) - <p*, s>)`` over all cells of a map: a density fitted to a label density.

    Attributes:
        label: p*, ``(I, S, h, w)``; need not add up to one.
        weight: w, a number or ``(I, S)``.
        reserve: score of one more outcome, "nowhere"; None for no such outcome.
    """

    label: Tensor
    weight: Tensor | float
    reserve: float | None

    def loss(self, scores: Tensor) -> Tensor:
        """The weighted cross-entropy, ``(S,)``."""
        log_z = scores.flatten(2).logsumexp(dim=2)
        if self.reserve is not None:
            log_z = torch.logaddexp(log_z, torch.full_like(log_z, self.reserve))
        return (self.weight * (log_z - (self.label * scores).sum(dim=(2, 3)))).sum(dim=0)

    def gradient(self, scores: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Gradient, and the curvature along a direction: the variance of the direction under p."""
        share = softmax_reg(scores.flatten(2), 2, self.reserve).unflatten(2, scores.shape[2:])

        def curvature(z: Tensor) -> Tensor:
            moved = share * z
            variance = (moved * z).sum(dim=(2, 3)) - moved.sum(dim=(2, 3)).square()
            return (self.weight * variance.clamp(min=0.0)).sum(dim=0)

        weight = self.weight[..., None, None] if isinstance(self.weight, Tensor) else self.weight
        return weight * (share - self.label), curvature


def gaussian_around(centers: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """``exp(-d^2 / (2 sigma^2))`` of the distance d to a centre; with sigma 0 the nearest cell is 1.

    Args:
        centers: (row, column) in cells, ``(I, S, 2)``.
        size: map size (h, w).
        sigma: width, cells.

    Returns:
        ``(I, S, h, w)``.
    """
    rows, columns = (_bell(centers[..., k], size[k], sigma) for k in range(2))
    return rows[..., :, None] * columns[..., None, :]


def _bell(middle: Tensor, count: int, sigma: float) -> Tensor:
    """One axis of `gaussian_around`: ``(I, S)`` cells to ``(I, S, count)``."""
    offset = torch.arange(count, device=middle.device, dtype=middle.dtype) - middle[..., None]
    if sigma == 0:
        return torch.nn.functional.one_hot(offset.abs().argmin(dim=-1), count).to(middle.dtype)
    return torch.exp(offset.square() * (-0.5 / (sigma * sigma)))


def image_weight(sample_weight: Tensor | float | None, images: int) -> Tensor | float:
    """Weight of an image's term: as given, ``(I, S)`` or a number; None weighs all images alike."""
    return 1.0 / images if sample_weight is None else sample_weight


def root_weight(sample_weight: Tensor | float | None, images: int) -> Tensor | float:
    """Weight inside the square, ``(I, S, 1, 1)``; a number stands for itself, as published."""
    if isinstance(sample_weight, Tensor):
        return sample_weight.sqrt()[..., None, None]
    return math.sqrt(1.0 / images) if sample_weight is None else sample_weight
