"""PrDiMP with ResNet-50: the setting of ResNet-18 with a lower rate of the backbone."""

from dataclasses import replace

from ltr.train_settings.dimp.prdimp18 import RECIPE as PRDIMP18
from ltr.train_settings.recipe import NetworkRecipe, OptimiserRecipe
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

RECIPE = replace(
    PRDIMP18,
    name="prdimp50",
    network=NetworkRecipe(
        constructor="klcedimpnet50",
        kwargs={**PRDIMP18.network.kwargs, "clf_feat_blocks": 0, "out_feature_dim": 512},
    ),
    optimiser=OptimiserRecipe(
        groups=(*PRDIMP18.optimiser.groups[:2], ParameterGroup(path="feature_extractor", lr=2e-5))
    ),
    batch_size=10,
)
