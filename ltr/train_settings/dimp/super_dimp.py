"""SuperDiMP: ResNet-50, large crops, four data sets with equal weight; parent of the family's settings."""

from ltr.train_settings.recipe import (
    BoxRecipe,
    DatasetShare,
    Geometry,
    NetworkRecipe,
    OptimiserRecipe,
    TrainRecipe,
)
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

GEOMETRY = Geometry()

DIMP_HEAD = {
    "filter_size": GEOMETRY.filter_size,
    "optim_iter": 5,
    "clf_feat_norm": True,
    "final_conv": True,
    "optim_init_step": 0.9,
    "optim_init_reg": 0.1,
    "init_gauss_sigma": GEOMETRY.label_sigma * GEOMETRY.feature_size,
    "num_dist_bins": 100,
    "bin_displacement": 0.1,
    "mask_init_factor": 3.0,
    "target_mask_act": "sigmoid",
    "score_act": "relu",
}

RECIPE = TrainRecipe(
    module="dimp",
    name="super_dimp",
    datasets=(
        DatasetShare(name="lasot"),
        DatasetShare(name="got10k", split="vottrain"),
        DatasetShare(name="trackingnet", sets=(0, 1, 2, 3)),
        DatasetShare(name="coco"),
    ),
    network=NetworkRecipe(
        constructor="dimpnet50",
        kwargs=DIMP_HEAD | {"clf_feat_blocks": 0, "out_feature_dim": 512},
        frozen=("conv1", "bn1", "layer1", "layer2"),
    ),
    optimiser=OptimiserRecipe(
        groups=(
            ParameterGroup(path="classifier.filter_initializer", lr=5e-5),
            ParameterGroup(path="classifier.filter_optimizer", lr=5e-4),
            ParameterGroup(path="classifier.feature_extractor", lr=5e-5),
            ParameterGroup(path="bb_regressor", lr=1e-3),
            ParameterGroup(path="feature_extractor.layer3", lr=2e-5),
        )
    ),
    box=BoxRecipe.from_preset("tracking/dimp-kld-is"),
    geometry=GEOMETRY,
)
