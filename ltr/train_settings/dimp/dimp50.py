"""DiMP with ResNet-50: the setting of ResNet-18 with lower rates of box branch and backbone."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp18 import RECIPE as DIMP18
from ltr.train_settings.recipe import NetworkRecipe, OptimiserRecipe
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

RECIPE = replace(
    DIMP18,
    name="dimp50",
    network=NetworkRecipe(
        constructor="dimpnet50",
        kwargs={**DIMP18.network.kwargs, "clf_feat_blocks": 0, "out_feature_dim": 512},
    ),
    optimiser=OptimiserRecipe(
        groups=(
            *DIMP18.optimiser.groups[:3],
            ParameterGroup(path="bb_regressor", lr=2e-4),
            ParameterGroup(path="feature_extractor", lr=2e-5),
        )
    ),
    batch_size=10,
)
