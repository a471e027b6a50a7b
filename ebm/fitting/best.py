"""The best weights of a training so far, of one network or of several side by side."""

import math
import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ebm.exceptions import NumericalError
from ebm.nn.members import MemberNets

__all__ = ["Best", "HeldOut"]


class HeldOut(NamedTuple):
    """What held-out rows say of a network, both the smaller the better; of K side by side, ``(K,)`` numbers.

    Attributes:
        criterion: decides which weights are kept, and when training ends.
        nll: mean negative log-likelihood, nats, of raw targets; is told.
    """

    criterion: float | Tensor
    nll: float | Tensor


class _Kept(NamedTuple):
    """What is known after a measurement: replaced as a whole, so that Ctrl-C never finds half of it."""

    epoch: int
    criterion: Tensor
    weights: dict[str, Tensor]
    values: tuple[float, ...]


class Best:
    """The smallest criterion so far, of every member, and the weights it was measured with.

    Args:
        net: is measured.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self._kept: _Kept | None = None

    @property
    def values(self) -> tuple[float, ...]:
        """Mean held-out negative log-likelihood of every measurement, nats."""
        return () if self._kept is None else self._kept.values

    @property
    def epoch(self) -> int:
        """The measurement, from 0, that was the best."""
        return 0 if self._kept is None else self._kept.epoch

    def offer(self, measured: HeldOut) -> None:
        """Keep the present weights of the members that are better than ever.

        Raises:
            NumericalError: if a number is not finite.
        """
        criterion, nll = (torch.as_tensor(part).double().reshape(-1).cpu() for part in measured)
        if not bool((criterion.isfinite() & nll.isfinite()).all()):
            raise NumericalError(f"the held-out NLL is {', '.join(f'{value:g}' for value in nll.tolist())}.")
        values, epoch, weights = self.values, self.epoch, {} if self._kept is None else self._kept.weights
        before = torch.full_like(criterion, math.inf) if self._kept is None else self._kept.criterion
        better = criterion < before
        if bool(better.any()):
            epoch, weights = len(values), self._with(better, weights)
        lowest = torch.where(better, criterion, before)
        self._kept = _Kept(epoch, lowest, weights, (*values, nll.mean().item()))

    def _with(self, better: Tensor, known: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights, those of the members that are better as they are now."""
        state = self.net.state_dict()
        if bool(better.all()):
            return {name: tensor.detach().clone() for name, tensor in state.items()}
        whole = [f"{name}." for name, module in self.net.named_modules() if isinstance(module, MemberNets)]
        rowwise = {name for name, _ in self.net.named_parameters()}
        result = dict(known)
        for name, tensor in state.items():
            inside = next((prefix for prefix in whole if name.startswith(prefix)), None)
            if inside is not None:  # a network for each member
                if better[int(name.removeprefix(inside).split(".")[0])]:
                    result[name] = tensor.detach().clone()
            elif name in rowwise:  # one row for each
                result[name] = known[name].clone()
                result[name][better] = tensor.detach()[better.to(tensor.device)]
        return result

    def settle_for_less(self, error: NumericalError) -> None:
        """Warn that training ended here, or raise where there is nothing to settle for."""
        if not self.values:
            remedy = "Try a lower learning_rate."
            raise NumericalError(f"training failed in its first epoch: {error} {remedy}") from error
        warnings.warn(
            f"training stopped in epoch {len(self.values)}, the best weights so far are kept: {error}",
            stacklevel=6,
        )

    def restore(self) -> None:
        """Give the network its best weights."""
        if self._kept is not None:
            self.net.load_state_dict(self._kept.weights)
        self.net.eval()

    def state(self) -> dict[str, Any] | None:
        """All of it as tensors and plain values; None before the first measurement."""
        if self._kept is None:
            return None
        weights = {name: tensor.cpu().clone() for name, tensor in self._kept.weights.items()}
        return self._kept._asdict() | {"weights": weights, "values": list(self._kept.values)}

    def load(self, state: dict[str, Any] | None) -> None:
        """Inverse of `state`."""
        if state is None:
            return
        own = self.net.state_dict()
        weights = {name: state["weights"][name].to(tensor.device) for name, tensor in own.items()}
        self._kept = _Kept(int(state["epoch"]), state["criterion"], weights, tuple(state["values"]))
