"""ATOM by NCE+ on the light backbone, for photos and videos: the box branch that a CPU trains in an hour."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom_nce_plus import RECIPE as ATOM_NCE_PLUS
from ltr.train_settings.real_data import DATASETS, VALIDATION
from ltr.train_settings.recipe import NetworkRecipe
from ltr.trainers.schedule import Schedule

__all__ = ["LIGHT_BACKBONE", "RECIPE"]

LIGHT_BACKBONE = ("conv_stem", "bn1", *(f"blocks.{stage}" for stage in range(5)))

RECIPE = replace(
    ATOM_NCE_PLUS,
    name="atom_nce_plus_lite",
    datasets=DATASETS,
    network=NetworkRecipe(constructor="atomnet_lite", frozen=LIGHT_BACKBONE),
    geometry=replace(ATOM_NCE_PLUS.geometry, crop_size=256, search_area_scale=4.5),
    # A photo is its own every frame: mirroring is what tells its frames apart.
    augmentation=replace(ATOM_NCE_PLUS.augmentation, flip_sample=0.5, flip_frame=0.5),
    sampling=replace(ATOM_NCE_PLUS.sampling, test_frames=2),
    jitter=replace(ATOM_NCE_PLUS.jitter, test_centre=3.0),
    box=replace(ATOM_NCE_PLUS.box, num_samples=64),
    optimiser=replace(ATOM_NCE_PLUS.optimiser, clip_norm=10.0),
    schedule=Schedule(kind="cosine", epochs=30, warmup=0.3),
    validation=VALIDATION,
    batch_size=16,
    samples_per_epoch=2048,
    precision="bf16",  # of the frozen features above all: three times as fast where a CPU has it
)
