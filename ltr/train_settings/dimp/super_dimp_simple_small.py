"""SuperDiMP-simple with the small network."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp_nce_plus_small import RECIPE as DIMP_NCE_PLUS_SMALL
from ltr.train_settings.dimp.super_dimp_simple import RECIPE as SUPER_DIMP_SIMPLE

__all__ = ["RECIPE"]

SMALL = DIMP_NCE_PLUS_SMALL

RECIPE = replace(
    SMALL,
    name="super_dimp_simple_small",
    network=replace(SMALL.network, constructor="dimpnet_small_simple", kwargs={}),
    box=replace(SUPER_DIMP_SIMPLE.box, num_samples=SMALL.box.num_samples, weight=SMALL.box.weight),
)
