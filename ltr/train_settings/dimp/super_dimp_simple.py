"""SuperDiMP-simple: SuperDiMP whose filter is fitted to given labels, with nothing learned about them."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP

__all__ = ["RECIPE"]

KEPT = ("filter_size", "optim_iter", "clf_feat_norm", "final_conv", "clf_feat_blocks", "out_feature_dim")

RECIPE = replace(
    SUPER_DIMP,
    name="super_dimp_simple",
    network=replace(
        SUPER_DIMP.network,
        constructor="dimpnet50_simple",
        kwargs={key: SUPER_DIMP.network.kwargs[key] for key in KEPT}
        | {"optim_init_reg": 0.1, "score_act": "relu", "hinge_threshold": 0.05, "activation_leak": 0.1},
    ),
)
