"""Names that PyTracking expects and that current Python, torch and torchvision no longer have.

`ebm` needs Python 3.11 and a current torch, PyTracking was written for older ones. Importing this module puts
back what is missing and changes nothing that is there. It imports nothing of PyTracking.
"""

import collections
import collections.abc
import importlib

import torch
import torchvision

__all__ = ["allow_checkpoints", "restore_names"]

# Classes that PyTracking's checkpoints name, besides tensors and standard containers.
CHECKPOINT_CLASSES = (
    ("ltr.admin.model_constructor", "NetConstructor"),
    ("ltr.admin.settings", "Settings"),
    ("ltr.admin.local", "EnvironmentSettings"),
    ("ltr.admin.stats", "AverageMeter"),
    ("ltr.admin.stats", "StatValue"),
)
RESNETS = (18, 34, 50, 101, 152)


def restore_names() -> None:
    """Put back the abstract containers of `collections` and torchvision's table of ResNet addresses."""
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    resnet = importlib.import_module("torchvision.models.resnet")
    if not hasattr(resnet, "model_urls"):
        weights = {f"resnet{depth}": f"ResNet{depth}_Weights" for depth in RESNETS}
        resnet.model_urls = {
            name: getattr(torchvision.models, kind).IMAGENET1K_V1.url for name, kind in weights.items()
        }


def allow_checkpoints() -> None:
    """Let `torch.load` rebuild the classes in PyTracking's checkpoints, and run no other code from a file.

    torch 2.6 and later refuse them otherwise. An empty class stands in for one that cannot be imported, so
    that tracking does not need the training side's local.py.
    """
    add = getattr(torch.serialization, "add_safe_globals", None)
    if add is None:
        return
    known = []
    for module, name in CHECKPOINT_CLASSES:
        try:
            known.append(getattr(importlib.import_module(module), name))
        except ImportError:
            # The class only holds paths or figures of the run that wrote the file.
            known.append((type(name, (), {}), f"{module}.{name}"))
    add(known)


restore_names()
