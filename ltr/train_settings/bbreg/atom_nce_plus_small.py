"""ATOM by NCE+ with the small network."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_nce_plus import RECIPE as ATOM_NCE_PLUS
from ltr.train_settings.bbreg.atom_small import RECIPE as ATOM_SMALL

__all__ = ["RECIPE"]

RECIPE = replace(
    ATOM_SMALL,
    name="atom_nce_plus_small",
    box=replace(ATOM_NCE_PLUS.box, num_samples=ATOM_SMALL.box.num_samples),
)
