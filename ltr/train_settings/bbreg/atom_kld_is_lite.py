"""ATOM by KLD-IS on the light backbone, to compare."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_kld_is import RECIPE as ATOM_KLD_IS
from ltr.train_settings.bbreg.atom_nce_plus_lite import RECIPE as ATOM_NCE_PLUS_LITE

__all__ = ["RECIPE"]

RECIPE = replace(
    ATOM_NCE_PLUS_LITE,
    name="atom_kld_is_lite",
    box=replace(ATOM_KLD_IS.box, num_samples=ATOM_NCE_PLUS_LITE.box.num_samples),
)
