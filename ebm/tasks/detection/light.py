"""A detector that a few CPU cores can train: Faster R-CNN on a feature pyramid over a light backbone."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ebm.images.backbones import build_backbone
from ebm.nn.backbone import Backbone
from ebm.nn.still import StillBackbone
from ebm.tasks.detection.pyramid import LevelRule

__all__ = ["BACKGROUND", "LightRecipe", "build_light"]

BACKGROUND = ""
LAYERS = ("stride4", "stride8", "stride16", "stride32")
STRIDES = (4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class LightRecipe:
    """Sizes of the light detector.

    Attributes:
        backbone: its name, see `ebm.images.backbones.BACKBONES`.
        channels: of the pyramid.
        hidden: units of the box head.
        short_side: to which images are resized, px.
        long_side: that they may have, px.
        canonical_size: see `LevelRule`.
        trained: parts of the backbone that are trained too, the last ones by name; none is trained first.
    """

    backbone: str = "efficientnet_lite0"
    channels: int = 64
    hidden: int = 256
    short_side: int = 240
    long_side: int = 320
    canonical_size: float = 112.0
    trained: tuple[str, ...] = ()

    @property
    def rule(self) -> LevelRule:
        """Levels of its feature maps."""
        return LevelRule(STRIDES, self.canonical_size)


class _LightPyramid(nn.Module):
    """Four maps of a backbone as a feature pyramid, in the form that torchvision's detectors take."""

    def __init__(self, body: Backbone, channels: int) -> None:
        from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

        super().__init__()
        self.body, self.out_channels = body, channels
        self.still = StillBackbone()
        widths = [body.channels[layer] for layer in LAYERS]
        self.fpn = FeaturePyramidNetwork(widths, channels, extra_blocks=LastLevelMaxPool())

    def forward(self, x: Tensor) -> Mapping[str, Tensor]:
        """Maps "0" to "3" of strides 4 to 32, and "pool" of stride 64."""
        maps = self.still(self.body, x, LAYERS)
        named = OrderedDict((str(place), maps[layer]) for place, layer in enumerate(LAYERS))
        found: Mapping[str, Tensor] = self.fpn(named)
        return found


def build_light(recipe: LightRecipe, names: Sequence[str], weights: str | None = None) -> tuple[Any, str]:
    """The light detector, its head fresh, and where the weights of its backbone are from.

    Args:
        recipe: sizes.
        names: of the classes; column 0 is the background, class k has column k + 1.
        weights: of the backbone, see `ebm.images.backbones.build_backbone`.

    Raises:
        InputError: if the backbone's weights cannot be had.
        MissingPackageError: if a package is not installed.
    """
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import MultiScaleRoIAlign

    body, origin = build_backbone(recipe.backbone, weights)
    body.freeze([part for part in body.parts() if part not in recipe.trained])
    pool = MultiScaleRoIAlign(
        ["0", "1", "2", "3"], 7, 2, canonical_scale=recipe.canonical_size, canonical_level=4
    )
    columns = len(names) + 1
    model = FasterRCNN(
        _LightPyramid(body, recipe.channels),
        min_size=recipe.short_side,
        max_size=recipe.long_side,
        image_mean=list(body.mean),
        image_std=list(body.std),
        rpn_anchor_generator=AnchorGenerator(
            tuple((size,) for size in (16, 32, 64, 128, 256)), ((0.5, 1.0, 2.0),) * 5
        ),
        rpn_pre_nms_top_n_train=500,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_train=300,
        rpn_post_nms_top_n_test=200,
        rpn_batch_size_per_image=128,
        box_roi_pool=pool,
        box_head=TwoMLPHead(recipe.channels * 7 * 7, recipe.hidden),
        box_predictor=FastRCNNPredictor(recipe.hidden, columns),
        box_batch_size_per_image=128,
    )
    return model, origin
