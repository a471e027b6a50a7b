"""AdamW over one flat tensor: a step of a small network is a handful of operations, whatever its layers."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError

__all__ = ["FlatAdamW"]

BETAS = (0.9, 0.999)
EPS = 1e-8


class FlatAdamW:
    """AdamW on all parameters of a network at once; weight decay acts on matrices and kernels, not on biases.

    torch's own optimisers import its compiler when the first one is made, which takes seconds; a density on
    a small table is fitted in less. While this object is in use the parameters are views of one tensor;
    `release` gives each its own memory again.

    Args:
        net: parameters without ``requires_grad`` are left alone.
        weight_decay: share of a weight that a step of learning rate 1 would take away.
        coupled: add it to the gradient instead, biases included: Adam with an L2 penalty.

    Raises:
        InputError: if trained parameters are not all float32 on one device, or there are none.

    Source: Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019.
    """

    def __init__(self, net: nn.Module, weight_decay: float, *, coupled: bool = False) -> None:
        self.coupled = coupled
        self.trained = [p for p in net.parameters() if p.requires_grad]
        kinds = {(p.dtype, p.device) for p in self.trained}
        if len(kinds) != 1 or next(iter(kinds))[0] != torch.float32:
            found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
            raise InputError(f"parameters to train must be float32 on one device, found: {found}.")
        self.values = torch.cat([p.detach().flatten() for p in self.trained])
        self.gradient = torch.zeros_like(self.values)
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.steps = 0
        # By their names: biases of several networks side by side are a matrix.
        biases = {id(p) for name, p in net.named_parameters() if p.ndim < 2 or name.endswith("bias")}
        shares = [0.0 if id(p) in biases and not coupled else weight_decay for p in self.trained]
        decays = [torch.full((p.numel(),), share) for p, share in zip(self.trained, shares, strict=True)]
        self.decay = torch.cat(decays).to(self.values.device)
        for p, value, gradient in zip(self.trained, self._views(self.values), self._views(self.gradient)):
            p.data, p.grad = value, gradient

    def zero_grad(self) -> None:
        """Forget the gradient; backward passes add to it in place."""
        self.gradient.zero_()

    def step(self, learning_rate: float) -> None:
        """Move the parameters."""
        self.steps += 1
        if self.coupled:
            self.gradient.addcmul_(self.values, self.decay)
        self.mean.lerp_(self.gradient, 1 - BETAS[0])
        self.square.mul_(BETAS[1]).addcmul_(self.gradient, self.gradient, value=1 - BETAS[1])
        scale = (self.square / (1 - BETAS[1] ** self.steps)).sqrt_().add_(EPS)
        if not self.coupled:
            self.values.addcmul_(self.values, self.decay, value=-learning_rate)
        self.values.addcdiv_(self.mean, scale, value=-learning_rate / (1 - BETAS[0] ** self.steps))

    def release(self) -> None:
        """Give every parameter memory of its own, and no gradient."""
        for p in self.trained:
            p.data, p.grad = p.data.clone(), None

    def state(self) -> dict[str, Any]:
        """What the next step depends on beside the parameters, as tensors on the CPU and plain values."""
        return {"mean": self.mean.cpu().clone(), "square": self.square.cpu().clone(), "steps": self.steps}

    def load(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        self.mean.copy_(state["mean"])
        self.square.copy_(state["square"])
        self.steps = int(state["steps"])

    def _views(self, flat: Tensor) -> list[Tensor]:
        """Pieces of a flat tensor, each in the shape of its parameter."""
        pieces = flat.split([p.numel() for p in self.trained])
        return [piece.view_as(p) for piece, p in zip(pieces, self.trained, strict=True)]
