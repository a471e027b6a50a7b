"""Numbers and weights by formula, which need no framework's random generator."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["fill", "noise"]


def noise(index: int, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers of stream `index`."""
    # The legacy generator: its stream is the same in every version of numpy.
    values = np.random.RandomState(1000 + index).standard_normal(tuple(shape))
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def fill(net: nn.Module) -> None:
    """Weights by position in the state dict, the filter optimiser's left as constructed."""
    state = net.state_dict()
    for i, (key, value) in enumerate(state.items()):
        if "num_batches_tracked" in key or "filter_optimizer" in key:
            continue
        numbers = noise(i, value.shape)
        if key.endswith("running_mean"):
            value.copy_(0.1 * numbers)
        elif key.endswith("running_var"):
            value.copy_(1.0 + 0.25 * numbers.square())
        elif value.dim() >= 2:
            value.copy_(math.sqrt(2.0 / (value.numel() / value.shape[0])) * numbers)
        elif key.endswith("weight"):
            value.copy_(1.0 + 0.1 * numbers)
        else:
            value.copy_(0.05 * numbers)
