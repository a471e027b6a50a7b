"""ATOM* with the small network: 128 px crops, trains on a few CPU cores in minutes."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_gmm_sampl import RECIPE as ATOM_GMM_SAMPL
from ltr.train_settings.dimp.dimp_nce_plus_small import RECIPE as DIMP_NCE_PLUS_SMALL
from ltr.train_settings.recipe import NetworkRecipe
from ltr.trainers.optimiser import ParameterGroup

__all__ = ["RECIPE"]

SMALL = DIMP_NCE_PLUS_SMALL

RECIPE = replace(
    ATOM_GMM_SAMPL,
    name="atom_small",
    network=NetworkRecipe(constructor="atom_resnet_small", pretrained=False),
    optimiser=replace(SMALL.optimiser, groups=(ParameterGroup(path="bb_regressor", lr=4e-3),)),
    geometry=replace(
        ATOM_GMM_SAMPL.geometry,
        crop_size=SMALL.geometry.crop_size,
        search_area_scale=SMALL.geometry.search_area_scale,
        feature_stride=SMALL.geometry.feature_stride,
    ),
    sampling=replace(ATOM_GMM_SAMPL.sampling, max_gap=SMALL.sampling.max_gap),
    jitter=replace(ATOM_GMM_SAMPL.jitter, test_centre=SMALL.jitter.test_centre),
    box=replace(ATOM_GMM_SAMPL.box, num_samples=SMALL.box.num_samples),
    schedule=SMALL.schedule,
    validation=SMALL.validation,
    batch_size=SMALL.batch_size,
    groups=SMALL.groups,
    samples_per_epoch=SMALL.samples_per_epoch,
)
