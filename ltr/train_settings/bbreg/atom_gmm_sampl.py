"""The papers' ATOM*: overlaps of boxes drawn from a mixture, from a longer stretch of the video."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom import RECIPE as ATOM
from ltr.train_settings.recipe import OverlapRecipe

__all__ = ["RECIPE"]

RECIPE = replace(
    ATOM,
    name="atom_gmm_sampl",
    sampling=replace(ATOM.sampling, max_gap=200),
    box=OverlapRecipe.from_preset("tracking/atom*"),
)
