"""DiMP-NCE+ with a network of a million parameters and 128 px crops: trains on a few CPU cores in minutes."""

from dataclasses import replace

from ltr.train_settings.dimp.dimp_nce_plus import RECIPE as DIMP_NCE_PLUS
from ltr.train_settings.recipe import NetworkRecipe, OptimiserRecipe, Validation
from ltr.trainers.optimiser import ParameterGroup
from ltr.trainers.schedule import Schedule

__all__ = ["RECIPE"]

GEOMETRY = replace(DIMP_NCE_PLUS.geometry, crop_size=128, search_area_scale=4.0, feature_stride=8)

RECIPE = replace(
    DIMP_NCE_PLUS,
    name="dimp_nce_plus_small",
    network=NetworkRecipe(
        constructor="dimpnet_small",
        kwargs={"init_gauss_sigma": GEOMETRY.label_sigma * GEOMETRY.feature_size},
        pretrained=False,
    ),
    optimiser=OptimiserRecipe(
        groups=(ParameterGroup(path="classifier", lr=2e-3), ParameterGroup(path="bb_regressor", lr=4e-3)),
        scratch_backbone_lr=2e-3,
        clip_norm=10.0,
    ),
    geometry=GEOMETRY,
    sampling=replace(DIMP_NCE_PLUS.sampling, train_frames=2, test_frames=2, max_gap=60),
    jitter=replace(DIMP_NCE_PLUS.jitter, train_centre=2.0, test_centre=3.0),
    box=replace(DIMP_NCE_PLUS.box, num_samples=64, weight=0.1),
    schedule=Schedule(kind="cosine", epochs=10, warmup=0.1),
    validation=Validation(every=2, samples=64),
    batch_size=16,
    groups=4,  # so that one, two or four cores train the same network
    samples_per_epoch=2048,
)
