"""Convolutions with what follows them, and the residual blocks and backbone made of them."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltr.models.backbone.resnet import BasicBlock, Bottleneck, ResNet
from pytracking.inference import onednn

__all__ = ["FastBlock", "FastResNet", "FusedConv", "Widen", "folded"]

TOGETHER = 4  # pictures that a CPU takes through the backbone at a time


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a convolution together with the batch norm behind it, in the weight's precision."""
    weight, bias = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
    if norm is None:
        return weight, bias
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a batch norm without running statistics cannot be folded.")
    exact = torch.float64 if weight.device.type != "mps" else torch.float32
    gain = (variance.to(exact) + norm.eps).rsqrt()
    gain = gain if norm.weight is None else gain * norm.weight.detach().to(exact)
    shift = -mean.to(exact) if bias is None else bias.to(exact) - mean.to(exact)
    offset = shift * gain if norm.bias is None else shift * gain + norm.bias.detach().to(exact)
    return (weight.to(exact) * gain[:, None, None, None]).to(weight), offset.to(weight)


class FusedConv(nn.Module):
    """A convolution with its batch norm folded in, plus a shortcut if one is given, rectified if so wished.

    Args:
        conv: zero padded.
        norm: the batch norm behind it.
        relu: whether a rectifier comes last.
        dtype: of weights, arithmetic and result.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d | None = None,
        *,
        relu: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        weight, bias = folded(conv, norm)
        layout = torch.channels_last
        self.weight = nn.Parameter(weight.to(dtype, memory_format=layout), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.to(dtype), requires_grad=False)
        self.relu = relu
        self._geometry = (conv,)  # in a tuple: it is no part of this module
        self._packed: Tensor | None = None

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """``[N, O, h, w]``, channels last, of ``[N, C, H, W]`` and a shortcut of the result's shape."""
        x = x.to(self.weight.dtype, memory_format=torch.channels_last)
        (conv,) = self._geometry
        if x.device.type == "cpu" and onednn.usable(x.dtype):
            if self._packed is None:
                self._packed = onednn.pack_weight(self.weight, conv, (1, *x.shape[1:]))
            return onednn.convolve(x, self._packed, self.bias, conv, shortcut, self.relu)
        y = F.conv2d(x, self.weight, self.bias, conv.stride, conv.padding, conv.dilation, conv.groups)
        y = y if shortcut is None else y.add_(shortcut)
        return y.relu_() if self.relu else y

    def __getstate__(self) -> dict[str, Any]:
        """Without the packed weights, which cannot be copied or pickled and are made anew."""
        return {**self.__dict__, "_packed": None}


class Widen(nn.Module):
    """Numbers in reduced precision to float32."""

    def forward(self, x: Tensor) -> Tensor:
        """The same, ``float32``."""
        return x.float()


class FastBlock(nn.Module):
    """A residual block: its sum and its rectifiers belong to the convolutions."""

    def __init__(self, block: BasicBlock | Bottleneck, dtype: torch.dtype) -> None:
        super().__init__()
        names = ("1", "2", "3") if isinstance(block, Bottleneck) else ("1", "2")
        self.steps = nn.ModuleList(
            FusedConv(getattr(block, f"conv{n}"), getattr(block, f"bn{n}"), relu=True, dtype=dtype)
            for n in names
        )
        down = block.downsample
        self.downsample = None
        if isinstance(down, nn.Sequential):
            conv, norm = down[0], down[1]
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            self.downsample = FusedConv(conv, norm, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """The block's features, after the last rectifier."""
        y = x
        for step in self.steps[:-1]:
            y = step(y)
        shortcut = x.to(y.dtype) if self.downsample is None else self.downsample(x)
        result: Tensor = self.steps[-1](y, shortcut)
        return result


class FastResNet(nn.Module):
    """A `ResNet` for inference: its features by name, without class scores."""

    def __init__(self, net: ResNet, dtype: torch.dtype) -> None:
        super().__init__()
        for name in ("strides", "channels", "mean", "std"):  # what is read of a backbone
            if hasattr(net, name):
                setattr(self, name, getattr(net, name))
        self.conv1 = FusedConv(net.conv1, net.bn1, relu=True, dtype=dtype)
        stages: dict[str, nn.Module] = {}
        for name, stage in net.named_children():
            if isinstance(stage, nn.Sequential):
                blocks = [block for block in stage if isinstance(block, BasicBlock | Bottleneck)]
                stages[name] = nn.Sequential(*(FastBlock(block, dtype) for block in blocks))
        self.stages = nn.ModuleDict(stages)

    def forward(self, x: Tensor, output_layers: Sequence[str]) -> "OrderedDict[str, Tensor]":
        """Features of the named layers, ordered by depth, as `ResNet` gives them."""
        if x.device.type == "cpu" and len(x) > TOGETHER:  # the maps of many pictures fit in no cache
            parts = [self(part, output_layers) for part in x.split(TOGETHER)]
            return OrderedDict((name, torch.cat([part[name] for part in parts])) for name in parts[0])
        wanted, found = set(output_layers), OrderedDict[str, Tensor]()
        x = self.conv1(x)
        if "conv1" in wanted:
            found["conv1"] = x
        if len(found) < len(wanted):
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for name, stage in self.stages.items():
            if len(found) == len(wanted):
                break
            x = stage(x)
            if name in wanted:
                found[name] = x
        return found
