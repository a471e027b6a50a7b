"""Activations whose shape is a parameter, their derivatives, and a softmax with a reserve."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ebm.exceptions import DomainError
from ebm.lookup import lookup

__all__ = [
    "MLU",
    "BentIdentPar",
    "BentIdentParDeriv",
    "LeakyReluPar",
    "LeakyReluParDeriv",
    "score_activation",
    "softmax_reg",
]


class LeakyReluPar(nn.Module):
    """Leaky rectifier with slope `a` on the negative side: a = 1 is the identity, a = 0 the rectifier."""

    def forward(self, x: Tensor, a: Tensor | float) -> Tensor:
        """``(1 - a) / 2 |x| + (1 + a) / 2 x``; `a` broadcasts against `x`."""
        return (1.0 - a) / 2.0 * x.abs() + (1.0 + a) / 2.0 * x


class LeakyReluParDeriv(nn.Module):
    """Derivative of `LeakyReluPar` in x; (1 + a) / 2 at zero."""

    def forward(self, x: Tensor, a: Tensor | float) -> Tensor:
        """Slope at `x`, which itself takes no gradient; `a` broadcasts against `x`."""
        return (1.0 - a) / 2.0 * x.detach().sign() + (1.0 + a) / 2.0


class BentIdentPar(nn.Module):
    """Smooth `LeakyReluPar`: a bent identity whose bend has width `b`."""

    def __init__(self, b: float = 1.0) -> None:
        super().__init__()
        self.b = b

    def forward(self, x: Tensor, a: Tensor | float) -> Tensor:
        """``(1 - a) / 2 (sqrt(x^2 + 4 b^2) - 2 b) + (1 + a) / 2 x``; `a` broadcasts against `x`."""
        bend = (x * x + 4.0 * self.b * self.b).sqrt() - 2.0 * self.b
        return (1.0 - a) / 2.0 * bend + (1.0 + a) / 2.0 * x


class BentIdentParDeriv(nn.Module):
    """Derivative of `BentIdentPar` in x."""

    def __init__(self, b: float = 1.0) -> None:
        super().__init__()
        self.b = b

    def forward(self, x: Tensor, a: Tensor | float) -> Tensor:
        """Slope at `x`; `a` broadcasts against `x`."""
        return (1.0 - a) / 2.0 * (x / (x * x + 4.0 * self.b * self.b).sqrt()) + (1.0 + a) / 2.0


class MLU(nn.Module):
    """Identity above zero, an exponential with floor ``-min_val`` below."""

    def __init__(self, min_val: float) -> None:
        super().__init__()
        if not min_val > 0:
            raise DomainError(f"MLU needs a positive min_val, not {min_val}.")
        self.min_val = min_val

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return F.elu(F.leaky_relu(x, 1.0 / self.min_val), alpha=self.min_val)


def softmax_reg(x: Tensor, dim: int, reg: float | None = None) -> Tensor:
    """Softmax over `dim`, with one more logit of value `reg` (whose share is dropped) unless it is None.

    Args:
        x: logits, any shape.
        dim: dimension over which the shares, with the reserve, add up to one.
        reg: logit of the reserve.

    Returns:
        Shares, the shape of `x`.
    """
    if reg is None:
        return x.softmax(dim)
    reserve = torch.full_like(x.select(dim, 0).unsqueeze(dim), reg)
    return torch.cat((x, reserve), dim).softmax(dim).narrow(dim, 0, x.shape[dim])


def score_activation(name: str, parameter: float | None = None) -> tuple[nn.Module, nn.Module]:
    """The activation of classifier scores called `name`, and its derivative.

    Args:
        name: ``"relu"`` (`LeakyReluPar`) or ``"bentpar"`` (`BentIdentPar`).
        parameter: width of the bend for ``"bentpar"``, default 1.

    Raises:
        UnknownNameError: for another name.
        DomainError: if the width is not a positive finite number.
    """
    b = 1.0 if parameter is None else parameter
    if not (b > 0 and math.isfinite(b)):
        raise DomainError(f"The activation's parameter must be positive, not {b}.")
    table: dict[str, tuple[nn.Module, nn.Module]] = {
        "relu": (LeakyReluPar(), LeakyReluParDeriv()),
        "bentpar": (BentIdentPar(b), BentIdentParDeriv(b)),
    }
    return lookup("score activation", name, table)
