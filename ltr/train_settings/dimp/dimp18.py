"""DiMP with ResNet-18: crops of 288 px, overlaps of perturbed boxes; parent of the first DiMP and PrDiMP."""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import DIMP_HEAD
from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP
from ltr.train_settings.recipe import NetworkRecipe, OptimiserRecipe, OverlapRecipe
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

GEOMETRY = replace(
    SUPER_DIMP.geometry,
    crop_size=18 * 16,
    search_area_scale=5.0,
    crop_type="replicate",
    max_scale_change=None,
)

RECIPE = replace(
    SUPER_DIMP,
    name="dimp18",
    datasets=tuple(replace(d, weight=0.25 if d.name == "lasot" else 1.0) for d in SUPER_DIMP.datasets),
    network=NetworkRecipe(
        constructor="dimpnet18",
        kwargs=DIMP_HEAD | {"init_gauss_sigma": GEOMETRY.label_sigma * GEOMETRY.feature_size},
    ),
    optimiser=OptimiserRecipe(
        groups=(
            *SUPER_DIMP.optimiser.groups[:4],  # classifier and box branch
            ParameterGroup(path="feature_extractor", lr=2e-4),
        )
    ),
    geometry=GEOMETRY,
    sampling=replace(SUPER_DIMP.sampling, max_gap=30),
    jitter=replace(SUPER_DIMP.jitter, test_centre=4.5),
    augmentation=replace(SUPER_DIMP.augmentation, flip_sample=0.0, flip_frame=0.0),
    box=OverlapRecipe(),
    validation=replace(SUPER_DIMP.validation, samples=5_000),
    batch_size=26,
    samples_per_epoch=26_000,
)
