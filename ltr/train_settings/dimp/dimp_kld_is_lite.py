"""DiMP-KLD-IS on the light backbone, to compare."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_kld_is_lite import RECIPE as ATOM_KLD_IS_LITE
from ltr.train_settings.dimp.dimp_nce_plus_lite import RECIPE as DIMP_NCE_PLUS_LITE

__all__ = ["RECIPE"]

RECIPE = replace(
    DIMP_NCE_PLUS_LITE,
    name="dimp_kld_is_lite",
    box=replace(ATOM_KLD_IS_LITE.box, weight=DIMP_NCE_PLUS_LITE.box.weight),
)
