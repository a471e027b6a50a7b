"""Names that PyTracking expects and that current Python, NumPy and torchvision no longer have.

`ebm` needs Python 3.11 and a current torch, PyTracking was written for older ones. Importing this module puts
back what is missing and changes nothing that is there. It imports nothing of PyTracking.
"""

import collections
import collections.abc
import importlib

import numpy
import torchvision

__all__ = ["restore_names"]

# Removed by NumPy 1.24 and 2.0; what they stood for.
NUMPY_NAMES = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
    "float_": numpy.float64,
    "complex_": numpy.complex128,
    "unicode_": numpy.str_,
    "string_": numpy.bytes_,
    "Inf": numpy.inf,
    "NaN": numpy.nan,
}
RESNETS = (18, 34, 50, 101, 152)


def restore_names() -> None:
    """Put back containers of `collections`, NumPy's old names and torchvision's ResNet addresses."""
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    for name, kind in NUMPY_NAMES.items():
        if name not in vars(numpy):  # hasattr would warn
            setattr(numpy, name, kind)
    resnet = importlib.import_module("torchvision.models.resnet")
    if not hasattr(resnet, "model_urls"):
        weights = {f"resnet{depth}": f"ResNet{depth}_Weights" for depth in RESNETS}
        resnet.model_urls = {
            name: getattr(torchvision.models, kind).IMAGENET1K_V1.url for name, kind in weights.items()
        }


restore_names()
