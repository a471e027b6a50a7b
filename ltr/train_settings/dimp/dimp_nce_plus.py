"""DiMP-NCE+: noise-contrastive estimation that models the annotation's noise, the paper's best tracker."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP
from ltr.train_settings.recipe import BoxRecipe

__all__ = ["RECIPE"]

RECIPE = replace(SUPER_DIMP, name="dimp_nce_plus", box=BoxRecipe.from_preset("tracking/dimp-nce+"))
