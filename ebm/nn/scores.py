"""The score of a model with an `MLPEnergyHead` at given features, with its gradient in closed form."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ebm.gradients import ScoreWithArrays
from ebm.models import Features
from ebm.nn.arrays import ArrayHead
from ebm.nn.layers import as_network, require_candidates

if TYPE_CHECKING:
    from ebm.nn.energy import ConditionalEBM, MLPEnergyHead

__all__ = ["HeadArrays", "HeadScore"]

Array = NDArray[Any]


class HeadScore(ScoreWithArrays):
    """An `ebm.gradients.ScoreWithGradient` of raw targets.

    Args:
        model: whose score it is.
        head: the model's, one that `knows_gradient`.
        features: as ``model.extract`` returns them, of B inputs.
    """

    def __init__(self, model: "ConditionalEBM", head: "MLPEnergyHead", features: Features) -> None:
        self.model, self.head, self.features = model, head, features

    def __call__(self, y: Tensor) -> Tensor:
        """Scores ``(B, M)`` of targets ``(B, M, D)``."""
        return self.model.score(self.features, y)

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(B, M)`` of targets ``(B, M, D)`` and their gradient ``(B, M, D)``."""
        model = self.model
        require_candidates(self.features, y, model.target_dim)
        z = as_network(self.head, (y - model.y_shift) / model.y_scale)
        score, slope = self.head.value_and_gradient(self.features, z)
        return score, slope / model.y_scale

    def on_arrays(self, y: Tensor) -> "HeadArrays | None":
        """See `ScoreWithArrays`; of a single target of one input."""
        head = self.head_on_arrays(y)
        return None if head is None else HeadArrays(self.model, head)

    def head_on_arrays(self, y: Tensor) -> ArrayHead | None:
        """The head for targets like `y` ``(B, M, D)``, where there is one and numpy the faster."""
        require_candidates(self.features, y, self.model.target_dim)
        alone = y.shape[:2] == (1, 1) and y.device.type == "cpu" and y.dtype == self.features.dtype
        return self.head.on_arrays(self.features) if alone else None


class HeadArrays:
    """`HeadScore` on numpy's arrays; a subclass says in `value` and `both` what it adds to the head.

    Args:
        model: whose score it is.
        head: the model's.
    """

    def __init__(self, model: "ConditionalEBM", head: ArrayHead) -> None:
        self._head = head
        self._shift, self._scale = model.y_shift.numpy(), model.y_scale.numpy()

    def __call__(self, y: Array) -> Array:
        """The score ``(1, 1)`` of a target ``(1, 1, D)``."""
        return _alone(self.value(y[0, 0]), y)

    def value_and_gradient(self, y: Array) -> tuple[Array, Array]:
        """The score ``(1, 1)`` of a target ``(1, 1, D)`` and its gradient ``(1, 1, D)``."""
        score, slope = self.both(y[0, 0])
        return _alone(score, y), slope[None, None]

    def value(self, y: Array) -> Any:
        """The score ``()`` of a raw target ``(D,)``."""
        return self._head.value((y - self._shift) / self._scale)

    def both(self, y: Array) -> tuple[Any, Array]:
        """The score ``()`` of a raw target ``(D,)`` and its gradient ``(D,)``."""
        score, slope = self._head.value_and_gradient((y - self._shift) / self._scale)
        return score, slope / self._scale


def _alone(score: Any, y: Array) -> Array:
    shaped = np.empty((1, 1), y.dtype)
    shaped[0, 0] = score
    return shaped
