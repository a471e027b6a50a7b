"""Readers of the training datasets; each is imported when it is first asked for."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltr.dataset.coco import MSCOCOSeq
    from ltr.dataset.got10k import Got10k
    from ltr.dataset.lasot import LaSOT
    from ltr.dataset.trackingnet import TrackingNet

__all__ = ["Got10k", "LaSOT", "MSCOCOSeq", "TrackingNet"]

_HOME = {"Got10k": "got10k", "LaSOT": "lasot", "MSCOCOSeq": "coco", "TrackingNet": "trackingnet"}


def __getattr__(name: str) -> Any:
    """The reader called `name`."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
