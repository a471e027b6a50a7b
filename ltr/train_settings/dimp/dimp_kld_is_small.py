"""DiMP-KLD-IS with the small network."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp_kld_is import RECIPE as DIMP_KLD_IS
from ltr.train_settings.dimp.dimp_nce_plus_small import RECIPE as DIMP_NCE_PLUS_SMALL

__all__ = ["RECIPE"]

SMALL = DIMP_NCE_PLUS_SMALL

RECIPE = replace(
    SMALL,
    name="dimp_kld_is_small",
    box=replace(DIMP_KLD_IS.box, num_samples=SMALL.box.num_samples, weight=SMALL.box.weight),
)
