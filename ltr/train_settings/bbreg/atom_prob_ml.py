"""ATOM as an energy-based model by maximum likelihood with importance sampling: the first paper's tracker."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_gmm_sampl import RECIPE as ATOM_GMM_SAMPL
from ltr.train_settings.recipe import BoxRecipe

__all__ = ["RECIPE"]

RECIPE = replace(
    ATOM_GMM_SAMPL,
    name="atom_prob_ml",
    box=replace(BoxRecipe.from_preset("tracking/atom-ml-is"), weight=1.0),
)
