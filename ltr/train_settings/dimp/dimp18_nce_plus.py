"""DiMP-NCE+ with ResNet-18: noise-contrastive estimation that models the annotation's noise."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp18_kld_is import RECIPE as DIMP18_KLD_IS
from ltr.train_settings.dimp.dimp_nce_plus import RECIPE as DIMP_NCE_PLUS

__all__ = ["RECIPE"]

RECIPE = replace(DIMP18_KLD_IS, name="dimp18_nce_plus", box=DIMP_NCE_PLUS.box)
