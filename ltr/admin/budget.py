"""A limit to the memory that building a network may take."""

import math
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["MemoryBudget"]

_SIZED = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye, torch.randint}
_COUNTED = {torch.arange, torch.linspace}


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
        if func in _SIZED or func in _COUNTED:
            size = kwargs.get("size", args)
            flat = [n for part in size for n in (part if isinstance(part, tuple | list) else [part])]
            whole = [n for n in flat if isinstance(n, int)]
            self._left -= math.prod(whole) if func in _SIZED else max(whole, default=0)
            if self._left < 0:
                raise RuntimeError("it would be far larger than the weights that the file holds")
        return func(*args, **kwargs)
