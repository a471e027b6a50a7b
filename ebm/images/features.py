"""Pictures as features of a frozen backbone: which layers, over how many cells, of one view or two."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import InputError, ShapeError
from ebm.images.backbones import build_backbone, weights_digest
from ebm.lookup import lookup
from ebm.nn.backbone import Backbone
from ebm.nn.still import StillBackbone
from ebm.numbers import require_truth

__all__ = ["Extractor", "FeatureRecipe", "pooled"]

# Changes when the same pictures and weights would give other numbers.
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FeatureRecipe:
    """What becomes of a picture.

    Attributes:
        backbone: its name, see `ebm.images.backbones.BACKBONES`.
        size: side of the square that pictures are squeezed into, px.
        layers: feature maps by the name of the layer, and into how many cells a side each is averaged: one
            forgets where something was; several keep it, for pictures that are aligned as faces are.
        flip: look at the mirrored picture too.
        symmetric: what is asked is the same of a mirrored picture: both views are averaged, cell by cell. If
            not, the mirrored view stands for itself, a further picture to train on.

    Raises:
        DomainError: (a ValueError) if a number is not a positive integer, or a flag no truth value.
    """

    backbone: str = "efficientnet_lite0"
    size: int = 128
    layers: tuple[tuple[str, int], ...] = (("stride16", 2), ("stride32", 2))
    flip: bool = False
    symmetric: bool = True

    def __post_init__(self) -> None:
        require_count("size", self.size, least=32)
        require_truth("flip", self.flip)
        require_truth("symmetric", self.symmetric)
        layers = tuple((str(name), require_count("cells of a layer", cells)) for name, cells in self.layers)
        if not layers:
            raise ShapeError("layers must name at least one feature map.")
        object.__setattr__(self, "layers", layers)

    @property
    def views(self) -> int:
        """Of every picture, 1 or 2."""
        return 1 + self.flip

    def plain(self) -> dict[str, Any]:
        """The fields as numbers, strings and lists, for a file."""
        return asdict(self) | {"layers": [list(layer) for layer in self.layers]}


class Extractor:
    """A backbone that turns pixels into features.

    Args:
        recipe: which features.
        weights: see `ebm.images.backbones.build_backbone`.
        device: where the backbone runs.
        backbone: one with its weights, in place of the recipe's with `weights`.

    Raises:
        UnknownNameError: (a ValueError) if there is no such backbone or layer.
        InputError: if its weights cannot be had.

    Attributes:
        origin: where the weights are from.
        width: F, numbers of a view.
        digest: SHA-256 of all that the numbers of a picture depend on.
    """

    def __init__(
        self,
        recipe: FeatureRecipe,
        weights: str | Path | None = None,
        device: torch.device | str = "cpu",
        backbone: Backbone | None = None,
    ) -> None:
        self.recipe = recipe
        built = build_backbone(recipe.backbone, weights) if backbone is None else (backbone, "given weights")
        self.backbone, self.origin = built[0].to(device), built[1]
        self.backbone.freeze("all")
        self.backbone.eval()
        self._run = StillBackbone()
        channels = [lookup("layer", name, self.backbone.channels) for name, _ in recipe.layers]
        self.width = sum(c * cells**2 for c, (_, cells) in zip(channels, recipe.layers))
        self.weights = weights_digest(self.backbone)
        said = recipe.plain() | {"version": VERSION}
        text = json.dumps(said, sort_keys=True) + self.weights
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Features of pictures ``(B, S, S, 3)``: ``(B, V, F)`` float32 on the CPU, view by view.

        Raises:
            InputError: if one is not finite.
        """
        device = next(self.backbone.parameters()).device
        images = normalised(torch.from_numpy(pixels).to(device), self.backbone)
        views = []
        with torch.no_grad():
            for mirrored in (False, True)[: self.recipe.views]:
                seen = images.flip(3) if mirrored else images
                maps = self._run(self.backbone, seen, [name for name, _ in self.recipe.layers])
                views.append(pooled(maps, self.recipe, mirrored))
        features = torch.stack(views, 1).float().cpu()
        if not bool(features.isfinite().all()):
            raise InputError(
                f"the backbone's features are not finite: its weights ({self.origin}) are damaged."
            )
        return features


def normalised(pixels: Tensor, backbone: Backbone) -> Tensor:
    """Pixels ``(B, S, S, 3)``, 0 to 255, as the backbone takes them, ``(B, 3, S, S)``."""
    mean, std = (
        torch.tensor(part, device=pixels.device).view(3, 1, 1) for part in (backbone.mean, backbone.std)
    )
    return (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std


def pooled(maps: dict[str, Tensor], recipe: FeatureRecipe, mirrored: bool = False) -> Tensor:
    """Feature maps averaged over their cells, ``(B, F)``; mirrored back where views are to be averaged."""
    parts = []
    for name, cells in recipe.layers:
        averaged = F.adaptive_avg_pool2d(maps[name], cells)
        parts.append((averaged.flip(3) if mirrored and recipe.symmetric else averaged).flatten(1))
    return torch.cat(parts, 1)
