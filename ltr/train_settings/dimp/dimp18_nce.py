"""DiMP-NCE with ResNet-18: noise-contrastive estimation with the label as it is annotated."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp18_kld_is import RECIPE as DIMP18_KLD_IS
from ltr.train_settings.dimp.dimp_nce import RECIPE as DIMP_NCE

__all__ = ["RECIPE"]

RECIPE = replace(DIMP18_KLD_IS, name="dimp18_nce", box=DIMP_NCE.box)
