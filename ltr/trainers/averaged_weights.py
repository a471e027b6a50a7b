"""An exponential moving average of a network's weights, kept beside them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError
from ltr.admin.state_dicts import load_strictly

__all__ = ["AveragedWeights", "check_decay"]


class AveragedWeights:
    """Averages of all floating numbers in a network's state dict; counters are taken as they are.

    The n-th update moves the average by ``1 - min(decay, (1 + n) / (10 + n))`` of the way to the weights, so
    that the random start is soon forgotten.

    Args:
        net: the network, on its device.
        decay: share of the average that an update keeps, in (0, 1).

    Raises:
        DomainError: for a decay outside (0, 1).

    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; the warm-up is
    that of TensorFlow's ``ExponentialMovingAverage``.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        check_decay(decay)
        self.net = net
        self.decay = decay
        self.updates = 0
        self._live = {name: value.detach() for name, value in net.state_dict(keep_vars=True).items()}
        self._average = {name: value.clone() for name, value in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of one more step into the average."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        names = [name for name, value in self._live.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self._average[name] for name in names], [self._live[name] for name in names], 1 - decay
        )
        for name in self._live.keys() - set(names):
            self._average[name].copy_(self._live[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the network computes with the averages; its own weights are put back after it."""
        own = {name: value.clone() for name, value in self._live.items()}
        self._write(self._average)
        try:
            yield
        finally:
            self._write(own)

    @torch.no_grad()
    def _write(self, values: Mapping[str, Tensor]) -> None:
        for name, value in self._live.items():
            value.copy_(values[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The averages under the names of the network's state dict."""
        return dict(self._average)

    def load_state_dict(self, state: Mapping[str, Any] | None, updates: int) -> None:
        """Go on from averages that `state_dict` gave after `updates` updates; None: begin with the weights.

        Raises:
            InputError: if the averages are those of another network.
        """
        if state is None:
            self._average = {name: value.clone() for name, value in self._live.items()}
            self.updates = 0
            return
        with self.applied():
            load_strictly(self.net, state, "Field 'net_ema' of the checkpoint")
            self._average = {name: value.clone() for name, value in self._live.items()}
        self.updates = updates


def check_decay(decay: float) -> None:
    """Refuse what is no decay.

    Raises:
        DomainError: for a value outside (0, 1).
    """
    if not 0 < decay < 1:
        raise DomainError(f"the decay of averaged weights (ema) must lie between 0 and 1, got {decay}")
