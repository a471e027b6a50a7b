"""DiMP-NCE+ on the light backbone, for photos and videos: a learned filter beside the box branch."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_nce_plus_lite import RECIPE as ATOM_NCE_PLUS_LITE
from ltr.train_settings.dimp.dimp_nce_plus_small import RECIPE as DIMP_NCE_PLUS_SMALL
from ltr.train_settings.recipe import OptimiserRecipe
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

LITE = ATOM_NCE_PLUS_LITE
GEOMETRY = replace(
    DIMP_NCE_PLUS_SMALL.geometry,
    crop_size=LITE.geometry.crop_size,
    search_area_scale=LITE.geometry.search_area_scale,
    filter_size=5,
)

RECIPE = replace(
    DIMP_NCE_PLUS_SMALL,
    name="dimp_nce_plus_lite",
    datasets=LITE.datasets,
    network=replace(
        LITE.network,
        constructor="dimpnet_lite",
        kwargs={"init_gauss_sigma": GEOMETRY.label_sigma * GEOMETRY.feature_size},
    ),
    optimiser=OptimiserRecipe(
        groups=(ParameterGroup(path="classifier", lr=1e-3), *LITE.optimiser.groups),
        clip_norm=LITE.optimiser.clip_norm,
    ),
    geometry=GEOMETRY,
    augmentation=LITE.augmentation,
    jitter=replace(DIMP_NCE_PLUS_SMALL.jitter, test_centre=LITE.jitter.test_centre),
    box=replace(LITE.box, weight=DIMP_NCE_PLUS_SMALL.box.weight),
    schedule=LITE.schedule,
    validation=LITE.validation,
    batch_size=LITE.batch_size,
    groups=LITE.groups,
    samples_per_epoch=LITE.samples_per_epoch,
    precision=LITE.precision,
)
