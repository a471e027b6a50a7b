"""SuperDiMP-simple with ResNet-18."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp_simple import RECIPE as SUPER_DIMP_SIMPLE

__all__ = ["RECIPE"]

WIDE = ("clf_feat_blocks", "out_feature_dim")  # what a ResNet-50 changes in the classifier's features

RECIPE = replace(
    SUPER_DIMP_SIMPLE,
    name="super_dimp18_simple",
    network=replace(
        SUPER_DIMP_SIMPLE.network,
        constructor="dimpnet18_simple",
        kwargs={key: value for key, value in SUPER_DIMP_SIMPLE.network.kwargs.items() if key not in WIDE},
    ),
)
