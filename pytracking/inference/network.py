"""A network in the form that trackers run."""

import copy
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import nn

from ltr.models.backbone.resnet import BasicBlock, Bottleneck, ResNet
from ltr.models.target_classifier.initializer import FilterInitializerLinear
from pytracking.inference.layers import FastBlock, FastResNet, FusedConv, Widen

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
    children: dict[str, nn.Module] = {"feature_extractor": convert(network.feature_extractor, dtype)}
    children["bb_regressor"] = _box_branch(network.bb_regressor, dtype)
    classifier = getattr(network, "classifier", None)
    if classifier is not None:
        children["classifier"] = _classifier(classifier, dtype)
    return changed(network, children)


def changed(module: M, children: dict[str, nn.Module]) -> M:
    """A copy of a module with other children; everything else is shared."""
    made = copy.copy(module)
    made._modules = {**module._modules, **children}
    return made


def convert(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A module of known layers for inference, in channels last."""
    if isinstance(module, ResNet):
        return FastResNet(module, dtype)
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
        norm, relu = None, False
        if place < len(layers) and isinstance(layers[place], nn.BatchNorm2d):
            norm, place = layers[place], place + 1
        if place < len(layers) and isinstance(layers[place], nn.ReLU):
            relu, place = True, place + 1
        assert norm is None or isinstance(norm, nn.BatchNorm2d)
        yield FusedConv(layer, norm, relu=relu, dtype=dtype)


def _is_plain(module: nn.Module) -> bool:
    """Whether it is a convolution as torch defines it, zero padded by given numbers."""
    return (
        type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    )


def _classifier(classifier: Any, dtype: torch.dtype) -> Any:
    extractor = classifier.feature_extractor
    layers = [] if extractor is None else list(convert(extractor, dtype).children())
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


def _box_branch(regressor: M, dtype: torch.dtype) -> M:
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
    return changed(regressor, children)
