"""What numpy's arrays and torch's tensors have different calls for, where a tracker handles either.

A tracker's network says which kind it gives. torch is imported only where there are tensors already.
"""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array",
    "as_numpy",
    "as_they_lie",
    "at_least",
    "batch_product",
    "exponential",
    "flipped",
    "joined",
    "like",
    "ratio",
    "where",
    "windows",
    "without_gradients",
    "zeros",
]

Array = Any  # numpy.ndarray or torch.Tensor


def as_numpy(values: Array) -> NDArray[np.float32]:
    """The numbers in memory of the CPU, float32."""
    if isinstance(values, np.ndarray):
        return values.astype(np.float32, copy=False)
    numbers: NDArray[np.float32] = values.float().cpu().numpy()
    return numbers


def like(values: NDArray[np.floating], other: Array) -> Array:
    """Numbers as an array of the kind of `other`, where it lies, in its precision or float32, the better."""
    if isinstance(other, np.ndarray):
        return values.astype(other.dtype, copy=False)
    import torch

    precise = torch.promote_types(other.dtype, torch.float32)  # boxes in bfloat16 would lose pixels
    return torch.from_numpy(np.ascontiguousarray(values)).to(device=other.device, dtype=precise)


def zeros(shape: Sequence[int], other: Array) -> Array:
    """Zeros as an array of the kind of `other`, in its precision and where it lies."""
    if isinstance(other, np.ndarray):
        return np.zeros(shape, other.dtype)
    return other.new_zeros(tuple(shape))


def joined(parts: Sequence[Array]) -> Array:
    """Arrays of one kind behind each other; a single one as it is."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import torch

    return torch.cat(tuple(parts))


def as_they_lie(values: Array) -> Array:
    """The numbers in memory in the order of their indices."""
    return np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values.contiguous()


def exponential(values: Array) -> Array:
    """e to the power of every number."""
    return np.exp(values) if isinstance(values, np.ndarray) else values.exp()


def at_least(values: Array, least: float) -> Array:
    """Every number, or `least` where it is lower."""
    return np.maximum(values, least) if _is_numpy(values) else values.clamp(min=least)


def where(condition: Array, values: Array, others: Array) -> Array:
    """`values` where a condition holds, else `others`."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, values, others)
    import torch

    return torch.where(condition, values, others)


def ratio(over: Array, under: Array) -> Array:
    """``over / under`` of two numbers, 0 where `under` is not positive; a device is not waited for."""
    if _is_numpy(under):
        return over / under if under > 0 else np.float32(0)
    import torch

    return torch.where(under > 0, over / under, 0.0)


def flipped(values: Array) -> Array:
    """The last two dimensions backwards."""
    return values[..., ::-1, ::-1] if isinstance(values, np.ndarray) else values.flip(-2, -1)


def batch_product(matrix: Array, batch: Array) -> Array:
    """Products ``[N, a, c]`` of one matrix ``[a, b]`` with N of them, ``[N, b, c]``."""
    if isinstance(batch, np.ndarray):
        return matrix @ batch
    import torch

    return torch.bmm(matrix.expand(len(batch), -1, -1), batch)


def windows(maps: Array, before: tuple[int, int], after: tuple[int, int]) -> Array:
    """Maps ``[N, h, w]`` with zeros around them, as every window of their size shows them.

    Args:
        maps: of any number.
        before: rows and columns of zeros before them.
        after: behind them.

    Returns:
        ``[N, before + after + 1 rows, columns, h, w]``, a view.
    """
    height, width = maps.shape[-2:]
    if isinstance(maps, np.ndarray):
        around = np.pad(maps, ((0, 0), *zip(before, after)))
        return np.lib.stride_tricks.sliding_window_view(around, (height, width), axis=(1, 2))
    from torch.nn.functional import pad

    padded = pad(maps, (before[1], after[1], before[0], after[0]))
    return padded.unfold(1, height, 1).unfold(2, width, 1)


def _is_numpy(values: Array) -> bool:
    return isinstance(values, np.ndarray | np.generic)


def without_gradients() -> AbstractContextManager[Any]:
    """A block in which nothing is recorded for gradients, and nothing forbids to record it inside."""
    stack = ExitStack()
    torch = sys.modules.get("torch")
    if torch is not None:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
    return stack
