"""PrDiMP with the small network."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp_nce_plus_small import RECIPE as DIMP_NCE_PLUS_SMALL
from ltr.train_settings.dimp.prdimp18 import RECIPE as PRDIMP18

__all__ = ["RECIPE"]

GEOMETRY = DIMP_NCE_PLUS_SMALL.geometry

RECIPE = replace(
    DIMP_NCE_PLUS_SMALL,
    name="prdimp_small",
    network=replace(
        DIMP_NCE_PLUS_SMALL.network,
        constructor="klcedimpnet_small",
        kwargs={"gauss_sigma": GEOMETRY.label_sigma * GEOMETRY.feature_size},
    ),
    box=replace(PRDIMP18.box, num_samples=DIMP_NCE_PLUS_SMALL.box.num_samples),
    classifier=PRDIMP18.classifier,
)
