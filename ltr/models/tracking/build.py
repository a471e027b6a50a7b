"""The one way in which the networks of the DiMP family are put together."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import nn

from ebm.exceptions import DomainError
from ebm.nn.backbone import Backbone
from ltr.models import parts
from ltr.models.backbone.named import layers_of_strides
from ltr.models.backbone.resnet import ResNet
from ltr.models.bbreg.atom_iou_net import AtomIoUNet
from ltr.models.layers.levels import JoinLevels
from ltr.models.meta.steepestdescent import GNSteepestDescent
from ltr.models.parts import Body, published_body, small_body
from ltr.models.target_classifier.features import norm_scale_for, residual_basic_block, residual_bottleneck
from ltr.models.target_classifier.initializer import FilterInitializerLinear
from ltr.models.target_classifier.linear_filter import LinearFilter
from ltr.models.target_classifier.optimizer import (
    DiMPL2SteepestDescentGN,
    DiMPSteepestDescentGN,
    PrDiMPSteepestDescentNewton,
)
from ltr.models.target_classifier.residual_modules import LinearFilterHinge
from ltr.models.tracking.arguments import (
    DiMP18Arguments,
    DiMP50SimpleArguments,
    DiMPL2Arguments,
    NetworkArguments,
    PrDiMP50Arguments,
)
from ltr.models.tracking.small_arguments import DiMPLiteArguments, SmallArguments

__all__ = [
    "DiMPParts",
    "basic_features",
    "body",
    "bottleneck_features",
    "dimp",
    "kl_newton",
    "l2_descent",
    "light_body",
    "light_dimp",
    "prdimp",
    "simple_descent",
    "slim_body",
    "steepest_descent",
]


class DiMPParts(NamedTuple):
    """What `DiMPnet` is made of, in the order of its parameters."""

    feature_extractor: Backbone
    classifier: LinearFilter
    bb_regressor: AtomIoUNet
    classification_layer: str | Sequence[str]
    bb_regressor_layer: Sequence[str]


Features = Callable[[int, NetworkArguments, bool], nn.Module]
"""Classifier features for a backbone layer of so many channels, rectified at the end or not."""


def basic_features(channels: int, arguments: NetworkArguments, final_relu: bool) -> nn.Module:
    """Classifier features of basic blocks as wide as the backbone layer."""
    return residual_basic_block(
        feature_dim=channels,
        num_blocks=arguments.clf_feat_blocks,
        l2norm=arguments.clf_feat_norm,
        final_conv=arguments.final_conv,
        norm_scale=norm_scale_for(arguments.out_feature_dim, arguments.filter_size),
        out_dim=arguments.out_feature_dim,
        final_relu=final_relu,
    )


def bottleneck_features(channels: int, arguments: NetworkArguments, final_relu: bool) -> nn.Module:
    """Classifier features of bottleneck blocks as wide as the backbone layer."""
    return residual_bottleneck(
        feature_dim=channels // 4,
        num_blocks=arguments.clf_feat_blocks,
        l2norm=arguments.clf_feat_norm,
        final_conv=arguments.final_conv,
        norm_scale=norm_scale_for(arguments.out_feature_dim, arguments.filter_size),
        out_dim=arguments.out_feature_dim,
        final_relu=final_relu,
    )


def body(make: Callable[..., ResNet], arguments: NetworkArguments) -> Body:
    """A ResNet and its box branch as the arguments describe them."""
    return published_body(
        make,
        pretrained=arguments.backbone_pretrained,
        frozen=arguments.frozen,
        iou_input_dim=arguments.iou_input_dim,
        iou_inter_dim=arguments.iou_inter_dim,
    )


def slim_body(arguments: SmallArguments) -> Body:
    """The small backbone and its box branch as the arguments describe them."""
    return small_body(
        arguments.backbone_width,
        pretrained=arguments.backbone_pretrained,
        frozen=arguments.frozen,
        iou_input_dim=arguments.iou_input_dim,
        iou_inter_dim=arguments.iou_inter_dim,
        iou_hidden_dim=arguments.iou_hidden_dim,
        layers=arguments.bb_regressor_layer,
    )


def light_body(arguments: DiMPLiteArguments) -> Body:
    """A backbone by its name and its box branch as the arguments describe them."""
    return parts.light_body(
        arguments.backbone,
        pretrained=arguments.backbone_pretrained,
        frozen=arguments.frozen,
        iou_input_dim=arguments.iou_input_dim,
        iou_inter_dim=arguments.iou_inter_dim,
        iou_hidden_dim=arguments.iou_hidden_dim,
        strides=arguments.box_strides,
    )


def dimp(
    body: Body,
    features: Features,
    optimizer: nn.Module,
    arguments: NetworkArguments,
    *,
    init_weights: str = "default",
    pool_square: bool = False,
    final_relu: bool = False,
) -> DiMPParts:
    """Join a body and a filter optimiser to the parts of a network.

    Args:
        body: backbone and box branch.
        features: builds the classifier features.
        optimizer: the filter optimiser.
        arguments: the constructor's arguments.
        init_weights: see `FilterInitializerLinear`.
        pool_square: see `FilterInitializerLinear`.
        final_relu: whether the classifier features are rectified before they are normalised.

    Raises:
        DomainError: if ``feat_stride`` is not the stride of the classifier's layer.
    """
    layer = arguments.classification_layer
    stride = body.backbone.out_feature_strides(layer)
    if stride != arguments.feat_stride:
        raise DomainError(
            f"feat_stride is {arguments.feat_stride}, but {layer} of this backbone has stride {stride}: pass "
            f"feat_stride={stride} or another classification_layer."
        )
    initializer = _initializer(arguments, stride, pool_square, init_weights)
    extractor = features(body.backbone.out_feature_channels(layer), arguments, final_relu)
    classifier = LinearFilter(arguments.filter_size, initializer, optimizer, extractor)
    return DiMPParts(body.backbone, classifier, body.bb_regressor, layer, body.bb_regressor_layer)


def light_dimp(arguments: DiMPLiteArguments) -> DiMPParts:
    """Parts of a network whose layers are named by their strides.

    Raises:
        DomainError: if the backbone has no layer of one of the strides, or there is not a weight for each.
    """
    strides, weights = arguments.classification_strides, arguments.classification_weights
    if not strides or len(strides) != len(weights):
        raise DomainError(
            f"classification_strides is {tuple(strides)} and classification_weights {tuple(weights)}; "
            "there is a weight for each stride, and at least one."
        )
    base = light_body(arguments)
    layers = layers_of_strides(base.backbone, strides)
    channels = sum(base.backbone.out_feature_channels(layer) for layer in layers)
    extractor = nn.Sequential(JoinLevels(weights), *closing_layers(channels, arguments))
    optimizer = steepest_descent(replace(arguments, feat_stride=strides[0]))
    initializer = _initializer(arguments, strides[0])
    classifier = LinearFilter(arguments.filter_size, initializer, optimizer, extractor)
    return DiMPParts(base.backbone, classifier, base.bb_regressor, layers, base.bb_regressor_layer)


def closing_layers(channels: int, arguments: NetworkArguments) -> nn.Sequential:
    """The closing convolution of classifier features and their norm."""
    return residual_basic_block(
        feature_dim=channels,
        num_blocks=0,
        final_conv=True,
        norm_scale=norm_scale_for(arguments.out_feature_dim, arguments.filter_size),
        out_dim=arguments.out_feature_dim,
    )


def _initializer(
    arguments: NetworkArguments, stride: int, pool_square: bool = False, init_weights: str = "default"
) -> FilterInitializerLinear:
    return FilterInitializerLinear(
        arguments.filter_size,
        arguments.out_feature_dim,
        feature_stride=stride,
        pool_square=pool_square,
        filter_norm=arguments.init_filter_norm,
        init_weights=init_weights,
    )


def prdimp(body: Body, features: Features, arguments: PrDiMP50Arguments) -> DiMPParts:
    """Parts of a PrDiMP network: the KL optimiser, and its ways to begin."""
    return dimp(
        body,
        features,
        kl_newton(arguments),
        arguments,
        init_weights=arguments.init_initializer,
        pool_square=arguments.init_pool_square,
        final_relu=arguments.final_relu,
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


def l2_descent(arguments: DiMPL2Arguments) -> DiMPL2SteepestDescentGN:
    """The filter optimiser with a fixed label as the constructor's arguments describe it."""
    return DiMPL2SteepestDescentGN(
        num_iter=arguments.optim_iter,
        feat_stride=arguments.feat_stride,
        init_step_length=arguments.optim_init_step,
        gauss_sigma=arguments.gauss_sigma,
        hinge_threshold=arguments.hinge_threshold,
        init_filter_reg=arguments.optim_init_reg,
        detach_length=arguments.detach_length,
        alpha_eps=arguments.alpha_eps,
    )


def kl_newton(arguments: PrDiMP50Arguments) -> PrDiMPSteepestDescentNewton:
    """PrDiMP's filter optimiser as the constructor's arguments describe it."""
    return PrDiMPSteepestDescentNewton(
        num_iter=arguments.optim_iter,
        feat_stride=arguments.feat_stride,
        init_step_length=arguments.optim_init_step,
        init_filter_reg=arguments.optim_init_reg,
        gauss_sigma=arguments.gauss_sigma,
        min_filter_reg=arguments.optim_min_reg,
        detach_length=arguments.detach_length,
        alpha_eps=arguments.alpha_eps,
        init_uni_weight=arguments.init_uni_weight,
        normalize_label=arguments.normalize_label,
        label_shrink=arguments.label_shrink,
        softmax_reg=arguments.softmax_reg,
        label_threshold=arguments.label_threshold,
    )


def simple_descent(arguments: DiMP50SimpleArguments) -> GNSteepestDescent:
    """The simple networks' filter optimiser, which is given its labels: ``train_label``."""
    residuals = LinearFilterHinge(
        feat_stride=arguments.feat_stride,
        init_filter_reg=arguments.optim_init_reg,
        hinge_threshold=arguments.hinge_threshold,
        activation_leak=arguments.activation_leak,
        score_act=arguments.score_act,
        act_param=arguments.act_param,
    )
    return GNSteepestDescent(
        residuals,
        num_iter=arguments.optim_iter,
        compute_losses=True,
        detach_length=arguments.detach_length,
        residual_batch_dim=1,
    )
