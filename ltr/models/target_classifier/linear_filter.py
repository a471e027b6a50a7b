"""The target classifier: features, a first filter, and the optimiser that improves it."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ltr.models.layers.filter import apply_filter

__all__ = ["LinearFilter"]


class LinearFilter(nn.Module):
    """Scores every place of a frame by correlating its features with a filter learned from labelled frames.

    Args:
        filter_size: height and width of the filter.
        filter_initializer: ``(feat, bb) -> filter``.
        filter_optimizer: see `FilterOptimizer`; None keeps the first filter.
        feature_extractor: from backbone features to classifier features; None is the identity. Its
            convolutions and batch norms are initialised here.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    def __init__(
        self,
        filter_size: int,
        filter_initializer: nn.Module,
        filter_optimizer: nn.Module | None = None,
        feature_extractor: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.filter_size = filter_size
        self.filter_initializer = filter_initializer
        self.filter_optimizer = filter_optimizer
        self.feature_extractor = feature_extractor
        for module in () if feature_extractor is None else feature_extractor.modules():
            if isinstance(module, nn.Conv2d):
                kernel = module.kernel_size[0] * module.kernel_size[1]
                nn.init.normal_(module.weight, std=math.sqrt(2.0 / (kernel * module.out_channels)))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(
        self,
        train_feat: Tensor | Mapping[str, Tensor],
        test_feat: Tensor | Mapping[str, Tensor],
        train_bb: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> list[Tensor]:
        """Scores of the test frames under every iterate of the filter.

        Args:
            train_feat: backbone features of the labelled frames, ``(I_train, S, C, H, W)`` or flat.
            test_feat: the same of the test frames.
            train_bb: xywh boxes in image pixels, ``(I_train, S, 4)``.
            *args: passed to the filter optimiser.
            **kwargs: passed to the filter optimiser.

        Returns:
            One map ``(I_test, S, h, w)`` for the first filter and one for every iteration.
        """
        sequences = train_bb.shape[1]
        train = self.extract_classification_feat(train_feat, sequences)
        test = self.extract_classification_feat(test_feat, sequences)
        _, iterates, _ = self.get_filter(train, train_bb, *args, **kwargs)
        # One product with all iterates reads the test features once.
        return list(apply_filter(test, torch.stack(iterates, dim=1)).unbind(dim=2))

    def extract_classification_feat(
        self, feat: Tensor | Mapping[str, Tensor], num_sequences: int | None = None
    ) -> Tensor:
        """Classifier features ``(N, C, h, w)``, or ``(N / S, S, C, h, w)`` if S is given."""
        if isinstance(feat, Tensor) and feat.dim() == 5:
            feat = feat.flatten(0, 1)
        if self.feature_extractor is not None:
            feat = self.feature_extractor(feat)
        if not isinstance(feat, Tensor):
            raise ShapeError(
                "Features of several layers need a feature_extractor that joins them (interp_cat)."
            )
        return feat if num_sequences is None else feat.unflatten(0, (-1, num_sequences))

    def classify(self, weights: Tensor, feat: Tensor) -> Tensor:
        """Scores ``(I, S, h, w)`` of features ``(I, [S,] C, H, W)``, filters ``(S, C, kh, kw)``."""
        return apply_filter(feat, weights)

    def get_filter(
        self, feat: Tensor, bb: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, list[Tensor], list[Tensor] | None]:
        """First filter and its improvement; see `FilterOptimizer.forward` for the further arguments.

        Args:
            feat: classifier features, ``(I, S, C, H, W)`` or ``(I, C, H, W)``.
            bb: xywh boxes in image pixels, ``(I, S, 4)`` or ``(I, 4)``.
            *args: passed to the filter optimiser.
            **kwargs: passed to the filter optimiser.

        Returns:
            The last filter ``(S, C, kh, kw)``, all iterates, and their losses (None without an optimiser).
        """
        weights = self.filter_initializer(feat, bb)
        if self.filter_optimizer is None:
            return weights, [weights], None
        result: tuple[Tensor, list[Tensor], list[Tensor]]
        result = self.filter_optimizer(weights, *args, feat=feat, bb=bb, **kwargs)
        return result

    def train_classifier(self, backbone_feat: Tensor, bb: Tensor) -> tuple[Tensor, list[Tensor] | None]:
        """Filter from backbone features ``(I, S, C, H, W)`` and boxes ``(I, S, 4)``, and its losses."""
        feat = self.extract_classification_feat(backbone_feat, bb.shape[1])
        weights, _, losses = self.get_filter(feat, bb)
        return weights, losses

    def track_frame(self, filter_weights: Tensor, backbone_feat: Tensor) -> Tensor:
        """Scores of backbone features ``(I, S, C, H, W)`` under `filter_weights`."""
        sequences = backbone_feat.shape[1] if backbone_feat.dim() == 5 else None
        return apply_filter(self.extract_classification_feat(backbone_feat, sequences), filter_weights)
