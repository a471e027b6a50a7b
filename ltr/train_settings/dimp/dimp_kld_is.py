"""DiMP-KLD-IS: KL divergence to a Gaussian around the label by importance sampling, SuperDiMP's own loss."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP

__all__ = ["RECIPE"]

RECIPE = replace(SUPER_DIMP, name="dimp_kld_is")
