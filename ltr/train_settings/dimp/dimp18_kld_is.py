"""DiMP-KLD-IS with ResNet-18: KL divergence to a Gaussian around the label."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import DIMP_HEAD
from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP

__all__ = ["RECIPE"]

RECIPE = replace(
    SUPER_DIMP,
    name="dimp18_kld_is",
    network=replace(SUPER_DIMP.network, constructor="dimpnet18", kwargs=DIMP_HEAD),
)
