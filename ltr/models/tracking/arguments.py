"""Arguments of the network constructors: order, names and defaults that checkpoints rely on."""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

__all__ = [
    "DiMP18Arguments",
    "DiMP18SimpleArguments",
    "DiMP50Arguments",
    "DiMP50SimpleArguments",
    "DiMPL2Arguments",
    "NetworkArguments",
    "PrDiMP18Arguments",
    "PrDiMP50Arguments",
    "takes",
]

_FIRST = "filter_size optim_iter optim_init_step optim_init_reg"
_FEATURES = (
    "classification_layer feat_stride backbone_pretrained clf_feat_blocks clf_feat_norm init_filter_norm "
    "final_conv out_feature_dim"
)
_BOXES = "iou_input_dim iou_inter_dim"
_PRDIMP = (
    f"{_FIRST} {_FEATURES} gauss_sigma {_BOXES} detach_length alpha_eps train_feature_extractor "
    "init_uni_weight optim_min_reg init_initializer normalize_label label_shrink softmax_reg label_threshold "
    "final_relu"
)


@dataclass(frozen=True, kw_only=True)
class NetworkArguments:
    """What all constructors of the DiMP family share.

    Checkpoints store only what was passed: order and defaults never change.
    """

    order: ClassVar[str]
    """The constructor's parameters in order, with blanks between."""

    filter_size: int = 1
    """Height and width of the target filter, cells."""
    optim_iter: int = 5
    """Iterations of the filter optimiser."""
    optim_init_reg: float = 0.01
    """Initial root of the filter's regularisation."""
    classification_layer: str = "layer3"
    """Backbone layer that the classifier reads."""
    feat_stride: int = 16
    """Image pixels per cell of that layer; must be the layer's own."""
    backbone_pretrained: bool = True
    """Fetch ImageNet weights for the backbone."""
    clf_feat_blocks: int = 1
    """Residual blocks of the classifier features."""
    clf_feat_norm: bool = True
    """Normalise the classifier features."""
    init_filter_norm: bool = False
    """Divide the first filter by its number of weights."""
    final_conv: bool = True
    """Close the classifier features with a 3x3 convolution."""
    out_feature_dim: int = 256
    """Channels of the classifier features."""
    iou_input_dim: Sequence[int] = (256, 256)
    """Channels of the box branch's two levels."""
    iou_inter_dim: Sequence[int] = (256, 256)
    """Outputs of its two layers before the last."""
    detach_length: float = math.inf
    """Cut the graph before every so many filter iterations."""
    frozen_backbone_layers: Sequence[str] | str = ()
    """Backbone layers to freeze."""

    @property
    def frozen(self) -> Sequence[str] | str:
        """Backbone layers to freeze, all things considered."""
        return self.frozen_backbone_layers


@dataclass(frozen=True, kw_only=True)
class DiMP18Arguments(NetworkArguments):
    """Arguments of ``dimpnet18``."""

    order = (
        f"{_FIRST} {_FEATURES} init_gauss_sigma num_dist_bins bin_displacement mask_init_factor {_BOXES} "
        "score_act act_param target_mask_act detach_length frozen_backbone_layers"
    )

    optim_init_step: float = 1.0
    """Initial step factor of the filter optimiser."""
    init_gauss_sigma: float = 1.0
    """Width of the initial label, cells."""
    num_dist_bins: int = 5
    """Values that describe each learned function of the distance."""
    bin_displacement: float = 1.0
    """Their spacing, cells."""
    mask_init_factor: float = 4.0
    """Steepness of the initial target mask."""
    score_act: str = "relu"
    """Activation of the scores in the filter's loss."""
    act_param: float | None = None
    """Parameter of that activation."""
    target_mask_act: str = "sigmoid"
    """Activation of the target mask."""


@dataclass(frozen=True, kw_only=True)
class DiMP50Arguments(DiMP18Arguments):
    """Arguments of ``dimpnet50``."""

    clf_feat_blocks: int = 0
    out_feature_dim: int = 512


@dataclass(frozen=True, kw_only=True)
class DiMP50SimpleArguments(NetworkArguments):
    """Arguments of ``dimpnet50_simple``."""

    order = (
        f"filter_size optim_iter optim_init_reg {_FEATURES} hinge_threshold {_BOXES} activation_leak "
        "score_act act_param detach_length frozen_backbone_layers"
    )

    clf_feat_blocks: int = 0
    out_feature_dim: int = 512
    hinge_threshold: float = 0.05
    """Labels up to it are background."""
    activation_leak: float = 0.0
    """Slope of negative scores there."""
    score_act: str = "relu"
    """Activation of the scores in the filter's loss."""
    act_param: float | None = None
    """Parameter of that activation."""


@dataclass(frozen=True, kw_only=True)
class DiMP18SimpleArguments(DiMP50SimpleArguments):
    """Arguments of ``dimpnet18_simple``."""

    clf_feat_blocks: int = 1
    out_feature_dim: int = 256


@dataclass(frozen=True, kw_only=True)
class DiMPL2Arguments(NetworkArguments):
    """Arguments of ``L2dimpnet18``."""

    order = f"{_FIRST} {_FEATURES} {_BOXES} detach_length hinge_threshold gauss_sigma alpha_eps"

    optim_init_step: float = 1.0
    """Initial step factor of the filter optimiser."""
    hinge_threshold: float = -999
    """Labels up to it are background."""
    gauss_sigma: float = 1.0
    """Width of the label, cells."""
    alpha_eps: float = 0
    """Added to the regularisation in the curvature."""


@dataclass(frozen=True, kw_only=True)
class PrDiMP50Arguments(NetworkArguments):
    """Arguments of ``klcedimpnet50``."""

    order = f"{_PRDIMP} frozen_backbone_layers"

    clf_feat_blocks: int = 0
    out_feature_dim: int = 512
    optim_init_step: float = 1.0
    """Initial step factor of the filter optimiser."""
    gauss_sigma: float = 1.0
    """Width of the label density, cells."""
    alpha_eps: float = 0.0
    """Added to the regularisation in the curvature."""
    train_feature_extractor: bool = True
    """False freezes the whole backbone."""
    init_uni_weight: float | None = None
    """Share of a uniform density in the label."""
    optim_min_reg: float = 1e-3
    """Floor of the root of the regularisation."""
    init_initializer: str = "default"
    """Weights of the filter initialiser: ``"default"`` or ``"zero"``."""
    normalize_label: bool = False
    """Let the label density add up to one within the map."""
    label_shrink: float = 0
    """Share of the label density that is given up to "nowhere"."""
    softmax_reg: float | None = None
    """Score of the outcome "nowhere"."""
    label_threshold: float = 0
    """Densities up to it are set to zero."""
    final_relu: bool = False
    """Rectify the classifier features before they are normalised."""
    init_pool_square: bool = False
    """Pool the first filter from a square."""

    @property
    def frozen(self) -> Sequence[str] | str:
        """Backbone layers to freeze, all things considered."""
        return self.frozen_backbone_layers if self.train_feature_extractor else "all"


@dataclass(frozen=True, kw_only=True)
class PrDiMP18Arguments(PrDiMP50Arguments):
    """Arguments of ``klcedimpnet18``."""

    order = f"{_PRDIMP} init_pool_square frozen_backbone_layers"

    clf_feat_blocks: int = 1
    out_feature_dim: int = 256


A = TypeVar("A", bound=NetworkArguments)
N = TypeVar("N")


def takes(arguments: type[A]) -> Callable[[Callable[[A], N]], Callable[..., N]]:
    """Turn ``f(arguments)`` into a function whose parameters are fields of the dataclass, in its order."""
    defaults = {field.name: field.default for field in fields(arguments)}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [inspect.Parameter(name, kind, default=defaults[name]) for name in arguments.order.split()]
    )

    def decorate(build: Callable[[A], N]) -> Callable[..., N]:
        @functools.wraps(build)
        def call(*args: Any, **kwargs: Any) -> N:
            return build(arguments(**signature.bind(*args, **kwargs).arguments))

        call.__signature__ = signature  # type: ignore[attr-defined]
        return call

    return decorate
