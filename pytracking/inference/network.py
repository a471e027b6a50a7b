"""A network in the form that trackers run."""

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ebm.nn.efficientnet_lite import EfficientNetLite0
from ltr.models.backbone.resnet import BasicBlock, Bottleneck, ResNet
from ltr.models.target_classifier.initializer import FilterInitializerLinear
from pytracking.inference.layers import FastBlock, FastLite, FastResNet, FusedConv, Widen, folded
from pytracking.inference.onednn import Activation
from pytracking.libs.box_head import SharedHead

__all__ = ["inference_network"]

M = TypeVar("M", bound=nn.Module)

# Of the box branch: layers that read backbone maps; those behind a pooling are run once, in float32.
TEST_LAYERS = ("conv3_1t", "conv3_2t", "conv4_1t", "conv4_2t")
REFERENCE_LAYERS = ("conv3_1r", "conv4_1r")
POOLED_LAYERS = ("fc3_1r", "fc34_3r", "fc34_4r")


def inference_network(network: Any, dtype: torch.dtype = torch.float32) -> Any:
    """The same network with batch norms folded into convolutions, for tracking alone.

    It shares with `network` all that is not changed, and is called alike. `network` itself stays as it is.

    Args:
        network: a DiMPnet or an ATOMnet in evaluation mode, on its device.
        dtype: of the backbone and of the features that are computed from it; scores, filters and boxes
            are computed in float32 all the same.
    """
    backbone = network.feature_extractor
    fast = _backbone(backbone, dtype)
    children: dict[str, nn.Module] = {"feature_extractor": fast}
    children["bb_regressor"] = _box_branch(network.bb_regressor, dtype)
    classifier = getattr(network, "classifier", None)
    if classifier is not None:
        children["classifier"] = _classifier(classifier, dtype)
    return changed(network, children)


def _backbone(backbone: Any, dtype: torch.dtype) -> nn.Module:
    known = isinstance(backbone, ResNet | EfficientNetLite0)
    return convert(backbone, dtype) if known else folded_pairs(backbone)


def folded_pairs(backbone: nn.Module) -> nn.Module:
    """A backbone of unknown make with its batch norms folded, if that leaves its features as they are.

    A batch norm is taken for that of the convolution which is registered before it. Whether that is so, a
    picture of noise tells; if not, or if the backbone is called otherwise than ours, it is given back as is.
    """
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    try:
        made, names = _without_norms(backbone), list(backbone.strides)  # type: ignore[arg-type]
        image = image.to(next(backbone.parameters()))
        with torch.no_grad():
            both = [module(image, names) for module in (backbone, made)]
        same = all(_close(both[0][name], both[1][name]) for name in names)
    except (AttributeError, TypeError, ValueError, RuntimeError, StopIteration):
        return backbone
    return made if same else backbone


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= 1e-4 * one.abs().max())


def _without_norms(module: M) -> M:
    made: dict[str, nn.Module] = {}
    nothing = ("", nn.Identity())
    for (name, child), (behind, norm) in pairwise([*module.named_children(), nothing]):
        if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            twin = copy.copy(child)
            weight, bias = folded(child, norm)
            weight = weight.contiguous(memory_format=torch.channels_last)
            twin._parameters = {"weight": nn.Parameter(weight, requires_grad=False), "bias": None}
            if bias is not None:
                twin._parameters["bias"] = nn.Parameter(bias, requires_grad=False)
            made |= {name: twin, behind: nn.Identity()}
        elif name not in made:
            made[name] = _without_norms(child)
    return changed(module, made)


def changed(module: M, children: dict[str, nn.Module]) -> M:
    """A copy of a module with other children; everything else is shared."""
    made = copy.copy(module)
    made._modules = {**module._modules, **children}
    return made


def convert(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A module of known layers for inference, in channels last."""
    if isinstance(module, ResNet):
        return FastResNet(module, dtype)
    if isinstance(module, EfficientNetLite0):
        return FastLite(module, dtype)
    if isinstance(module, BasicBlock | Bottleneck):
        return FastBlock(module, dtype)
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*_fused(list(module), dtype))
    if _is_plain(module):
        assert isinstance(module, nn.Conv2d)
        return FusedConv(module, dtype=dtype)
    return module


def _fused(layers: list[nn.Module], dtype: torch.dtype) -> Iterator[nn.Module]:
    """Layers with runs of convolution, batch norm and rectifier joined."""
    place = 0
    while place < len(layers):
        layer, place = layers[place], place + 1
        if not _is_plain(layer):
            yield convert(layer, dtype)
            continue
        assert isinstance(layer, nn.Conv2d)
        norm: nn.Module | None = None
        after: Activation = "none"
        if place < len(layers) and isinstance(layers[place], nn.BatchNorm2d):
            norm, place = layers[place], place + 1
        if place < len(layers) and isinstance(layers[place], nn.ReLU):
            after, place = "relu", place + 1
        assert norm is None or isinstance(norm, nn.BatchNorm2d)
        yield FusedConv(layer, norm, after=after, dtype=dtype)


def _is_plain(module: nn.Module) -> bool:
    """Whether it is a convolution as torch defines it, zero padded by given numbers."""
    return (
        type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    )


def _classifier(classifier: Any, dtype: torch.dtype) -> Any:
    extractor = classifier.feature_extractor
    layers: list[nn.Module] = []
    if extractor is not None:
        made = convert(extractor, dtype)
        layers = list(made) if isinstance(made, nn.Sequential) else [made]
    if dtype != torch.float32:
        convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, FusedConv | FastBlock)]
        layers.insert(convolutions[-1] + 1 if convolutions else 0, Widen())
    children: dict[str, nn.Module] = {"feature_extractor": nn.Sequential(*layers)} if layers else {}
    start = classifier.filter_initializer
    if isinstance(start, FilterInitializerLinear):
        children["filter_initializer"] = changed(
            start, {"filter_conv": convert(start.filter_conv, torch.float32)}
        )
    return changed(classifier, children)


def _box_branch(regressor: nn.Module, dtype: torch.dtype) -> nn.Module:
    children: dict[str, nn.Module] = {}
    for names, precision in (
        (TEST_LAYERS + REFERENCE_LAYERS, dtype),
        (POOLED_LAYERS, torch.float32),
    ):
        for name in names:
            layer = getattr(regressor, name, None)
            if isinstance(layer, nn.Module):
                children[name] = convert(layer, precision)
    for name in ("conv3_2t", "conv4_2t"):
        if dtype != torch.float32 and name in children:
            children[name] = nn.Sequential(children[name], Widen())
    made: Any = changed(regressor, children)
    made.shared_head = SharedHead(dtype)
    return made
