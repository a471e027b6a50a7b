"""Data and image transforms that the added settings share; the ones of PyTracking's own settings."""

from typing import Any

from ..data import transforms as tfm
from ..data.image_loader import default_image_loader
from ..dataset import Lasot, MSCOCOSeq, TrackingNet
from .got10k import got10k

__all__ = ["NORMALISATION", "image_transforms", "joint_transform", "training_sets", "validation_sets"]

NORMALISATION = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
# Decodes with OpenCV where libjpeg-turbo is absent.
LOADER = {"image_loader": default_image_loader}


def training_sets(env: Any) -> list[Any]:
    """LaSOT, GOT-10k, four parts of TrackingNet and COCO, from the folders in ltr/admin/local.py."""
    return [
        Lasot(env.lasot_dir, split="train", **LOADER),
        got10k(env.got10k_dir, "vottrain", **LOADER),
        TrackingNet(env.trackingnet_dir, set_ids=list(range(4)), **LOADER),
        MSCOCOSeq(env.coco_dir, **LOADER),
    ]


def validation_sets(env: Any) -> list[Any]:
    """The validation part of GOT-10k that shares no sequence with VOT."""
    return [got10k(env.got10k_dir, "votval", **LOADER)]


def joint_transform(flip: bool) -> Any:
    """What happens alike to all frames of a sample."""
    steps = [tfm.ToGrayscale(probability=0.05)]
    return tfm.Transform(*steps, *([tfm.RandomHorizontalFlip(probability=0.5)] if flip else []))


def image_transforms(flip: bool) -> tuple[Any, Any]:
    """What happens to each crop, in training and in validation."""
    mean, std = NORMALISATION["mean"], NORMALISATION["std"]
    flips = [tfm.RandomHorizontalFlip(probability=0.5)] if flip else []
    train = tfm.Transform(tfm.ToTensorAndJitter(0.2), *flips, tfm.Normalize(mean=mean, std=std))
    return train, tfm.Transform(tfm.ToTensor(), tfm.Normalize(mean=mean, std=std))
