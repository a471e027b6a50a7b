"""Layers that networks on (input, candidate) pairs are made of, and checks of what goes in."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ebm.checks import require_count, require_finite, require_last_dim, require_positive
from ebm.exceptions import ShapeError
from ebm.models import Features, require_fitting_features
from ebm.numbers import number_tensor

__all__ = [
    "Activation",
    "SplitLinear",
    "SplitMLP",
    "affine_buffer",
    "as_network",
    "mlp",
    "require_candidates",
]

Activation = type[nn.Module]


def mlp(
    sizes: Sequence[int], activation: Activation = nn.ReLU, *, activate_last: bool = True
) -> nn.Sequential:
    """Linear layers of the given sizes, each followed by the activation.

    Args:
        sizes: input size, then the size of every layer; one entry alone is the identity.
        activation: module class without arguments.
        activate_last: whether the last layer has an activation too.

    Raises:
        DomainError: if a size is not a positive integer.
    """
    layers: list[nn.Module] = []
    for size in sizes:
        require_count("layer size", size)
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*(layers if activate_last else layers[:-1]))


class SplitLinear(nn.Linear):
    """A linear layer on (x, y) side by side that never puts them side by side.

    With one x per input and M candidates y per input, ``W [x; y] + b = (W_x x + b) + W_y y``: the first term
    is computed once per input. The state dict is that of ``nn.Linear(x_dim + y_dim, out_dim)``, x first.

    Args:
        x_dim: columns for what is there once per input.
        y_dim: columns for what is there per candidate.
        out_dim: outputs.
    """

    def __init__(self, x_dim: int, y_dim: int, out_dim: int) -> None:
        super().__init__(require_count("x_dim", x_dim) + require_count("y_dim", y_dim), out_dim)
        self.x_dim = x_dim

    def project(self, x: Tensor) -> Tensor:
        """The input's share with the bias, ``(B, x_dim) -> (B, out_dim)``."""
        return F.linear(x, self.weight[:, : self.x_dim], self.bias)

    def join(self, projected: Tensor, y: Tensor) -> Tensor:
        """`projected` ``(B, out_dim)`` plus the candidates' share, ``(B, M, y_dim) -> (B, M, out_dim)``."""
        # In place: nothing needs the product without the sum, and M times B rows are what costs memory.
        return F.linear(y, self.candidates_weight).add_(projected[:, None])

    @property
    def candidates_weight(self) -> Tensor:
        """What the candidates are multiplied by, ``(out_dim, y_dim)``."""
        return self.weight[:, self.x_dim :]


class SplitMLP(nn.Module):
    """A multi-layer perceptron on (x, y), its first layer a `SplitLinear`; no activation at the end.

    Args:
        x_dim: size of what is there once per input.
        y_dim: size of what is there per candidate.
        sizes: layer sizes, the last one is the output's.
        activation: module class between layers.

    Raises:
        ShapeError: if `sizes` is empty.
    """

    def __init__(
        self, x_dim: int, y_dim: int, sizes: Sequence[int], activation: Activation = nn.ReLU
    ) -> None:
        super().__init__()
        if not sizes:
            raise ShapeError("a network needs at least one layer: sizes must not be empty.")
        self.first = SplitLinear(x_dim, y_dim, require_count("layer size", sizes[0]))
        rest = mlp(sizes, activation, activate_last=False)
        self.rest = nn.Sequential(activation(), *rest) if len(rest) else rest

    def project(self, x: Tensor) -> Tensor:
        """What the first layer makes of the inputs, ``(B, x_dim) -> (B, sizes[0])``."""
        return self.first.project(x)

    def forward(self, projected: Tensor, y: Tensor) -> Tensor:
        """Outputs for candidates, ``(B, sizes[0])`` and ``(B, M, y_dim) -> (B, M, sizes[-1])``."""
        return cast(Tensor, self.rest(self.first.join(projected, y)))


def affine_buffer(
    name: str, value: float | Sequence[float] | Tensor, target_dim: int, *, positive: bool = False
) -> Tensor:
    """One number per target coordinate, ``(D,)`` float32.

    Args:
        name: argument name for messages.
        value: one number, or D.
        target_dim: D.
        positive: whether the numbers must be above zero.

    Raises:
        DomainError: if a number is not finite, or not positive where it must be.
        ShapeError: if there are neither 1 nor D numbers.
    """
    numbers = number_tensor(name, value, torch.float32).detach().clone()
    if numbers.ndim > 1 or numbers.numel() not in (1, target_dim):
        raise ShapeError(
            f"expected {name} to be one number or D={target_dim}, got shape {tuple(numbers.shape)}."
        )
    numbers = numbers.expand(target_dim).clone() if numbers.numel() == 1 else numbers
    require_finite(name, numbers)
    if positive:
        require_positive(name, numbers.tolist())
    return numbers


def as_network(module: nn.Module, y: Tensor) -> Tensor:
    """Targets ``(B, M, D)``, which come in float32, in the dtype of a network in half precision."""
    weight = next(module.parameters(), y)
    return y.to(weight.dtype) if weight.dtype in (torch.bfloat16, torch.float16) else y


def require_candidates(features: Features, y: Tensor, dim: int) -> None:
    """Check that candidates are ``(B, M, D)`` and have the batch size and device of the features.

    Raises:
        ShapeError: if a shape differs.
        TypeError: if a device differs.
    """
    require_last_dim("y", y, dim, f"(B, M, D={dim})", rank=3)
    require_fitting_features(features, y)
