"""Energy heads that project the features once, and their composition with any backbone."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ebm.checks import require_count, require_last_dim
from ebm.exceptions import ShapeError
from ebm.models import EnergyModel, Features
from ebm.nn.arrays import LARGEST, ArrayHead
from ebm.nn.layers import (
    Activation,
    SplitLinear,
    SplitMLP,
    affine_buffer,
    as_network,
    mlp,
    require_candidates,
)
from ebm.nn.parts import PART, is_plain, scores_in_parts
from ebm.nn.scores import HeadScore

__all__ = ["ConditionalEBM", "EnergyHead", "MLPEnergyHead"]

# Activation -> itself, and the gradient in its input from that in its output and the input.
_WITH_SLOPES: Mapping[Activation, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    nn.ReLU: (F.relu, lambda gradient, x: torch.ops.aten.threshold_backward(gradient, x, 0)),
    nn.SiLU: (F.silu, torch.ops.aten.silu_backward),
}
_IN_PLACE: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    nn.ReLU: torch.relu_,
    nn.SiLU: partial(F.silu, inplace=True),
}


class EnergyHead(nn.Module, ABC):
    """Scores of candidates from features, in two steps so that the inputs' share is computed once."""

    def project(self, features: Features) -> Features:
        """What is needed of the features ``(B, ...)``, whatever the candidates; by default all of them."""
        return features

    @abstractmethod
    def forward(self, projected: Features, y: Tensor) -> Tensor:
        """Scores of candidates ``(B, M, D) -> (B, M)``, given what `project` returned."""


class MLPEnergyHead(EnergyHead):
    """A branch for y, then joint layers on features and y; the concatenation is never built.

    Args:
        feature_dim: size of the feature vector.
        y_dims: layer sizes of the y-branch, each with an activation; empty hands y on as it is.
        joint_dims: sizes of the joint hidden layers, at least one; a linear layer to one score follows.
        activation: module class, in both parts.
        target_dim: D.

    Raises:
        DomainError: if a size is not a positive integer.
        ShapeError: if `joint_dims` is empty: f would be linear in y's features and no density.

    Source: Gustafsson et al., ECCV 2020, supplement E and F (the defaults).
    """

    def __init__(
        self,
        feature_dim: int,
        y_dims: Sequence[int] = (16, 32, 64, 128),
        joint_dims: Sequence[int] = (2048,),
        activation: Activation = nn.ReLU,
        *,
        target_dim: int = 1,
    ) -> None:
        super().__init__()
        self.feature_dim = require_count("feature_dim", feature_dim)
        self.target_dim = require_count("target_dim", target_dim)
        if not joint_dims:
            raise ShapeError("joint_dims must hold at least one hidden layer.")
        self._activation = activation
        self._width = max(*y_dims, *joint_dims)
        self.y_net = mlp((target_dim, *y_dims), activation)
        self.joint = SplitMLP(feature_dim, (target_dim, *y_dims)[-1], (*joint_dims, 1), activation)

    def project(self, features: Features) -> Tensor:
        """First joint layer's share of the features, ``(B, feature_dim) -> (B, joint_dims[0])``."""
        require_last_dim("features", features, self.feature_dim, f"(B, {self.feature_dim})", rank=2)
        return self.joint.project(features)

    def forward(self, projected: Features, y: Tensor) -> Tensor:
        """Scores, ``(B, joint_dims[0])`` and ``(B, M, D) -> (B, M)``.

        Many are computed in parts where no graph is recorded; of targets that all inputs share, as those of a
        grid, what does not depend on the input is computed once.
        """
        if self._in_parts(projected, y):
            return scores_in_parts(self._layers(), _IN_PLACE[self._activation], projected, y)
        return cast(Tensor, self.joint(projected, self.y_net(y)))[..., 0]

    def _in_parts(self, projected: Tensor, y: Tensor) -> bool:
        """Whether `scores_in_parts` takes these and gains; nothing is looked at while a graph grows."""
        if y.device.type != "cpu" or y.shape[0] * y.shape[1] * self._width <= PART:
            return False
        if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu") or not self.knows_gradient:
            return False
        fed = (projected, y, *self.parameters())
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in fed):
            return False
        return all(tensor.dtype == y.dtype for tensor in fed) and is_plain(projected, y)

    @property
    def knows_gradient(self) -> bool:
        """Whether `value_and_gradient` can be asked: layers are as they were made, of known slopes."""
        plain = (nn.Linear, self._activation)
        layers = all(isinstance(layer, plain) for layer in (*self.y_net, *self.joint.rest))
        return self._activation in _WITH_SLOPES and layers and type(self.joint.first) is SplitLinear

    def value_and_gradient(self, projected: Features, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(B, M)`` and their gradient in y ``(B, M, D)``: one pass on, one back, without a graph.

        Autograd's own work is most of what a few targets through small layers cost.
        """
        act, slope_of = _WITH_SLOPES[self._activation]
        layers = self._layers()
        sums: list[Tensor] = []  # before the activations
        with torch.no_grad():
            for weight, bias in layers:
                share = projected[:, None] if bias is None else bias
                sums.append(F.linear(act(sums[-1]) if sums else y, weight).add_(share))
            score = sums.pop()[..., 0]
            gradient = layers.pop()[0].expand(*sums[-1].shape)
            for (weight, _), before in zip(reversed(layers), reversed(sums)):
                gradient = slope_of(gradient, before) @ weight
        return score, gradient

    def on_arrays(self, projected: Tensor) -> ArrayHead | None:
        """The head for a single target of one input by numpy, ``(1, joint_dims[0])``.

        None if it is not on the CPU in one precision that numpy has, or if a layer is too large to gain.
        """
        dtype = projected.dtype
        if dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled("cpu"):
            return None
        layers = [(weight, projected[0] if bias is None else bias) for weight, bias in self._layers()]
        if torch.compiler.is_compiling() or any(
            t.device.type != "cpu" or t.dtype != dtype or t.numel() > LARGEST for pair in layers for t in pair
        ):
            return None
        arrays = [(weight.detach().numpy(), bias.detach().numpy()) for weight, bias in layers]
        return ArrayHead(arrays, smooth=self._activation is nn.SiLU)

    def _layers(self) -> list[tuple[Tensor, Tensor | None]]:
        """Weights and biases from a target to its score; None stands for the share of the features."""
        first = self.joint.first
        before, after = (
            [(layer.weight, layer.bias) for layer in part if isinstance(layer, nn.Linear)]
            for part in (self.y_net, self.joint.rest)
        )
        return [*before, (first.candidates_weight, None), *after]


class ConditionalEBM(EnergyModel):
    """Any backbone with an energy head.

    Targets are standardised before the head sees them, ``(y - y_shift) / y_scale``. Scores remain densities
    over the raw y, because the Jacobian is a constant and constants drop out of f.

    Args:
        feature_net: inputs to features; anything `head` takes.
        head: an `EnergyHead`, or a module called with (features, y) as ``(B, ...)`` and ``(B, M, D)``.
        target_dim: D.
        y_scale: unit of the standardised targets, one number or D, > 0.
        y_shift: their origin, one number or D.

    Raises:
        DomainError: if a scale is not positive or a number not finite.
        ShapeError: if there are neither 1 nor D numbers.
    """

    y_scale: Tensor
    y_shift: Tensor

    def __init__(
        self,
        feature_net: nn.Module,
        head: nn.Module,
        target_dim: int,
        y_scale: float | Sequence[float] | Tensor = 1.0,
        y_shift: float | Sequence[float] | Tensor = 0.0,
    ) -> None:
        super().__init__()
        self.feature_net, self.head = feature_net, head
        self.target_dim = require_count("target_dim", target_dim)
        self.register_buffer("y_scale", affine_buffer("y_scale", y_scale, target_dim, positive=True))
        self.register_buffer("y_shift", affine_buffer("y_shift", y_shift, target_dim))

    def extract(self, x: Any) -> Features:
        """Features of the inputs as far as the head can work on them without candidates, ``(B, ...)``."""
        features = self.feature_net(x)
        return self.head.project(features) if isinstance(self.head, EnergyHead) else features

    def score(self, features: Features, y: Tensor) -> Tensor:
        """f(x, y), ``(B, M, D) -> (B, M)``."""
        require_candidates(features, y, self.target_dim)
        return cast(Tensor, self.head(features, as_network(self.head, (y - self.y_shift) / self.y_scale)))

    def score_function(self, features: Features) -> Callable[[Tensor], Tensor]:
        """See `EnergyModel.score_function`; a subclass has a score of its own."""
        head = self.head
        if type(self) is ConditionalEBM and isinstance(head, MLPEnergyHead) and head.knows_gradient:
            return HeadScore(self, head, features)
        return super().score_function(features)
