"""Losses of classifier score maps."""

import torch
from torch import Tensor, nn

__all__ = ["LBHinge"]


class LBHinge(nn.Module):
    """Regression loss that forgives low scores: where the label is background, only scores above zero count.

    Args:
        error_metric: compares scores and labels, default the mean squared error.
        threshold: labels below it are background; None means that none is.
        clip: upper bound of the loss; None for no bound.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    def __init__(
        self, error_metric: nn.Module | None = None, threshold: float | None = None, clip: float | None = None
    ) -> None:
        super().__init__()
        self.error_metric = nn.MSELoss() if error_metric is None else error_metric
        self.threshold = -100.0 if threshold is None else threshold
        self.clip = clip

    def forward(self, prediction: Tensor, label: Tensor, target_bb: Tensor | None = None) -> Tensor:
        """The loss, a scalar in float32.

        Args:
            prediction: scores, any shape.
            label: labels, same shape.
            target_bb: accepted for callers of the published signature; not used.
        """
        with torch.autocast(prediction.device.type, enabled=False):
            prediction, label = prediction.float(), label.float()
            background = label < self.threshold
            prediction = torch.where(background, prediction.relu(), prediction)
            loss: Tensor = self.error_metric(prediction, label.masked_fill(background, 0.0))
        return loss if self.clip is None else loss.clamp(max=self.clip)
