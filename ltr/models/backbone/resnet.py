"""Residual networks whose state dicts equal torchvision's, read at any of their stages."""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ebm.exceptions import DomainError
from ebm.nn.backbone import Backbone

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet18", "resnet50", "resnet_baby"]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: ``(N, inputs, H, W)`` to ``(N, planes, H / stride, ...)``."""

    expansion = 1

    def __init__(
        self,
        inputs: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, planes, 3, stride, dilation)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """The block's features, after the last rectifier."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)).add_(shortcut), inplace=True)


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1: ``(N, inputs, H, W) -> (N, 4 planes, H / stride, W / stride)``."""

    expansion = 4

    def __init__(
        self,
        inputs: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, stride, dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = _conv(planes, planes * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """The block's features, after the last rectifier."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.bn3(self.conv3(y)).add_(shortcut), inplace=True)


class ResNet(Backbone):
    """A residual network of up to four stages.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: blocks per stage; fewer than four stages make a shorter network.
        output_layers: layers that a call returns unless it names others; empty means the class scores alone.
        num_classes: outputs of the classification head ``fc``; None builds no head.
        inplanes: planes of the first stage; every further stage doubles them.
        dilation_factor: 1, 2, 4 or 8. Above 1 the last stages keep the stride (the last, the last two, the
            last three) and their first block is dilated instead; later blocks are not, as published.
        frozen_layers: see `Backbone.freeze`.

    Raises:
        DomainError: for another dilation factor, or a head on fewer than one stage.
        UnknownNameError: for an output or frozen layer that does not exist.

    Source: He et al., CVPR 2016, arXiv:1512.03385; layout of the published tracking checkpoints.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: Sequence[int],
        output_layers: Sequence[str] = (),
        num_classes: int | None = 1000,
        inplanes: int = 64,
        dilation_factor: int = 1,
        frozen_layers: Sequence[str] | str = (),
    ) -> None:
        super().__init__()
        if dilation_factor not in (1, 2, 4, 8):
            raise DomainError(f"dilation_factor is {dilation_factor}; a ResNet knows 1, 2, 4 and 8.")
        if not 1 <= len(layers) <= 4:
            raise DomainError(f"A ResNet has one to four stages, not {len(layers)}.")
        self.conv1 = nn.Conv2d(3, inplanes, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(inplanes)
        # conv1 has stride 2: it is read before the pooling. Published tables say 4, and nothing reads it.
        self.strides: dict[str, int] = {"conv1": 2}
        self.channels: dict[str, int] = {"conv1": inplanes}
        self._stages = tuple(f"layer{k + 1}" for k in range(len(layers)))
        inputs, stride = inplanes, 4
        for k, (name, depth) in enumerate(zip(self._stages, layers)):
            step = 2 if k > 0 and dilation_factor < 2 ** (4 - k) else 1
            dilation = max(dilation_factor * 2**k // 8, 1)
            self.add_module(name, _stage(block, inputs, inplanes * 2**k, depth, step, dilation))
            inputs, stride = inplanes * 2**k * block.expansion, stride * step
            self.strides[name], self.channels[name] = stride, inputs
        self.fc = None if num_classes is None else nn.Linear(inputs, num_classes)
        self._check_outputs(output_layers, self._names())
        self._output_layers = tuple(output_layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                kernel = module.kernel_size[0] * module.kernel_size[1]
                nn.init.normal_(module.weight, std=math.sqrt(2.0 / (kernel * module.out_channels)))
        self.freeze(frozen_layers)

    def _names(self) -> tuple[str, ...]:
        return ("conv1", *self._stages) + (() if self.fc is None else ("fc",))

    def forward(self, x: Tensor, output_layers: Sequence[str] | None = None) -> dict[str, Tensor] | Tensor:
        """Features of the named layers; nothing beyond the last of them is computed.

        Args:
            x: normalised images, ``(N, 3, H, W)``.
            output_layers: among ``conv1`` (before the pooling), ``layer1`` .. ``layer4`` and ``fc``.

        Returns:
            Ordered by depth, layer name -> ``(N, C, H / stride, W / stride)``; the bare class scores
            ``(N, num_classes)`` if neither the call nor the constructor names a layer.

        Raises:
            UnknownNameError: if a layer does not exist.
        """
        wanted = set(self._output_layers if output_layers is None else output_layers)
        self._check_outputs(wanted, self._names())
        if not wanted:
            self._check_outputs(("fc",), self._names())
        outputs: OrderedDict[str, Tensor] = OrderedDict()
        for name, value in self._walk(x):
            if not wanted and name == "fc":
                return value
            if name in wanted:
                outputs[name] = value
                if len(outputs) == len(wanted):
                    break
        return outputs

    def _walk(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Layer names and their features, deeper and deeper; the next is computed when it is asked for."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        yield "conv1", x
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for name in self._stages:
            x = self.get_submodule(name)(x)
            yield name, x
        if self.fc is not None:
            yield "fc", self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


def _stage(
    block: type[BasicBlock] | type[Bottleneck],
    inputs: int,
    planes: int,
    depth: int,
    stride: int,
    dilation: int,
) -> nn.Sequential:
    outputs = planes * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
    first = block(inputs, planes, stride, shortcut, dilation)
    return nn.Sequential(first, *(block(outputs, planes) for _ in range(depth - 1)))


def resnet18(
    output_layers: Sequence[str] = (), *, frozen_layers: Sequence[str] | str = (), dilation_factor: int = 1
) -> ResNet:
    """ResNet-18 with random weights (`load_backbone_weights` fetches ImageNet's)."""
    net = ResNet(
        BasicBlock, (2, 2, 2, 2), output_layers, frozen_layers=frozen_layers, dilation_factor=dilation_factor
    )
    net.imagenet = "ResNet18_Weights"
    return net


def resnet50(
    output_layers: Sequence[str] = (), *, frozen_layers: Sequence[str] | str = (), dilation_factor: int = 1
) -> ResNet:
    """ResNet-50 with random weights (`load_backbone_weights` fetches ImageNet's)."""
    net = ResNet(
        Bottleneck, (3, 4, 6, 3), output_layers, frozen_layers=frozen_layers, dilation_factor=dilation_factor
    )
    net.imagenet = "ResNet50_Weights"
    return net


def resnet_baby(
    output_layers: Sequence[str] = (),
    *,
    inplanes: int = 16,
    layers: Sequence[int] = (2, 2, 2, 2),
    num_classes: int | None = 1000,
    frozen_layers: Sequence[str] | str = (),
    dilation_factor: int = 1,
) -> ResNet:
    """A narrow residual network of basic blocks; there are no ImageNet weights for it.

    With ``layers`` of fewer than four stages and ``num_classes=None`` nothing is built that a tracker leaves
    unused.
    """
    return ResNet(BasicBlock, layers, output_layers, num_classes, inplanes, dilation_factor, frozen_layers)
