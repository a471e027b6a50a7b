"""What every baseline is: a head on features with a loss and a prediction, and for many a density."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

import torch
from torch import Tensor, nn

from ebm.baselines.composite import AffineDensity
from ebm.baselines.densities import ParametricDensity
from ebm.baselines.functional import Scale
from ebm.checks import (
    float_dtype,
    require_count,
    require_finite,
    require_generator,
    require_last_dim,
    require_same_dtype,
)
from ebm.density.base import Levels
from ebm.exceptions import NumericalError
from ebm.lookup import unknown_name
from ebm.losses.base import LossOutput
from ebm.losses.reduction import reduce, require_weights
from ebm.models import EnergyModel, Features, require_fitting_features
from ebm.nn.layers import Activation, affine_buffer, mlp

__all__ = ["Baseline", "BaselineEnergy", "DensityBaseline", "HeadOptions", "Init", "initialize"]

Init = Literal["torch", "paper"]
PAPER_STD = 0.001


class HeadOptions(TypedDict, total=False):
    """Keyword arguments that every baseline takes, see `Baseline`."""

    hidden: Sequence[int]
    activation: Activation
    init: Init
    y_scale: float | Sequence[float] | Tensor
    y_shift: float | Sequence[float] | Tensor
    check_finite: bool


class Baseline(nn.Module, ABC):
    """A head on feature vectors that is trained by `loss` and asked by `predict`.

    Inside, targets are standardised, ``(y - y_shift) / y_scale``; whatever goes in or comes out is in the
    unit of y, and densities are densities over y.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        hidden: hidden layer sizes of every output branch; empty is one linear layer.
        activation: module class between layers.
        init: ``"torch"``, or ``"paper"``: weights of every branch's last layer from N(0, 0.001^2), biases 0.
        y_scale: unit of the standardised targets, one number or D, > 0.
        y_shift: their origin, one number or D.
        check_finite: raise on a non-finite loss; on a GPU this waits for the device every time.

    Raises:
        DomainError: if a size is not a positive integer or a number out of its domain.
        ShapeError: if there are neither 1 nor D scales or shifts.
        UnknownNameError: (a ValueError) for another `init`.

    Attributes:
        scale: ``"exact"`` where the loss is a negative log-likelihood of y in nats, constants included;
            ``"paper"`` where it is another objective or lacks them.

    Source: Gustafsson et al., ECCV 2020, supplement C.4, E.4, F.4.
    """

    scale: Scale = "paper"
    y_scale: Tensor
    y_shift: Tensor

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        hidden: Sequence[int] = (),
        activation: Activation = nn.ReLU,
        init: Init = "torch",
        y_scale: float | Sequence[float] | Tensor = 1.0,
        y_shift: float | Sequence[float] | Tensor = 0.0,
        check_finite: bool = True,
    ) -> None:
        super().__init__()
        if init not in ("torch", "paper"):
            raise unknown_name("init", str(init), ("torch", "paper"))
        self.feature_dim = require_count("feature_dim", feature_dim)
        self.target_dim = require_count("target_dim", target_dim)
        self.hidden, self.activation, self.init = tuple(hidden), activation, init
        self.check_finite = check_finite
        self.register_buffer("y_scale", affine_buffer("y_scale", y_scale, target_dim, positive=True))
        self.register_buffer("y_shift", affine_buffer("y_shift", y_shift, target_dim))

    def forward(
        self,
        features: Tensor,
        y: Tensor,
        generator: torch.Generator | None = None,
        *,
        weights: Tensor | None = None,
    ) -> LossOutput:
        """Loss of a batch; `loss` is the same.

        Args:
            features: ``(B, feature_dim)``; gradients flow into it.
            y: targets, ``(B, D)``; B may be 0.
            generator: source of randomness on the device of `y`, for heads that draw.
            weights: weight per item ``(B,)``, non-negative and not all 0.

        Raises:
            ShapeError: if a shape does not fit.
            TypeError: if devices or dtypes differ, or `y` is boolean; integers are cast.
            DomainError: if a target (on the CPU) or weight is out of its domain.
            NumericalError: with `check_finite`, if the loss is not finite.
        """
        self._require_features(features)
        require_last_dim("y", y, self.target_dim, f"(B, D={self.target_dim})", rank=2)
        require_fitting_features(features, y)
        require_weights(weights, y)
        require_generator(generator, y=y)
        require_same_dtype(features=features, y=y if y.is_floating_point() else features)
        y = y.to(float_dtype(y))
        require_finite("y", y)
        per_item, aux = self.objective(features, (y - self.y_shift) / self.y_scale, generator)
        per_item = per_item + self.log_unit()
        loss = reduce(per_item, "mean", weights)
        if self.check_finite and not bool(loss.detach().isfinite()):
            raise NumericalError(
                f"the loss of {type(self).__name__} is {loss.item()}: look for non-finite features or a "
                "learning rate that is too large."
            )
        detached = {name: value.detach() for name, value in aux.items()}
        return LossOutput(loss, per_item, detached if y.shape[0] else {"empty": True})

    def loss(
        self,
        features: Tensor,
        y: Tensor,
        generator: torch.Generator | None = None,
        *,
        weights: Tensor | None = None,
    ) -> LossOutput:
        """Loss of a batch, see `forward`."""
        out: LossOutput = self(features, y, generator, weights=weights)
        return out

    @abstractmethod
    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss per item ``(B,)`` and diagnostics ``()`` for standardised targets ``(B, D)``."""

    @abstractmethod
    def predict(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One target per input in the unit of y, ``(B, feature_dim) -> (B, D)``."""

    def log_unit(self) -> Tensor | float:
        """What standardisation adds to an exact negative log-likelihood, sum of log y_scale; 0 otherwise."""
        return self.y_scale.log().sum() if self.scale == "exact" else 0.0

    def branch(self, outputs: int) -> nn.Sequential:
        """A new output branch: `hidden` layers, then a linear one to `outputs` numbers."""
        sizes = (self.feature_dim, *self.hidden, outputs)
        branch = mlp(sizes, self.activation, activate_last=False)
        initialize(branch, self.init)
        return branch

    def restore(self, standardised: Tensor) -> Tensor:
        """Standardised targets ``(..., D)`` in the unit of y."""
        return self.y_shift + self.y_scale * standardised

    def _require_features(self, features: Tensor) -> None:
        require_last_dim("features", features, self.feature_dim, f"(B, {self.feature_dim})", rank=2)


class DensityBaseline(Baseline):
    """A baseline that predicts a density over y."""

    scale: Scale = "exact"

    @abstractmethod
    def standard_density(
        self, features: Tensor, generator: torch.Generator | None = None
    ) -> ParametricDensity:
        """Density of the standardised targets."""

    def density(self, features: Tensor, generator: torch.Generator | None = None) -> ParametricDensity:
        """Density of y for each input, with `log_prob`, `mean`, `quantile`, `sample` and more.

        Args:
            features: ``(B, feature_dim)``.
            generator: source of randomness, for the one head (cVAE) whose density is itself drawn.

        Raises:
            ShapeError: if the features do not fit.
        """
        self._require_features(features)
        return AffineDensity(self.standard_density(features, generator), self.y_scale, self.y_shift)

    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Minus the log-density of standardised targets ``(B, D) -> (B,)``."""
        return -self.standard_density(features, generator).log_prob(y), {}

    def predict(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Expected value of y, ``(B, feature_dim) -> (B, D)``."""
        return self.density(features, generator).mean()

    def log_prob(self, features: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """log p(y|x), nats, for y ``(B, D) -> (B,)`` or ``(B, M, D) -> (B, M)``."""
        return self.density(features, generator).log_prob(y)

    def sample(self, features: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` draws of y per input, ``(B, n, D)``, without gradient."""
        return self.density(features, generator).sample(n, generator)

    def cdf(self, features: Tensor, t: float | Tensor, dim: int = 0) -> Tensor:
        """P(y_dim <= t) per input, see `ParametricDensity.cdf`."""
        return self.density(features).cdf(t, dim)

    def quantile(self, features: Tensor, p: Levels, dim: int = 0) -> Tensor:
        """The value that y_dim stays below with probability p, see `ParametricDensity.quantile`."""
        return self.density(features).quantile(p, dim)


class BaselineEnergy(EnergyModel):
    """A backbone with a density baseline as an energy model: its scores are normalised log-densities.

    Args:
        feature_net: inputs to feature vectors ``(B, feature_dim)``.
        head: the baseline.
    """

    def __init__(self, feature_net: nn.Module, head: DensityBaseline) -> None:
        super().__init__()
        self.feature_net, self.head, self.target_dim = feature_net, head, head.target_dim

    def extract(self, x: Any) -> Features:
        """Feature vectors, ``(B, feature_dim)``."""
        return self.feature_net(x)

    def score(self, features: Features, y: Tensor) -> Tensor:
        """log p(y|x), nats, ``(B, M, D) -> (B, M)``."""
        require_last_dim("y", y, self.target_dim, f"(B, M, D={self.target_dim})", rank=3)
        return self.head.log_prob(features, y)


def initialize(branch: nn.Module, init: Init) -> None:
    """Give the last linear layer of `branch` the papers' start, N(0, 0.001^2) and bias 0, if asked to.

    Hidden layers keep torch's start: with weights this small in several layers no signal would pass.
    """
    if init == "paper":
        last = [layer for layer in branch.modules() if isinstance(layer, nn.Linear)][-1]
        nn.init.normal_(last.weight, std=PAPER_STD)
        nn.init.zeros_(last.bias)
