"""The correction of a density in closed form: noise-contrastive estimation whose noise is that density."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from ebm.fitting.config import FitConfig
from ebm.fitting.network import PilotedEBM
from ebm.losses.base import LossOutput
from ebm.models import Features

__all__ = ["PilotLoss", "PilotedCriterion", "correction_config"]

# A correction starts from a good density, and is no better for being trained as long as one from nothing.
EPOCHS, PATIENCE = 60, 15
# Draws of the pilot that log Z of a row rests on while training is watched.
DRAWS = 256


def correction_config(config: FitConfig) -> FitConfig:
    """Budget and stopping rule of the correction."""
    return replace(config, epochs=min(config.epochs, EPOCHS), patience=min(config.patience, PATIENCE))


class PilotLoss(nn.Module):
    """Ranking NCE with noise drawn from the pilot: the label is to be told from M draws of p_pilot(y|x).

    log p_pilot drops out of the difference of scores, so that the correction alone is compared. The noise is
    independent of the label given x: the minimiser is the true conditional density at any M.

    Args:
        num_samples: M.

    Source: Gutmann and Hyvarinen, JMLR 2012; Ma and Collins, EMNLP 2018, section 4 (ranking, consistency).
    """

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def forward(
        self, model: PilotedEBM, features: Features, y: Tensor, *, generator: torch.Generator | None = None
    ) -> LossOutput:
        """The loss of standardised targets ``(B, D)``, nats."""
        noise = model.pilot.head.density(features[0]).sample(self.num_samples, generator)
        g = model.correction(features, torch.cat((y[:, None], noise), 1))
        per_item = g.logsumexp(1) - g[:, 0]
        return LossOutput(per_item.mean(), per_item)


class PilotedCriterion:
    """log p of standardised targets, with log Z from draws of the pilot that stay the same.

    Args:
        model: whose pilot is not changed any more.
    """

    def __init__(self, model: PilotedEBM) -> None:
        self.model = model
        self.draws: Tensor | None = None

    def __call__(self, features: Features, z: Tensor) -> Tensor:
        """``(B,)`` at labels `z` ``(B, D)``."""
        with torch.no_grad():
            if self.draws is None:
                generator = torch.Generator(z.device).manual_seed(0)
                self.draws = self.model.pilot.head.density(features[0]).sample(DRAWS, generator)
            log_z = self.model.correction(features, self.draws).logsumexp(1) - math.log(DRAWS)
            return self.model.score(features, z[:, None])[:, 0] - log_z
