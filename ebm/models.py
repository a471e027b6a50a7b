"""What an energy-based model is to the losses and the predictors: features once, scores for many targets."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ebm.checks import float_dtype, require_count, require_last_dim, require_same_device
from ebm.exceptions import ShapeError

__all__ = [
    "EnergyModel",
    "FunctionalEnergy",
    "map_tensors",
    "require_fitting_features",
    "require_working_dtype",
    "tensors_of",
    "working_dtype",
]

# A tensor, or tuples, lists and dicts of such; every tensor has the batch B as its first dimension.
Features = Any


class EnergyModel(nn.Module, ABC):
    """p(y|x) = exp f(x, y) / Z(x), given by its score f; higher is likelier, minus f is the energy.

    Attributes:
        target_dim: D, the number of coordinates of a target.
    """

    target_dim: int

    @abstractmethod
    def extract(self, x: Any) -> Features:
        """Features of the inputs, computed once per input: nested tensors with leading dimension B."""

    @abstractmethod
    def score(self, features: Features, y: Tensor) -> Tensor:
        """f(x, y) of candidates ``(B, M, D) -> (B, M)``, differentiable in y."""

    def score_function(self, features: Features) -> Callable[[Tensor], Tensor]:
        """`score` of these features, ``(B, M, D) -> (B, M)``, as ascents take it.

        Where a model knows its gradient in closed form this is an `ebm.gradients.ScoreWithGradient`.
        """
        return partial(self.score, features)

    def forward(self, x: Any, y: Tensor) -> Tensor:
        """Scores of targets for inputs.

        Args:
            x: inputs, as `extract` takes them.
            y: ``(B, D)`` or ``(B, M, D)``.

        Returns:
            ``(B,)`` or ``(B, M)``.

        Raises:
            ShapeError: if `y` has another B than `x` or another shape; ``(B,)`` is not guessed to mean D = 1.
            TypeError: if devices or dtypes differ, or `y` is boolean; integers are cast.
        """
        dim = self.target_dim
        require_last_dim("y", y, dim, f"(B, M, D={dim}) or (B, D={dim})")
        if y.ndim != 2:
            require_last_dim("y", y, dim, f"(B, M, D={dim}) or (B, D={dim})", rank=3)
        features = self.extract(x)
        require_fitting_features(features, y)
        if not y.is_floating_point():
            y = y.to(float_dtype(y)).to(working_dtype(self, features, y))
        require_working_dtype(self, features, "y", y)
        return self.score(features, y) if y.ndim == 3 else self.score(features, y[:, None])[:, 0]

    def energy(self, x: Any, y: Tensor) -> Tensor:
        """Minus the score, for readers from the generative literature; shapes as in `forward`."""
        return -self(x, y)

    def repeat_features(self, features: Features, n: int) -> Features:
        """Every feature tensor ``(B, ...)`` with each row n times in a row, ``(B * n, ...)``."""
        return map_tensors(lambda tensor: tensor.repeat_interleave(n, dim=0), features)


class FunctionalEnergy(EnergyModel):
    """An energy written as a function; its features are the inputs themselves.

    Args:
        fn: ``fn(features, y (B, M, D)) -> (B, M)``.
        target_dim: D.
    """

    def __init__(self, fn: Callable[[Features, Tensor], Tensor], target_dim: int) -> None:
        super().__init__()
        self.fn = fn
        self.target_dim = require_count("target_dim", target_dim)

    def extract(self, x: Any) -> Features:
        """`x` itself."""
        return x

    def score(self, features: Features, y: Tensor) -> Tensor:
        """``fn(features, y)``, ``(B, M, D) -> (B, M)``."""
        return self.fn(features, y)


def map_tensors(fn: Callable[[Tensor], Tensor], tree: Features) -> Features:
    """`fn` of every tensor in nested tuples, lists and dicts; anything else is handed on as it is."""
    if isinstance(tree, Tensor):
        return fn(tree)
    if isinstance(tree, dict):
        return {key: map_tensors(fn, value) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):  # a named tuple takes its fields one by one
        return type(tree)(*(map_tensors(fn, value) for value in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(map_tensors(fn, value) for value in tree)
    return tree


def tensors_of(tree: Features) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from tensors_of(value)
    elif isinstance(tree, tuple | list):
        for value in tree:
            yield from tensors_of(value)


def require_fitting_features(features: Features, y: Tensor) -> None:
    """Check that every feature tensor has the batch size and the device of the targets.

    Args:
        features: nested tensors ``(B, ...)``.
        y: targets ``(B, ...)``.

    Raises:
        ShapeError: if a batch size differs.
        TypeError: if a device differs.
    """
    for tensor in tensors_of(features):
        if tensor.ndim == 0 or tensor.shape[0] != y.shape[0]:
            raise ShapeError(
                f"got {y.shape[0]} targets, but a feature tensor of shape {tuple(tensor.shape)}; "
                "its first dimension must be the batch."
            )
        require_same_device(features=tensor, y=y)


def working_dtype(model: EnergyModel, features: Features, y: Tensor) -> torch.dtype:
    """The dtype that a model computes in, at least float32: that of its features, else parameters, else y.

    Raises:
        TypeError: if that is on another device than the targets `y`.
    """
    fed = [tensor for tensor in tensors_of(features) if tensor.is_floating_point()]
    if not fed:
        fed += [parameter for parameter in model.parameters() if parameter.is_floating_point()][:1]
    for tensor in fed:
        require_same_device(model=tensor, y=y)
    return float_dtype(*fed) if fed else float_dtype(y)


def require_working_dtype(model: EnergyModel, features: Features, name: str, y: Tensor) -> None:
    """Raise a TypeError where `y` (any shape) has another precision than the model computes in.

    Raises:
        TypeError: if the dtypes or devices differ; integers count as float32.
    """
    wanted = working_dtype(model, features, y)
    if float_dtype(y) != wanted:
        raise TypeError(
            f"{name} is {y.dtype}, but the model computes in {wanted}: convert one of them with .to(dtype)."
        )
