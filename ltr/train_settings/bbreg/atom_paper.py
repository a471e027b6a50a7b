"""ATOM on the data of its paper: without GOT-10k, with eleven sets of TrackingNet; the twelfth validates."""

from dataclasses import replace

from ltr.train_settings.bbreg.atom import RECIPE as ATOM
from ltr.train_settings.recipe import DatasetShare

__all__ = ["RECIPE"]

RECIPE = replace(
    ATOM,
    name="atom_paper",
    datasets=(
        DatasetShare(name="lasot"),
        DatasetShare(name="trackingnet", sets=tuple(range(11))),
        DatasetShare(name="coco"),
    ),
    validation=replace(ATOM.validation, data=DatasetShare(name="trackingnet", sets=(11,))),
)
