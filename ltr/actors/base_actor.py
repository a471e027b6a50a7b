"""What every actor offers: a call from batch to loss and statistics, and the switches of its network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["BaseActor"]


class BaseActor(ABC):
    """Owns a network and turns batches into losses.

    Args:
        net: the network to train.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    @abstractmethod
    def __call__(self, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss ``[]`` to differentiate, and detached scalars ``[]`` by name, still on the device."""

    def measure(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Further scalars ``[]`` of a batch that validates, by name; the network is in evaluation mode."""
        return {}

    def to(self, device: torch.device) -> "BaseActor":
        """Move the network."""
        self.net.to(device)
        return self

    def train(self, mode: bool = True) -> "BaseActor":
        """Switch the network to training or evaluation."""
        self.net.train(mode)
        return self

    def eval(self) -> "BaseActor":
        """Switch the network to evaluation."""
        return self.train(False)
