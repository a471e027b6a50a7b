"""What every actor offers: a call from batch to loss and statistics, and the switches of its network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # all kinds: 1-D to 3-D, over processes, timm's

__all__ = ["BaseActor"]


class BaseActor(ABC):
    """Owns a network and turns batches into losses.

    Args:
        net: the network to train.
    """

    still_norms: bool = False
    """Whether batch norms stay in evaluation while the network trains: their statistics do not move."""

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
        """Switch the network to training, its batch norms excepted with `still_norms`, or to evaluation."""
        self.net.train(mode)
        if self.still_norms:
            for module in self.net.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def eval(self) -> "BaseActor":
        """Switch the network to evaluation."""
        return self.train(False)
