"""The backbone's starting weights from a file of one's own, where PyTracking knows a download alone."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = ["build_network"]


def build_network(build: Callable[..., Any], settings: Any, depth: int, weights: str, **options: Any) -> Any:
    """A network whose backbone starts from ImageNet weights.

    Args:
        build: PyTracking's constructor.
        settings: PyTracking's settings object. A field ``resnet<depth>_weights`` of its ``env``, the class in
            ltr/admin/local.py, is the file for all added settings.
        depth: of the ResNet.
        weights: file of this recipe, comes before the field; ``""`` for none.
        options: arguments of the constructor.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it holds no weights of this backbone.
    """
    field = f"resnet{depth}_weights"
    file = weights or getattr(settings.env, field, "")
    if not file:
        return build(backbone_pretrained=True, **options)
    path = Path(os.path.expanduser(str(file)))
    if not path.is_file():
        raise FileNotFoundError(
            f"No file {path} of ImageNet weights. It is named by `backbone_weights` of the recipe or by "
            f"{field} in ltr/admin/local.py; without either, torchvision's are downloaded."
        )
    network = build(backbone_pretrained=False, **options)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.feature_extractor.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} holds no weights of this ResNet-{depth}: {error}. Give torchvision's file, a state dict."
        ) from error
    print(f"Backbone: {path}")
    return network
