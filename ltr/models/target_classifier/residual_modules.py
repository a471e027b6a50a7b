"""Residuals of the target filter, for `GNSteepestDescent`."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError, ShapeError
from ltr.models.layers.activation import score_activation
from ltr.models.layers.filter import apply_feat_transpose, apply_filter
from ltr.models.layers.precision import at_least_float32, full_precision
from ltr.models.meta.steepestdescent import Linearised
from ltr.models.target_classifier.score_objectives import ActivatedSquares, root_weight

__all__ = ["LinearFilterHinge"]


class LinearFilterHinge(nn.Module):
    """Hinged fit of the scores to given labels, and the filter's own size.

    Args:
        feat_stride: accepted for callers of the published signature: labels come as maps.
        init_filter_reg: initial value of the learned factor of the filter among the residuals.
        hinge_threshold: where the label is not above it, only scores above zero count, against zero.
        activation_leak: slope that negative scores keep there.
        score_act: ``"relu"`` or ``"bentpar"``.
        act_param: width of the bend for ``"bentpar"``.
        learn_filter_reg: whether that factor is a parameter.

    Raises:
        UnknownNameError: for another `score_act`.
    """

    def __init__(
        self,
        feat_stride: int = 16,
        init_filter_reg: float = 1e-2,
        hinge_threshold: float = -999,
        activation_leak: float = 0.0,
        score_act: str = "bentpar",
        act_param: float | None = None,
        learn_filter_reg: bool = True,
    ) -> None:
        super().__init__()
        self.feat_stride = feat_stride
        self.hinge_threshold = hinge_threshold
        self.activation_leak = activation_leak
        self.score_activation, self.score_activation_deriv = score_activation(score_act, act_param)
        reg = torch.full((1,), float(init_filter_reg))
        self.filter_reg = nn.Parameter(reg) if learn_filter_reg else float(init_filter_reg)

    def forward(
        self,
        meta_parameter: Sequence[Tensor],
        feat: Tensor,
        bb: Tensor | None = None,
        train_label: Tensor | None = None,
        sample_weight: Tensor | float | None = None,
    ) -> list[Tensor]:
        """Residuals of one filter per sequence.

        Args:
            meta_parameter: the filters alone, ``[(S, C, kh, kw)]``.
            feat: features, ``(I, S, C, H, W)``, or ``(I, C, H, W)`` for one sequence.
            bb: accepted for callers of the published signature; not used.
            train_label: labels of score size, ``(I, S, h, w)``, or ``(I, h, w)`` for one sequence.
            sample_weight: ``(I, S)``, ``(I,)`` or of the rank of the scores; a number that is used as it is;
                None for equal weights.

        Returns:
            Residuals of the scores ``(I, S, h, w)`` and of the filter ``(1, S, C * kh * kw)``.

        Raises:
            InputError: without labels.
            ShapeError: if labels and scores disagree.
        """
        return self.linearise(meta_parameter, feat, bb, train_label, sample_weight).residuals

    def linearise(
        self,
        meta_parameter: Sequence[Tensor],
        feat: Tensor,
        bb: Tensor | None = None,
        train_label: Tensor | None = None,
        sample_weight: Tensor | float | None = None,
    ) -> Linearised:
        """The residuals and their Jacobian in closed form; arguments as in `forward`.

        The scores are linear in the filter: two correlations replace differentiating twice.
        """
        (weights,) = meta_parameter
        scores = apply_filter(feat, weights)
        with full_precision(feat):
            squares = self._squares(scores, train_label, sample_weight)
            slope = squares.slope(scores)
            residuals = [squares.residual(scores), self._regular(weights)]
        kernel = (weights.shape[-2], weights.shape[-1])

        def pull(u: Sequence[Tensor]) -> list[Tensor]:
            scores_part = apply_feat_transpose(feat, slope * u[0], kernel, self.training)
            return [scores_part + self.filter_reg * u[1].reshape(weights.shape)]

        def push(v: Sequence[Tensor]) -> list[Tensor]:
            return [slope * apply_filter(feat, v[0]), self._regular(v[0])]

        return Linearised(residuals, pull, push)

    def _regular(self, weights: Tensor) -> Tensor:
        """The filter among the residuals, ``(1, S, C * kh * kw)``."""
        return (self.filter_reg * weights).reshape(1, weights.shape[0], -1)

    def _squares(
        self, scores: Tensor, label: Tensor | None, sample_weight: Tensor | float | None
    ) -> ActivatedSquares:
        if label is None:
            raise InputError(
                "This network's filter is fitted to label maps: pass train_label (I, S, h, w), the batch's "
                "'train_label'."
            )
        if label.numel() != scores.numel() or label.shape[-2:] != scores.shape[-2:]:
            raise ShapeError(
                f"train_label has shape {tuple(label.shape)}; the scores need {tuple(scores.shape)}."
            )
        label = at_least_float32(label).reshape(scores.shape)
        mask = ((label > self.hinge_threshold).to(label.dtype) + self.activation_leak).clamp(max=1.0)
        if isinstance(sample_weight, Tensor):
            # root_weight lays (I, S) over the maps; a weight of the scores' rank has one value per cell.
            if sample_weight.dim() == 4:
                weight: Tensor | float = sample_weight.sqrt()
            else:
                weight = root_weight(sample_weight.reshape(scores.shape[:2]), len(scores))
        else:
            weight = root_weight(sample_weight, len(scores))
        return ActivatedSquares(
            label=mask * label,
            mask=mask,
            weight=weight,
            activation=self.score_activation,
            derivative=self.score_activation_deriv,
        )
