"""Readers of the training datasets; each is imported when it is first asked for."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltr.dataset.coco import MSCOCOSeq
    from ltr.dataset.got10k import Got10k
    from ltr.dataset.imagenet_vid import ImagenetVID
    from ltr.dataset.lasot import LaSOT
    from ltr.dataset.opening import open_dataset
    from ltr.dataset.own_folders import FolderVideos
    from ltr.dataset.packed import PackedVideos
    from ltr.dataset.trackingnet import TrackingNet

__all__ = [
    "FolderVideos",
    "Got10k",
    "ImagenetVID",
    "LaSOT",
    "MSCOCOSeq",
    "PackedVideos",
    "TrackingNet",
    "open_dataset",
]

_HOME = {
    "FolderVideos": "own_folders",
    "Got10k": "got10k",
    "ImagenetVID": "imagenet_vid",
    "LaSOT": "lasot",
    "MSCOCOSeq": "coco",
    "PackedVideos": "packed",
    "TrackingNet": "trackingnet",
    "open_dataset": "opening",
}


def __getattr__(name: str) -> Any:
    """The reader called `name`."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
