"""A limit to the memory that building a network may take."""

import math
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["MemoryBudget"]

_SIZED = {
    torch.empty,
    torch.zeros,
    torch.ones,
    torch.full,
    torch.rand,
    torch.randn,
    torch.randint,
    torch.eye,
    torch.arange,
    torch.linspace,
}


class MemoryBudget(TorchFunctionMode):
    """While it is entered, tensors are made up to a total; their sizes are looked at before they are made.

    Args:
        numbers: that may be made.
    """

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self._left = numbers

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Count what a function would make.

        Raises:
            RuntimeError: if it is more than is left.
        """
        kwargs = kwargs or {}
        if func in _SIZED:
            self._left -= _count(func, kwargs.get("size", args))
            if self._left < 0:
                raise RuntimeError("it would be far larger than the weights that the file holds")
        return func(*args, **kwargs)


def _count(func: Any, args: Any) -> int:
    """How many numbers a call would make."""
    whole = next(([*part] for part in args if isinstance(part, tuple | list)), [*args])  # size, or sizes
    sizes = [n for n in whole if isinstance(n, int)]
    if func in (torch.arange, torch.linspace):
        return max(sizes, default=0)
    return math.prod(sizes * 2 if func is torch.eye and len(sizes) == 1 else sizes)
