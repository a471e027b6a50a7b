"""DiMP on the light backbone: overlaps of perturbed boxes, to compare."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp_nce_plus_lite import RECIPE as DIMP_NCE_PLUS_LITE
from ltr.train_settings.recipe import OverlapRecipe

__all__ = ["RECIPE"]

RECIPE = replace(DIMP_NCE_PLUS_LITE, name="dimp_lite", box=OverlapRecipe())
