"""DiMP-NCE+: noise-contrastive estimation that models the annotation's noise, the paper's best tracker."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP

__all__ = ["RECIPE"]

RECIPE = replace(
    SUPER_DIMP,
    name="dimp_nce_plus",
    box=replace(SUPER_DIMP.box, method="nce_plus", beta=0.1, beta_mode="std"),
)
