"""ATOM: overlaps of perturbed boxes on a frozen ResNet-18; parent of the family's settings.

Frozen here means weights and batch statistics. The published networks kept the weights but normalised by the
statistics of each batch, which also drifted: ``--set network.frozen_statistics=false``.
"""

from dataclasses import replace

from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP
from ltr.train_settings.recipe import (
    Geometry,
    Jitter,
    NetworkRecipe,
    OptimiserRecipe,
    OverlapRecipe,
    Sampling,
)
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

BACKBONE = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc")

RECIPE = replace(
    SUPER_DIMP,
    module="bbreg",
    name="atom",
    network=NetworkRecipe(constructor="atom_resnet18", frozen=BACKBONE),
    optimiser=OptimiserRecipe(groups=(ParameterGroup(path="bb_regressor", lr=1e-3),)),
    geometry=Geometry(crop_size=18 * 16, search_area_scale=5.0, crop_type="centred", max_scale_change=None),
    sampling=Sampling(train_frames=1, test_frames=1, max_gap=50, order="interval"),
    jitter=Jitter(train_centre=0.0, test_centre=4.5, train_scale=0.0, test_scale=0.5),
    augmentation=replace(SUPER_DIMP.augmentation, flip_sample=0.0, flip_frame=0.0),
    box=OverlapRecipe(num_samples=16),
    classifier=None,
    validation=replace(SUPER_DIMP.validation, samples=32_000),
    batch_size=64,
    samples_per_epoch=64_000,
)
