"""An energy times a wide Gaussian, and its score with the gradient in closed form."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ebm.models import Features
from ebm.nn import ConditionalEBM, MLPEnergyHead
from ebm.nn.arrays import ArrayHead
from ebm.nn.scores import HeadArrays, HeadScore

__all__ = ["FAR", "AnchoredEBM"]

FAR = 10.0
"""Anchors up to which a head sees targets as they are."""


class AnchoredEBM(ConditionalEBM):
    """A `ConditionalEBM` times a wide Gaussian, so that p(y|x) can be normalised over all of R^D.

    Where no training sample ever falls, nothing but the Gaussian shapes f: mass cannot hide there.

    Args:
        feature_net: inputs to features ``(B, feature_dim)``.
        head: scores of standardised targets.
        target_dim: D.
        anchor: standard deviation of the Gaussian, in standard deviations of the targets.
    """

    def __init__(self, feature_net: nn.Module, head: nn.Module, target_dim: int, anchor: float) -> None:
        super().__init__(feature_net, head, target_dim)
        self.anchor = anchor

    def score(self, features: Features, y: Tensor) -> Tensor:
        """f(x, y) of standardised targets, ``(B, M, D) -> (B, M)``."""
        return super().score(features, self.near(y)) - (0.5 / self.anchor**2) * y.square().sum(-1)

    def score_function(self, features: Features) -> Callable[[Tensor], Tensor]:
        """See `EnergyModel.score_function`; a subclass has a score of its own."""
        head = self.head
        if type(self) is AnchoredEBM and isinstance(head, MLPEnergyHead) and head.knows_gradient:
            return _AnchoredScore(self, head, features)
        return super().score_function(features)

    def near(self, y: Tensor) -> Tensor:
        """Targets as the head sees them: as they are up to `FAR` anchors, from there on by their logarithm.

        One wrong row, a thousand deviations out, would else drive the activations, and with them the weights,
        a thousand times as far as any other.
        """
        over = self.beyond(y)
        return y - y.sign() * (over - over.log1p())

    def beyond(self, y: Tensor) -> Tensor:
        """How far targets lie beyond `FAR` anchors, in standardised units; 0 within."""
        return (y.abs() - FAR * self.anchor).clamp(min=0)


class _AnchoredScore(HeadScore):
    """The score of an `AnchoredEBM` at features, with its gradient."""

    def __init__(self, model: AnchoredEBM, head: MLPEnergyHead, features: Features) -> None:
        super().__init__(model, head, features)
        self.anchored = model

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """See `HeadScore`."""
        model = self.anchored
        score, slope = super().value_and_gradient(model.near(y))
        pull = y / model.anchor**2
        # What is beyond counts by log(1 + beyond), whose slope is 1 / (1 + beyond).
        return score - 0.5 * (pull * y).sum(-1), slope / (1 + model.beyond(y)) - pull

    def on_arrays(self, y: Tensor) -> "_AnchoredArrays | None":
        """See `HeadScore`."""
        head = self.head_on_arrays(y)
        return None if head is None else _AnchoredArrays(self.anchored, head)


class _AnchoredArrays(HeadArrays):
    """`_AnchoredScore` on numpy's arrays."""

    def __init__(self, model: AnchoredEBM, head: ArrayHead) -> None:
        super().__init__(model, head)
        self._far, self._strength = FAR * model.anchor, 1 / model.anchor**2

    def value(self, y: NDArray[Any]) -> Any:
        """See `HeadArrays`."""
        return super().value(self._near(y)[0]) - 0.5 * self._strength * y.dot(y)

    def both(self, y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        """See `HeadArrays`."""
        near, steepness = self._near(y)
        score, slope = super().both(near)
        pull = y * self._strength
        return score - 0.5 * pull.dot(y), slope * steepness - pull

    def _near(self, y: NDArray[Any]) -> tuple[NDArray[Any], Any]:
        """`AnchoredEBM.near` and its slope."""
        if all(-self._far <= one <= self._far for one in y.tolist()):
            return y, 1
        over = np.maximum(np.abs(y) - self._far, 0)
        return y - np.sign(y) * (over - np.log1p(over)), 1 / (1 + over)
