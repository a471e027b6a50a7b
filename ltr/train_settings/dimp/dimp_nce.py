"""DiMP-NCE: noise-contrastive estimation with the label as it is annotated."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP

__all__ = ["RECIPE"]

RECIPE = replace(SUPER_DIMP, name="dimp_nce", box=replace(SUPER_DIMP.box, method="nce"))
