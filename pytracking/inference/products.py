"""Products of a few rows with a large matrix, in the layout that a machine reads fastest.

The matrix does not fit in a core's caches, and a row is soon multiplied: what counts is how fast the matrix
streams in. oneDNN packs nothing better for float32 than it finds. On Intel's processors MKL has a layout that
takes two thirds of the time. In bfloat16 the matrix is half as large.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pytracking.inference import onednn

__all__ = ["RowProduct"]

PACKED = 4  # numbers of rows that a matrix is packed for; MKL's layout depends on it
MOST = 64  # rows; the arithmetic of more hides the reading


class RowProduct:
    """``rows @ weight.T + bias``.

    Args:
        weight: ``[O, I]``.
        bias: ``[O]``, or none.
        dtype: of the factors; sums are float32 in any case, and so is the bias. None is that of the weight.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, dtype: torch.dtype | None = None) -> None:
        self.weight = weight if dtype is None else weight.to(dtype)
        self.bias = bias
        self._packed: dict[int, Tensor] = {}

    def __call__(self, rows: Tensor) -> Tensor:
        """``[S, O]`` of rows ``[S, I]``, in the rows' numbers."""
        weight = self.weight
        # torch's exporter knows no operators of other libraries.
        if rows.device.type != "cpu" or torch.compiler.is_compiling():
            return self._plain(rows)
        if weight.dtype == torch.bfloat16 and onednn.usable(torch.bfloat16):
            return self._in_bfloat16(rows)
        if weight.dtype != torch.float32:
            return self._plain(rows)
        if mkl_packs() and len(rows) <= MOST and (len(rows) in self._packed or len(self._packed) < PACKED):
            return self._by_mkl(rows)
        if onednn.usable(torch.float32):
            return onednn.linear(rows, weight, self.bias)
        return self._plain(rows)

    def _plain(self, rows: Tensor) -> Tensor:
        product = F.linear(rows.to(self.weight.dtype), self.weight).to(rows.dtype)
        return product if self.bias is None else product + self.bias

    def _in_bfloat16(self, rows: Tensor) -> Tensor:
        if 0 not in self._packed:
            self._packed[0] = torch.ops.mkldnn._reorder_linear_weight(self.weight, len(rows))
        product = onednn.linear(rows.to(torch.bfloat16), self._packed[0]).to(rows.dtype)
        return product if self.bias is None else product.add_(self.bias)

    def _by_mkl(self, rows: Tensor) -> Tensor:
        count = len(rows)
        if count not in self._packed:
            self._packed[count] = torch.ops.mkl._mkl_reorder_linear_weight(self.weight, count)
        return _mkl_linear(rows, self._packed[count], self.weight, self.bias)

    def __getstate__(self) -> dict[str, Any]:
        """Without packed matrices, which cannot be copied or pickled and are made anew."""
        return {**self.__dict__, "_packed": {}}


def _mkl_linear(rows: Tensor, packed: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkl._mkl_linear(rows, packed, weight, bias, len(rows))
    return product


@lru_cache(maxsize=1)
def mkl_packs() -> bool:
    """Whether this is a processor of Intel's and torch has MKL's packed product, and it is right."""
    if not (torch.backends.mkl.is_available() and _made_by_intel()):
        return False
    generator = torch.Generator().manual_seed(0)
    rows, weight = (torch.randn(count, 24, generator=generator) for count in (5, 7))
    operators: Any = torch.ops.mkl
    try:
        packed = operators._mkl_reorder_linear_weight(weight, len(rows))
        found = _mkl_linear(rows, packed, weight, None)
    except (AttributeError, RuntimeError, TypeError):  # not there, or called otherwise than in this version
        return False
    return torch.allclose(found, rows @ weight.T, atol=1e-5)


def _made_by_intel() -> bool:
    """What Linux says; on other systems nothing is known."""
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
