"""ATOM*, overlaps of boxes, on the light backbone, to compare."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_gmm_sampl import RECIPE as ATOM_GMM_SAMPL
from ltr.train_settings.bbreg.atom_nce_plus_lite import RECIPE as ATOM_NCE_PLUS_LITE

__all__ = ["RECIPE"]

RECIPE = replace(
    ATOM_NCE_PLUS_LITE,
    name="atom_lite",
    box=replace(ATOM_GMM_SAMPL.box, num_samples=ATOM_NCE_PLUS_LITE.box.num_samples),
)
