"""The one way in which the networks of the DiMP family are put together."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from torch import nn

from ebm.exceptions import DomainError
from ltr.admin.backbone_weights import require_imagenet_weights
from ltr.models.backbone.resnet import ResNet, resnet18, resnet50, resnet_baby
from ltr.models.bbreg.atom_iou_net import AtomIoUNet
from ltr.models.target_classifier.features import norm_scale_for, residual_basic_block, residual_bottleneck
from ltr.models.target_classifier.initializer import FilterInitializerLinear
from ltr.models.target_classifier.linear_filter import LinearFilter
from ltr.models.target_classifier.optimizer import DiMPSteepestDescentGN
from ltr.models.tracking.arguments import DiMP18Arguments, DiMPSmallArguments

__all__ = [
    "BBREG_LAYERS",
    "DiMPParts",
    "assemble",
    "backbone_resnet18",
    "backbone_resnet50",
    "basic_features",
    "bottleneck_features",
    "dimp",
    "dimp_small",
    "iou_net",
    "steepest_descent",
]

BBREG_LAYERS = ("layer2", "layer3")


class DiMPParts(NamedTuple):
    """What `DiMPnet` is made of, in the order of its parameters."""

    feature_extractor: ResNet
    classifier: LinearFilter
    bb_regressor: AtomIoUNet
    classification_layer: str
    bb_regressor_layer: Sequence[str]


class ClassifierArguments(Protocol):
    """What every member of the family says about its classifier features and first filter."""

    @property
    def filter_size(self) -> int: ...
    @property
    def classification_layer(self) -> str: ...
    @property
    def feat_stride(self) -> int: ...
    @property
    def clf_feat_blocks(self) -> int: ...
    @property
    def clf_feat_norm(self) -> bool: ...
    @property
    def init_filter_norm(self) -> bool: ...
    @property
    def final_conv(self) -> bool: ...
    @property
    def out_feature_dim(self) -> int: ...


Features = Callable[[int, ClassifierArguments], nn.Module]
"""Classifier features for a backbone layer of so many channels."""


class BackboneArguments(Protocol):
    """What every member of the family says about its backbone."""

    @property
    def backbone_pretrained(self) -> bool: ...
    @property
    def frozen_backbone_layers(self) -> Sequence[str] | str: ...


def backbone_resnet18(arguments: BackboneArguments) -> ResNet:
    """A ResNet-18, with ImageNet weights if asked for."""
    return _pretrained(resnet18(frozen_layers=arguments.frozen_backbone_layers), arguments)


def backbone_resnet50(arguments: BackboneArguments) -> ResNet:
    """A ResNet-50, with ImageNet weights if asked for."""
    return _pretrained(resnet50(frozen_layers=arguments.frozen_backbone_layers), arguments)


def _pretrained(backbone: ResNet, arguments: BackboneArguments) -> ResNet:
    if arguments.backbone_pretrained:
        require_imagenet_weights(backbone)
    return backbone


def basic_features(channels: int, arguments: ClassifierArguments) -> nn.Module:
    """Classifier features of basic blocks as wide as the backbone layer."""
    return residual_basic_block(
        feature_dim=channels,
        num_blocks=arguments.clf_feat_blocks,
        l2norm=arguments.clf_feat_norm,
        final_conv=arguments.final_conv,
        norm_scale=norm_scale_for(arguments.out_feature_dim, arguments.filter_size),
        out_dim=arguments.out_feature_dim,
    )


def bottleneck_features(channels: int, arguments: ClassifierArguments) -> nn.Module:
    """Classifier features of bottleneck blocks as wide as the backbone layer."""
    return residual_bottleneck(
        feature_dim=channels // 4,
        num_blocks=arguments.clf_feat_blocks,
        l2norm=arguments.clf_feat_norm,
        final_conv=arguments.final_conv,
        norm_scale=norm_scale_for(arguments.out_feature_dim, arguments.filter_size),
        out_dim=arguments.out_feature_dim,
    )


def assemble(
    backbone: ResNet,
    features: Features,
    arguments: ClassifierArguments,
    optimizer: nn.Module,
    bb_regressor: AtomIoUNet,
    *,
    bb_regressor_layer: Sequence[str] = BBREG_LAYERS,
    init_weights: str = "default",
    pool_square: bool = False,
) -> DiMPParts:
    """Join backbone, filter optimiser and box branch to the parts of a network.

    Args:
        backbone: the feature extractor.
        features: builds the classifier features.
        arguments: the constructor's arguments.
        optimizer: the filter optimiser.
        bb_regressor: the box branch.
        bb_regressor_layer: the backbone layers that it reads.
        init_weights: see `FilterInitializerLinear`.
        pool_square: see `FilterInitializerLinear`.

    Raises:
        DomainError: if ``feat_stride`` is not the stride of the classifier's layer.
    """
    layer = arguments.classification_layer
    stride = backbone.out_feature_strides(layer)
    if stride != arguments.feat_stride:
        raise DomainError(
            f"feat_stride is {arguments.feat_stride}, but {layer} of this backbone has stride {stride}: pass "
            f"feat_stride={stride} or another classification_layer."
        )
    initializer = FilterInitializerLinear(
        arguments.filter_size,
        arguments.out_feature_dim,
        feature_stride=stride,
        pool_square=pool_square,
        filter_norm=arguments.init_filter_norm,
        init_weights=init_weights,
    )
    extractor = features(backbone.out_feature_channels(layer), arguments)
    classifier = LinearFilter(arguments.filter_size, initializer, optimizer, extractor)
    return DiMPParts(backbone, classifier, bb_regressor, layer, bb_regressor_layer)


def iou_net(
    backbone: ResNet, arguments: DiMP18Arguments, layers: Sequence[str] = BBREG_LAYERS, **widths: Any
) -> AtomIoUNet:
    """The box branch on the channels and strides of these layers; `widths` default to the published ones."""
    return AtomIoUNet(
        [backbone.out_feature_channels(layer) for layer in layers],
        arguments.iou_input_dim,
        arguments.iou_inter_dim,
        strides=[backbone.out_feature_strides(layer) for layer in layers],
        **widths,
    )


def steepest_descent(arguments: DiMP18Arguments) -> DiMPSteepestDescentGN:
    """DiMP's filter optimiser as the constructor's arguments describe it."""
    return DiMPSteepestDescentGN(
        num_iter=arguments.optim_iter,
        feat_stride=arguments.feat_stride,
        init_step_length=arguments.optim_init_step,
        init_filter_reg=arguments.optim_init_reg,
        init_gauss_sigma=arguments.init_gauss_sigma,
        num_dist_bins=arguments.num_dist_bins,
        bin_displacement=arguments.bin_displacement,
        mask_init_factor=arguments.mask_init_factor,
        score_act=arguments.score_act,
        act_param=arguments.act_param,
        mask_act=arguments.target_mask_act,
        detach_length=arguments.detach_length,
    )


def dimp(backbone: ResNet, features: Features, arguments: DiMP18Arguments) -> DiMPParts:
    """Parts of a DiMP network on this backbone."""
    return assemble(backbone, features, arguments, steepest_descent(arguments), iou_net(backbone, arguments))


def dimp_small(arguments: DiMPSmallArguments) -> DiMPParts:
    """Parts of the small network: a narrow backbone of three stages, read at strides 4 and 8.

    A target is only about 30 px wide in a crop of 128 px: boxes need cells of 4 px, places need 8 px.
    """
    backbone = resnet_baby(
        inplanes=arguments.backbone_width,
        layers=(2, 2, 2),
        num_classes=None,
        dilation_factor=4,
        frozen_layers=arguments.frozen_backbone_layers,
    )
    hidden, layers = arguments.iou_hidden_dim, arguments.bb_regressor_layer
    box_branch = iou_net(
        backbone, arguments, layers, reference_dim=hidden, reference_fc_dim=hidden[1], test_dim=hidden
    )
    return assemble(
        _pretrained(backbone, arguments),
        basic_features,
        arguments,
        steepest_descent(arguments),
        box_branch,
        bb_regressor_layer=layers,
    )
