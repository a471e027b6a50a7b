"""oneDNN's convolution on the CPU, called by name: weights in its own layout, sum and rectifier included.

`torch.nn.functional.conv2d` decides by itself where a convolution is computed. With one thread and few images
it hands 1x1 convolutions to a matrix product of another library, which on some CPUs takes twice as long, and
it brings the weights to oneDNN's layout at every call. The operators here are those that torch's compiler
calls; where they are missing, or do not compute what they should, nothing of this is used.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Activation", "Geometry", "convolve", "linear", "pack_weight", "usable"]

Activation = Literal["none", "relu", "relu6"]
CALLED: dict[Activation, tuple[str, list[float]]] = {  # by oneDNN: name, numbers
    "none": ("none", []),
    "relu": ("relu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
}


class Geometry(NamedTuple):
    """How a convolution's kernel goes over a picture."""

    padding: Sequence[int]
    stride: Sequence[int]
    dilation: Sequence[int]
    groups: int

    @classmethod
    def of(cls, conv: nn.Conv2d) -> "Geometry":
        """That of a layer whose padding is given in numbers."""
        if isinstance(conv.padding, str):
            raise ValueError(f"a convolution with padding {conv.padding!r} has none in numbers.")
        return cls(list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)


def pack_weight(weight: Tensor, geometry: Geometry, image: tuple[int, ...]) -> Tensor:
    """Weights ``[O, C / groups, kh, kw]`` in oneDNN's layout, an opaque tensor.

    Args:
        weight: on the CPU.
        geometry: what they are for.
        image: shape of an input, ``(N, C, H, W)``; others can be convolved too.
    """
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(image))
    return packed


def convolve(
    x: Tensor,
    packed: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    shortcut: Tensor | None,
    after: Activation,
) -> Tensor:
    """The convolution of ``[N, C, H, W]``, plus `shortcut` if there is one, then the activation.

    The result of a sum lies where the shortcut lay, which is gone: another place would cost a copy of it.
    """
    name, numbers = CALLED[after]
    if shortcut is None:
        operator: Any = torch.ops.mkldnn._convolution_pointwise
        result: Tensor = operator(x, packed, bias, *geometry, name, numbers, "")
    else:
        operator = torch.ops.mkldnn._convolution_pointwise_.binary
        last = None if after == "none" else name
        result = operator(shortcut, x, packed, bias, *geometry, "add", 1.0, last, numbers, "")
    return result


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``rows @ weight.T + bias`` of ``[S, I]`` and ``[O, I]``, by oneDNN where it can be had."""
    # torch's exporter knows no such operator.
    if rows.device.type == "cpu" and not torch.compiler.is_compiling() and usable(rows.dtype):
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return result
    return F.linear(rows, weight, bias)


@lru_cache(maxsize=4)
def usable(dtype: torch.dtype) -> bool:
    """Whether the operators are there and right for numbers of this type, found out on a small picture."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    geometry = Geometry([1, 1], [2, 2], [1, 1], 1)
    try:
        with torch.no_grad():
            x, shortcut = (torch.randn(1, *s, generator=generator) for s in ((8, 9, 9), (16, 5, 5)))
            x, shortcut = (t.to(dtype, memory_format=torch.channels_last) for t in (x, shortcut))
            weight, bias = (torch.randn(s, generator=generator).to(dtype) for s in ((16, 8, 3, 3), (16,)))
            packed = pack_weight(weight, geometry, tuple(x.shape))
            found = convolve(x, packed, bias, geometry, shortcut.clone(), "relu")
            capped = convolve(x, packed, bias, geometry, None, "relu6")
            plain = F.conv2d(x.float(), weight.float(), bias.float(), stride=2, padding=1)
            wanted = (plain + shortcut.float()).relu()
            rows = torch.randn(10, 8, generator=generator).to(dtype)
            matrix = weight[:, :, 1, 1].contiguous()
            product = torch.ops.mkldnn._linear_pointwise(rows, matrix, bias, "none", [], "")
            meant = F.linear(rows.float(), matrix.float(), bias.float())
    except (AttributeError, RuntimeError, TypeError):  # not there, or called otherwise than in this version
        return False
    tolerance = 1e-4 if dtype == torch.float32 else 0.1
    close = all(
        torch.allclose(a.float(), b, rtol=tolerance, atol=tolerance * 10)
        for a, b in ((found, wanted), (capped, F.relu6(plain)), (product, meant))
    )
    return close and found.is_contiguous(memory_format=torch.channels_last)
