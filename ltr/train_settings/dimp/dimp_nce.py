"""DiMP-NCE: noise-contrastive estimation with the label as it is annotated."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP
from ltr.train_settings.recipe import BoxRecipe

__all__ = ["RECIPE"]

RECIPE = replace(SUPER_DIMP, name="dimp_nce", box=BoxRecipe.from_preset("tracking/dimp-nce"))
