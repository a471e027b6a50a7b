"""What numpy's arrays and torch's tensors have different calls for, where a tracker handles either.

A tracker's network says which kind it gives. torch is imported only where there are tensors already.
"""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "as_numpy", "joined", "like", "without_gradients", "zeros"]

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
    """Arrays of one kind behind each other."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import torch

    return torch.cat(tuple(parts))


def without_gradients() -> AbstractContextManager[Any]:
    """A block in which nothing is recorded for gradients, and nothing forbids to record it inside."""
    stack = ExitStack()
    torch = sys.modules.get("torch")
    if torch is not None:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
    return stack
