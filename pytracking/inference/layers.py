"""Convolutions with what follows them, and the residual blocks and backbone made of them."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ebm.nn.efficientnet_lite import EfficientNetLite0, LiteBlock
from ltr.models.backbone.resnet import BasicBlock, Bottleneck, ResNet
from pytracking.inference import onednn
from pytracking.inference.onednn import Activation, Geometry

__all__ = [
    "FastBlock",
    "FastLite",
    "FastResNet",
    "FastStage",
    "FusedConv",
    "FusedSameConv",
    "Widen",
    "folded",
]

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


@dataclass(eq=False)
class Form:
    """A convolution as pictures of some size want it; in oneDNN's layout from its first use on."""

    weight: Tensor
    geometry: Geometry
    packed: Tensor | None = None

    def on_cpu(self, x: Tensor, bias: Tensor | None, shortcut: Tensor | None, after: Activation) -> Tensor:
        """The convolution of ``[N, C, H, W]`` by oneDNN."""
        if self.packed is None:
            self.packed = onednn.pack_weight(self.weight, self.geometry, (1, *x.shape[1:]))
        return onednn.convolve(x, self.packed, bias, self.geometry, shortcut, after)


class FusedConv(nn.Module):
    """A convolution with its batch norm folded in, plus a shortcut if one is given, then an activation.

    Args:
        conv: zero padded.
        norm: the batch norm behind it.
        after: the activation.
        dtype: of weights, arithmetic and result.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d | None = None,
        *,
        after: Activation = "none",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        weight, bias = folded(conv, norm)
        layout = torch.channels_last
        self.weight = nn.Parameter(weight.to(dtype, memory_format=layout), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.to(dtype), requires_grad=False)
        self.after: Activation = after
        self.geometry = Geometry.of(conv)
        self._forms: dict[Any, Form] = {}

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """``[N, O, h, w]``, channels last, of ``[N, C, H, W]`` and a shortcut of the result's shape.

        The result overwrites the shortcut.
        """
        x = x.to(self.weight.dtype, memory_format=torch.channels_last)
        form = self.form((x.shape[2], x.shape[3]))
        if x.device.type == "cpu" and onednn.usable(x.dtype):
            return form.on_cpu(x, self.bias, shortcut, self.after)
        padding, stride, dilation, groups = form.geometry
        y = F.conv2d(x, form.weight, self.bias, stride, padding, dilation, groups)
        y = y if shortcut is None else shortcut.add_(y)
        if self.after == "relu6":
            return F.relu6(y, inplace=True)
        return y.relu_() if self.after == "relu" else y

    def form(self, size: tuple[int, int]) -> Form:
        """The convolution for pictures (H, W), made once for all sizes that are alike."""
        short = self.short(size)
        key = (self.weight.device, short)
        if key not in self._forms:
            self._forms[key] = self._made(*short)
        return self._forms[key]

    def short(self, size: tuple[int, int]) -> tuple[int, ...]:
        """What distinguishes the forms; nothing where one is right for all sizes."""
        return ()

    def _made(self, *short: int) -> Form:
        return Form(self.weight, self.geometry)

    def __getstate__(self) -> dict[str, Any]:
        """Without packed weights, which cannot be copied or pickled and are made anew."""
        return {**self.__dict__, "_forms": {}}


class FusedSameConv(FusedConv):
    """A `SameConv2d`: where a row or column of padding is odd, the kernel begins with one of zeros.

    oneDNN's operator pads both sides alike. A copy of the picture with a rim would cost more.
    """

    def short(self, size: tuple[int, int]) -> tuple[int, ...]:
        """The padding of height and width."""
        sides = zip(size, self.weight.shape[2:], self.geometry.stride)
        return tuple(max((-(-side // s) - 1) * s + kernel - side, 0) for side, kernel, s in sides)

    def _made(self, *short: int) -> Form:
        high, wide = short
        layout = torch.channels_last
        weight = F.pad(self.weight, (wide % 2, 0, high % 2, 0)).contiguous(memory_format=layout)
        return Form(weight, self.geometry._replace(padding=[-(-high // 2), -(-wide // 2)]))


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
            FusedConv(getattr(block, f"conv{n}"), getattr(block, f"bn{n}"), after="relu", dtype=dtype)
            for n in names
        )
        down = block.downsample
        self.downsample = None
        if isinstance(down, nn.Sequential):
            conv, norm = down[0], down[1]
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            self.downsample = FusedConv(conv, norm, dtype=dtype)

    def forward(self, x: Tensor, spent: bool = False) -> Tensor:
        """The block's features, after the last rectifier; they may overwrite `x` if it is `spent`."""
        y = x
        for step in self.steps[:-1]:
            y = step(y)
        shortcut = _shortcut(x, y.dtype, spent) if self.downsample is None else self.downsample(x)
        result: Tensor = self.steps[-1](y, shortcut)
        return result


def _shortcut(x: Tensor, dtype: torch.dtype, spent: bool) -> Tensor:
    """`x` to be overwritten."""
    own = x.to(dtype, memory_format=torch.channels_last)
    return own if spent or own is not x else x.clone()


class FastStage(nn.Sequential):
    """Blocks one after the other: what comes from one of them, nobody but the next one reads."""

    def forward(self, x: Tensor, spent: bool = False) -> Tensor:
        """The last one's features; they may overwrite `x` if it is `spent`."""
        for block in self:
            x, spent = block(x, spent), True
        return x


class FastBackbone(nn.Module, ABC):
    """A backbone for inference: its features by name, each layer computed only if it is needed."""

    still = False  # it is folded already, and training leaves it alone

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        for name in ("strides", "channels", "mean", "std"):  # what is read of a backbone
            if hasattr(net, name):
                setattr(self, name, getattr(net, name))

    @abstractmethod
    def layers(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Names and features, deeper and deeper; the next is computed when it is asked for."""

    def forward(self, x: Tensor, output_layers: Sequence[str]) -> "OrderedDict[str, Tensor]":
        """Features of the named layers, ordered by depth, as the network they are of gives them."""
        if x.device.type == "cpu" and len(x) > TOGETHER:  # the maps of many pictures fit in no cache
            parts = [self(part, output_layers) for part in x.split(TOGETHER)]
            return OrderedDict((name, torch.cat([part[name] for part in parts])) for name in parts[0])
        wanted, found = set(output_layers), OrderedDict[str, Tensor]()
        for name, features in self.layers(x):
            if name in wanted:
                found[name] = features
                if len(found) == len(wanted):
                    break
        return found


class FastResNet(FastBackbone):
    """A `ResNet` for inference, without class scores."""

    def __init__(self, net: ResNet, dtype: torch.dtype) -> None:
        super().__init__(net)
        self.conv1 = FusedConv(net.conv1, net.bn1, after="relu", dtype=dtype)
        stages: dict[str, nn.Module] = {}
        for name, stage in net.named_children():
            if isinstance(stage, nn.Sequential):
                blocks = [block for block in stage if isinstance(block, BasicBlock | Bottleneck)]
                stages[name] = FastStage(*(FastBlock(block, dtype) for block in blocks))
        self.stages = nn.ModuleDict(stages)

    def layers(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The first convolution, then the stages."""
        x = self.conv1(x)
        yield "conv1", x
        x, spent = F.max_pool2d(x, 3, stride=2, padding=1), True
        for name, stage in self.stages.items():
            x, spent = stage(x, spent), False  # what is given out stays as it is
            yield name, x


class FastLite(FastBackbone):
    """An `EfficientNetLite0` for inference."""

    def __init__(self, net: EfficientNetLite0, dtype: torch.dtype) -> None:
        super().__init__(net)
        self.stem = FusedSameConv(net.conv_stem, net.bn1, after="relu6", dtype=dtype)
        self.stages = nn.ModuleDict()
        for name, stages in net.steps():
            blocks = (block for block in stages.modules() if isinstance(block, LiteBlock))
            self.stages[name] = FastStage(*(FastInverted(block, dtype) for block in blocks))

    def layers(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """What ends every stride."""
        x = self.stem(x)
        for name, stage in self.stages.items():
            x = stage(x)
            yield name, x


class FastInverted(nn.Module):
    """A block of an `EfficientNetLite0`; the last of its convolutions has the shortcut and is not capped."""

    def __init__(self, block: LiteBlock, dtype: torch.dtype) -> None:
        super().__init__()
        last = list(block.norms)[-1]
        self.steps = nn.ModuleList(
            FusedSameConv(
                getattr(block, conv),
                getattr(block, norm),
                after="none" if conv == last else "relu6",
                dtype=dtype,
            )
            for conv, norm in block.norms.items()
        )
        self.shortcut = block.shortcut

    def forward(self, x: Tensor, spent: bool = False) -> Tensor:
        """The block's features; they may overwrite `x` if it is `spent`."""
        y = x
        for step in self.steps[:-1]:
            y = step(y)
        result: Tensor = self.steps[-1](y, _shortcut(x, y.dtype, spent) if self.shortcut else None)
        return result
