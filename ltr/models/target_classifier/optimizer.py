"""Unrolled optimisers of the target filter: DiMP's learned loss, its plain L2 loss, and PrDiMP's KL loss."""

import math

import torch
from torch import Tensor, nn

from ebm.lookup import lookup
from ltr.models.layers.activation import LeakyReluPar, score_activation
from ltr.models.layers.distance import DistanceMap
from ltr.models.target_classifier.filter_optimizer import FilterOptimizer, ScoreObjective
from ltr.models.target_classifier.score_objectives import (
    ActivatedSquares,
    SoftmaxCrossEntropy,
    gaussian_around,
    image_weight,
    root_weight,
)

__all__ = ["DiMPL2SteepestDescentGN", "DiMPSteepestDescentGN", "PrDiMPSteepestDescentNewton"]


class DiMPSteepestDescentGN(FilterOptimizer):
    """Gauss-Newton descent on DiMP's learned loss: label, mask and weight are functions of the distance.

    Args:
        num_iter: see `FilterOptimizer`, as all that is not named here.
        feat_stride: image pixels per feature cell.
        init_step_length: initial step factor.
        init_filter_reg: initial root of lambda.
        init_gauss_sigma: width of the initial label, cells; 0 labels the centre alone.
        num_dist_bins: number of values that describe each function.
        bin_displacement: their spacing, cells.
        mask_init_factor: steepness of the initial mask.
        score_act: ``"relu"`` or ``"bentpar"``.
        act_param: width of the bend for ``"bentpar"``.
        min_filter_reg: floor of the root of lambda.
        mask_act: ``"sigmoid"`` or ``"linear"``.
        detach_length: where to cut the graph.
        alpha_eps: added to lambda in the curvature.

    Raises:
        UnknownNameError: for another `score_act` or `mask_act`.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    def __init__(
        self,
        num_iter: int = 1,
        feat_stride: int = 16,
        init_step_length: float = 1.0,
        init_filter_reg: float = 1e-2,
        init_gauss_sigma: float = 1.0,
        num_dist_bins: int = 5,
        bin_displacement: float = 1.0,
        mask_init_factor: float = 4.0,
        score_act: str = "relu",
        act_param: float | None = None,
        min_filter_reg: float = 1e-3,
        mask_act: str = "sigmoid",
        detach_length: float = math.inf,
        alpha_eps: float = 0.0,
    ) -> None:
        super().__init__(
            num_iter, feat_stride, init_step_length, init_filter_reg, min_filter_reg, detach_length, alpha_eps
        )
        mask_acts: dict[str, tuple[nn.Module, float]]
        mask_acts = {"sigmoid": (nn.Sigmoid(), 0.0), "linear": (nn.Identity(), 0.5)}
        self.target_mask_act, offset = lookup("mask activation", mask_act, mask_acts)
        self.distance_map = DistanceMap(num_dist_bins, bin_displacement)
        distance = torch.arange(num_dist_bins, dtype=torch.float32) * bin_displacement
        self.label_map_predictor = _table(_initial_label(distance, init_gauss_sigma))
        mask = mask_init_factor * torch.tanh(2.0 - distance) + offset
        self.target_mask_predictor = nn.Sequential(_table(mask))
        self.spatial_weight_predictor = _table(torch.ones(num_dist_bins))
        self.score_activation, self.score_activation_deriv = score_activation(score_act, act_param)

    def objective(
        self, centers: Tensor, size: tuple[int, int], sample_weight: Tensor | float | None
    ) -> ScoreObjective:
        """The learned loss around `centers`; see `FilterOptimizer.objective`."""
        predictors = (self.label_map_predictor, self.target_mask_predictor, self.spatial_weight_predictor)
        table = torch.stack([next(p.parameters()).flatten() for p in predictors], dim=1)
        maps = self.distance_map.interpolate(table, centers.reshape(-1, 2), size)
        label, mask, spatial = maps.unflatten(1, centers.shape[:2])
        weight = root_weight(sample_weight, centers.shape[0])
        if sample_weight is None or isinstance(sample_weight, Tensor):
            weight = weight * spatial
        return ActivatedSquares(
            label=label,
            mask=self.target_mask_act(mask),
            weight=weight,
            activation=self.score_activation,
            derivative=self.score_activation_deriv,
        )


class DiMPL2SteepestDescentGN(FilterOptimizer):
    """Gauss-Newton descent on a least-squares fit to a Gaussian, hinged below a threshold of the label.

    Args:
        num_iter: see `FilterOptimizer`, as all that is not named here.
        feat_stride: image pixels per feature cell.
        init_step_length: initial step factor.
        gauss_sigma: width of the label, cells; 0 labels the nearest cell alone.
        hinge_threshold: where the label is not above it, only scores above zero count, against zero.
        init_filter_reg: initial root of lambda.
        min_filter_reg: floor of the root of lambda.
        detach_length: where to cut the graph.
        alpha_eps: added to lambda in the curvature.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    def __init__(
        self,
        num_iter: int = 1,
        feat_stride: int = 16,
        init_step_length: float = 1.0,
        gauss_sigma: float = 1.0,
        hinge_threshold: float = -999,
        init_filter_reg: float = 1e-2,
        min_filter_reg: float = 1e-3,
        detach_length: float = math.inf,
        alpha_eps: float = 0.0,
    ) -> None:
        super().__init__(
            num_iter, feat_stride, init_step_length, init_filter_reg, min_filter_reg, detach_length, alpha_eps
        )
        self.gauss_sigma = gauss_sigma
        self.hinge_threshold = hinge_threshold
        self.score_activation = LeakyReluPar()

    def objective(
        self, centers: Tensor, size: tuple[int, int], sample_weight: Tensor | float | None
    ) -> ScoreObjective:
        """The hinged squares around `centers`; see `FilterOptimizer.objective`."""
        label = gaussian_around(centers, size, self.gauss_sigma)
        mask = (label > self.hinge_threshold).to(label.dtype)
        return ActivatedSquares(
            label=label * mask,
            mask=mask,
            weight=root_weight(sample_weight, centers.shape[0]),
            activation=self.score_activation,
            derivative=_hinge_slope,
        )


class PrDiMPSteepestDescentNewton(FilterOptimizer):
    """Newton descent on the cross-entropy of a label density and the softmax of the scores.

    ``softmax_reg``, ``label_threshold``, ``label_shrink`` and what `FilterOptimizer` names may be changed at
    run time.

    Args:
        num_iter: see `FilterOptimizer`, as all that is not named here.
        feat_stride: image pixels per feature cell.
        init_step_length: initial step factor.
        init_filter_reg: initial root of lambda.
        gauss_sigma: width of the label density, cells; 0 labels the nearest cell alone.
        min_filter_reg: floor of the root of lambda.
        detach_length: where to cut the graph.
        alpha_eps: added to lambda in the curvature.
        init_uni_weight: share of a uniform density in the label; None for none.
        normalize_label: let the Gaussian add up to one within the map.
        label_shrink: share of the label density that is given up to "nowhere".
        softmax_reg: score of the outcome "nowhere"; None for no such outcome.
        label_threshold: densities up to it are set to zero.

    Source: Danelljan et al., "Probabilistic Regression for Visual Tracking", CVPR 2020, arXiv:2003.12565.
    """

    def __init__(
        self,
        num_iter: int = 1,
        feat_stride: int = 16,
        init_step_length: float = 1.0,
        init_filter_reg: float = 1e-2,
        gauss_sigma: float = 1.0,
        min_filter_reg: float = 1e-3,
        detach_length: float = math.inf,
        alpha_eps: float = 0.0,
        init_uni_weight: float | None = None,
        normalize_label: bool = False,
        label_shrink: float = 0,
        softmax_reg: float | None = None,
        label_threshold: float = 0.0,
    ) -> None:
        super().__init__(
            num_iter, feat_stride, init_step_length, init_filter_reg, min_filter_reg, detach_length, alpha_eps
        )
        self.gauss_sigma = gauss_sigma
        self.uni_weight = 0.0 if init_uni_weight is None else init_uni_weight
        self.normalize_label = normalize_label
        self.label_shrink = label_shrink
        self.softmax_reg = softmax_reg
        self.label_threshold = label_threshold

    def label_density(self, centers: Tensor, size: tuple[int, int]) -> Tensor:
        """The label density ``(I, S, h, w)`` around centres (row, column) in cells, ``(I, S, 2)``."""
        density = gaussian_around(centers, size, self.gauss_sigma)
        if self.gauss_sigma > 0:
            density = density / (2 * math.pi * self.gauss_sigma**2)
        density = torch.where(density > self.label_threshold, density, 0.0)
        if self.normalize_label:
            density = density / (density.sum(dim=(2, 3), keepdim=True) + 1e-8)
        uniform = self.uni_weight / (size[0] * size[1])
        return (1 - self.label_shrink) * ((1 - self.uni_weight) * density + uniform)

    def objective(
        self, centers: Tensor, size: tuple[int, int], sample_weight: Tensor | float | None
    ) -> ScoreObjective:
        """The cross-entropy to the density around `centers`; see `FilterOptimizer.objective`."""
        return SoftmaxCrossEntropy(
            label=self.label_density(centers, size),
            weight=image_weight(sample_weight, centers.shape[0]),
            reserve=self.softmax_reg,
        )


def _hinge_slope(scores: Tensor, mask: Tensor) -> Tensor:
    """1 where the mask is 1 or the score positive; a score of exactly zero has the slope of the flat side."""
    return torch.where(scores > 0, 1.0, mask)


def _initial_label(distance: Tensor, sigma: float) -> Tensor:
    """A Gaussian of the distance ``(K,)`` whose smallest value is zero; sigma 0 leaves the centre alone."""
    if sigma == 0:
        return (torch.arange(len(distance)) == 0).float()
    label = torch.exp(-0.5 * (distance / sigma).square())
    return label - label.min()


def _table(values: Tensor) -> nn.Conv2d:
    """Values at the distance bins ``(K,)``, held as a 1x1 convolution because checkpoints name them so."""
    conv = nn.Conv2d(len(values), 1, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(values.reshape(1, -1, 1, 1))
    return conv
