"""The classifier's loss."""

import torch


class LBHinge(torch.nn.Module):
    def __init__(self, error_metric=None, threshold=None, clip=None):
        super().__init__()
        self.error_metric, self.threshold = (
            error_metric or torch.nn.MSELoss(),
            -100 if threshold is None else threshold,
        )

    def forward(self, prediction, label, target_bb=None):
        negative = (label < self.threshold).float()
        prediction = negative * prediction.relu() + (1 - negative) * prediction
        return self.error_metric(prediction, (1 - negative) * label)
