"""Islands of full precision inside automatic mixed precision."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

__all__ = ["at_least_float32", "full_precision"]


def full_precision(like: Tensor) -> AbstractContextManager[None]:
    """A context in which autocast is off on the device of `like`."""
    return torch.autocast(like.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """`x` in float32, or as it is if it is more precise."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
