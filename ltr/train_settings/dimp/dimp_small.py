"""DiMP with the small network: overlaps of perturbed boxes."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp_nce_plus_small import RECIPE as DIMP_NCE_PLUS_SMALL
from ltr.train_settings.recipe import OverlapRecipe

__all__ = ["RECIPE"]

RECIPE = replace(DIMP_NCE_PLUS_SMALL, name="dimp_small", box=OverlapRecipe())
