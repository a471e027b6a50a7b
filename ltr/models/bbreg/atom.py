"""ATOM networks: a frozen backbone under a box branch, and their constructors.

Checkpoints name the constructors of this module: their names, argument order and defaults are fixed.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ebm.nn.backbone import Backbone
from ebm.nn.still import StillBackbone
from ltr.admin.model_constructor import NetConstructor, model_constructor
from ltr.models.backbone.resnet import ResNet, resnet18, resnet50
from ltr.models.bbreg.atom_iou_net import AtomIoUNet
from ltr.models.parts import SMALL_BBREG_LAYERS, light_body, published_body, small_body

__all__ = ["ATOMnet", "atom_resnet18", "atom_resnet50", "atom_resnet_small", "atomnet_lite"]


class ATOMnet(nn.Module):
    """The network of the ATOM family: it scores boxes; the target's place is learned while tracking.

    Args:
        feature_extractor: the backbone.
        bb_regressor: the box branch (`AtomIoUNet`).
        bb_regressor_layer: backbone layers that the box branch reads, the finer first.
        extractor_grad: False freezes the whole backbone, batch statistics included. The published networks
            were trained with frozen weights but with the statistics of each batch:
            ``net.feature_extractor.freeze("all", statistics=False)`` after construction does the same.

    Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", CVPR 2019, arXiv:1811.07628.
    """

    info: dict[str, Any]
    """The geometry it was trained with; training fills it and checkpoints store it as ``net_info``."""
    constructor: NetConstructor | None = None
    """How the network was built; stored in checkpoints."""

    def __init__(
        self,
        feature_extractor: Backbone,
        bb_regressor: AtomIoUNet,
        bb_regressor_layer: Sequence[str],
        extractor_grad: bool = True,
    ) -> None:
        super().__init__()
        self.feature_extractor = feature_extractor
        self._still = StillBackbone()
        self.bb_regressor = bb_regressor
        self.bb_regressor_layer = list(bb_regressor_layer)
        self.info = {"feature_stride": feature_extractor.out_feature_strides(self.bb_regressor_layer[-1])}
        if not extractor_grad:
            feature_extractor.freeze("all")

    def forward(
        self, train_imgs: Tensor, test_imgs: Tensor, train_bb: Tensor, test_proposals: Tensor
    ) -> Tensor:
        """Score boxes in the test frames, given the target in the first train frame.

        Args:
            train_imgs: normalised images, ``(I_train, S, 3, H, W)`` or ``(S, 3, H, W)``.
            test_imgs: normalised images, ``(I_test, S, 3, H, W)`` or ``(S, 3, H, W)``.
            train_bb: xywh boxes in image pixels, ``(I_train, S, 4)`` or ``(S, 4)``.
            test_proposals: xywh boxes in image pixels, ``(I_test, S, P, 4)`` or ``(S, P, 4)``.

        Returns:
            Scores f(x, y) of the boxes, ``(I_test, S, P)``.

        Raises:
            ShapeError: if images, boxes and proposals disagree.
        """
        train_imgs, test_imgs = _with_images(train_imgs, 5), _with_images(test_imgs, 5)
        train_bb, test_proposals = _with_images(train_bb, 3), _with_images(test_proposals, 4)
        leading = [tuple(x.shape[:2]) for x in (train_imgs, train_bb, test_imgs, test_proposals)]
        if leading[0] != leading[1] or leading[2] != leading[3] or leading[0][1] != leading[2][1]:
            raise ShapeError(
                f"Train images and boxes {leading[0]} and {leading[1]}, test images and proposals "
                f"{leading[2]} and {leading[3]} disagree; expected (I_train, S) and (I_test, S)."
            )
        layers = self.bb_regressor_layer
        train_feat = self.extract_backbone_features(train_imgs.flatten(0, 1))
        test_feat = self.extract_backbone_features(test_imgs.flatten(0, 1))
        scores: Tensor = self.bb_regressor(
            [train_feat[name] for name in layers],
            [test_feat[name] for name in layers],
            train_bb,
            test_proposals,
        )
        return scores

    def extract_backbone_features(
        self, im: Tensor, layers: Sequence[str] | None = None
    ) -> OrderedDict[str, Tensor]:
        """Features ``(N, C, H / stride, W / stride)`` by layer, of images ``(N, 3, H, W)``.

        Args:
            im: normalised images.
            layers: names of backbone layers; default what the box branch reads.
        """
        wanted = self.bb_regressor_layer if layers is None else layers
        return OrderedDict(self._still(self.feature_extractor, im, wanted))

    def get_backbone_bbreg_feat(self, backbone_feat: Mapping[str, Tensor]) -> list[Tensor]:
        """What the box branch reads, the finer level first."""
        return [backbone_feat[name] for name in self.bb_regressor_layer]

    def extract_features(self, im: Tensor, layers: Sequence[str]) -> OrderedDict[str, Tensor]:
        """The named backbone features, see `extract_backbone_features`."""
        return self.extract_backbone_features(im, layers)


def _with_images(x: Tensor, rank: int) -> Tensor:
    """`x` with a leading dimension of images, if it came without one."""
    return x[None] if x.dim() == rank - 1 else x


def _published(
    make: Callable[..., ResNet],
    iou_input_dim: Sequence[int],
    iou_inter_dim: Sequence[int],
    backbone_pretrained: bool,
) -> ATOMnet:
    body = published_body(
        make,
        pretrained=backbone_pretrained,
        frozen=(),
        iou_input_dim=iou_input_dim,
        iou_inter_dim=iou_inter_dim,
    )
    return ATOMnet(*body, extractor_grad=False)


@model_constructor
def atom_resnet18(
    iou_input_dim: Sequence[int] = (256, 256),
    iou_inter_dim: Sequence[int] = (256, 256),
    backbone_pretrained: bool = True,
) -> ATOMnet:
    """ATOM on a frozen ResNet-18.

    Args:
        iou_input_dim: channels of the box branch's two levels.
        iou_inter_dim: outputs of its two layers before the last.
        backbone_pretrained: fetch ImageNet weights for the backbone.
    """
    return _published(resnet18, iou_input_dim, iou_inter_dim, backbone_pretrained)


@model_constructor
def atom_resnet50(
    iou_input_dim: Sequence[int] = (256, 256),
    iou_inter_dim: Sequence[int] = (256, 256),
    backbone_pretrained: bool = True,
) -> ATOMnet:
    """ATOM on a frozen ResNet-50; the arguments are those of `atom_resnet18`."""
    return _published(resnet50, iou_input_dim, iou_inter_dim, backbone_pretrained)


@model_constructor
def atom_resnet_small(
    iou_input_dim: Sequence[int] = (32, 64),
    iou_inter_dim: Sequence[int] = (256, 256),
    backbone_pretrained: bool = False,
    *,
    backbone_width: int = 16,
    iou_hidden_dim: Sequence[int] = (32, 64),
    bb_regressor_layer: Sequence[str] = SMALL_BBREG_LAYERS,
) -> ATOMnet:
    """An ATOM of some 700,000 weights for 128 px crops; its backbone is trained with the rest.

    Args:
        iou_input_dim: channels of the box branch's two levels.
        iou_inter_dim: outputs of its two layers before the last.
        backbone_pretrained: asks for ImageNet weights, which do not exist for this backbone.
        backbone_width: channels of the first backbone stage; the others double it.
        iou_hidden_dim: channels inside the box branch's two levels.
        bb_regressor_layer: backbone layers that the box branch reads, the finer first.
    """
    body = small_body(
        backbone_width,
        pretrained=backbone_pretrained,
        frozen=(),
        iou_input_dim=iou_input_dim,
        iou_inter_dim=iou_inter_dim,
        iou_hidden_dim=iou_hidden_dim,
        layers=bb_regressor_layer,
    )
    return ATOMnet(*body)


@model_constructor
def atomnet_lite(
    iou_input_dim: Sequence[int] = (96, 128),
    iou_inter_dim: Sequence[int] = (256, 256),
    backbone_pretrained: bool = True,
    *,
    backbone: str = "efficientnet_lite0",
    iou_hidden_dim: Sequence[int] = (96, 128),
    box_strides: Sequence[int] = (8, 16),
) -> ATOMnet:
    """An ATOM on a frozen light backbone for crops of 128 to 256 px.

    Args:
        iou_input_dim: channels of the box branch's two levels.
        iou_inter_dim: outputs of its two layers before the last.
        backbone_pretrained: fill the backbone with ImageNet weights.
        backbone: its name, see `ltr.models.backbone.named.make_backbone`.
        iou_hidden_dim: channels inside the box branch's two levels.
        box_strides: of the two backbone layers that the box branch reads, the finer first.
    """
    body = light_body(
        backbone,
        pretrained=backbone_pretrained,
        frozen=(),
        iou_input_dim=iou_input_dim,
        iou_inter_dim=iou_inter_dim,
        iou_hidden_dim=iou_hidden_dim,
        strides=box_strides,
    )
    return ATOMnet(*body, extractor_grad=False)
