"""ATOM by NCE+: the second paper's best loss in the first paper's tracker."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_prob_ml import RECIPE as ATOM_PROB_ML
from ltr.train_settings.recipe import BoxRecipe

__all__ = ["RECIPE"]

RECIPE = replace(
    ATOM_PROB_ML,
    name="atom_nce_plus",
    box=replace(BoxRecipe.from_preset("tracking/dimp-nce+"), weight=ATOM_PROB_ML.box.weight),
)
