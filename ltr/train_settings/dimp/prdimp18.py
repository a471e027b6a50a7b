"""PrDiMP with ResNet-18: densities of the target's place and of its box, both by KL divergence."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp18 import RECIPE as DIMP18
from ltr.train_settings.recipe import BoxRecipe, DensityRecipe, NetworkRecipe, OptimiserRecipe
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

GEOMETRY = DIMP18.geometry

PRDIMP_HEAD = {
    "filter_size": GEOMETRY.filter_size,
    "optim_iter": 5,
    "clf_feat_norm": True,
    "final_conv": True,
    "optim_init_step": 1.0,
    "optim_init_reg": 0.05,
    "optim_min_reg": 0.05,
    "gauss_sigma": GEOMETRY.label_sigma * GEOMETRY.feature_size,
    "alpha_eps": 0.05,
    "normalize_label": True,
    "init_initializer": "zero",
}

RECIPE = replace(
    DIMP18,
    name="prdimp18",
    network=NetworkRecipe(constructor="klcedimpnet18", kwargs=PRDIMP_HEAD),
    optimiser=OptimiserRecipe(
        groups=(
            ParameterGroup(path="classifier", lr=1e-3),
            ParameterGroup(path="bb_regressor", lr=1e-3),
            ParameterGroup(path="feature_extractor", lr=2e-4),
        )
    ),
    sampling=replace(DIMP18.sampling, max_gap=200),
    box=replace(BoxRecipe.from_preset("tracking/prdimp"), weight=0.0025),
    classifier=DensityRecipe(),
)
