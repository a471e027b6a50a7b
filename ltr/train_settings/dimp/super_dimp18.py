"""SuperDiMP with ResNet-18, which is the second paper's DiMP-KLD-IS with ResNet-18."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp18_kld_is import RECIPE as DIMP18_KLD_IS

__all__ = ["RECIPE"]

RECIPE = replace(DIMP18_KLD_IS, name="super_dimp18")
