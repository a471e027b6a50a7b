"""Heads that predict a point or a density whose parameters are their outputs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal, Protocol, Unpack

import torch
from torch import Tensor

from ebm.baselines.base import Baseline, DensityBaseline, HeadOptions
from ebm.baselines.composite import GaussianMixture
from ebm.baselines.functional import Scale, huber, l1, l2
from ebm.baselines.location_scale import DiagonalGaussian, DiagonalLaplace, EllipticalLaplace, LocationScale
from ebm.checks import require_count
from ebm.lookup import lookup, unknown_name
from ebm.losses.reduction import Reduction

__all__ = [
    "DIRECT_LOSSES",
    "DirectHead",
    "GaussianHead",
    "LaplaceHead",
    "LaplaceMultivariateHead",
    "LocationScaleHead",
    "MixtureDensityHead",
]


class DirectLoss(Protocol):
    """A loss of predictions and targets ``(B, D)``."""

    def __call__(
        self, prediction: Tensor, y: Tensor, *, scale: Scale = ..., reduction: Reduction = ...
    ) -> Tensor: ...


DIRECT_LOSSES: Mapping[str, DirectLoss] = MappingProxyType({"l1": l1, "l2": l2, "huber": huber})


class DirectHead(Baseline):
    """A prediction and nothing else.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        criterion: ``"l2"``, ``"huber"`` (threshold 1) or ``"l1"``, on standardised targets.
        scale: ``"exact"`` or ``"paper"``, see `ebm.baselines.functional`.
        **options: see `Baseline`.
    """

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        criterion: str = "l2",
        scale: Scale = "exact",
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(feature_dim, target_dim, **options)
        self.criterion = lookup("criterion", criterion, DIRECT_LOSSES)
        self.scale = _known_scale(scale)
        self.prediction = self.branch(target_dim)

    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The criterion per item, ``(B,)``."""
        return self.criterion(self.prediction(features), y, scale=self.scale, reduction="none"), {}

    def predict(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The prediction, ``(B, feature_dim) -> (B, D)``."""
        self._require_features(features)
        return self.restore(self.prediction(features))


class LocationScaleHead(DensityBaseline):
    """A location and a log-spread per coordinate, a branch each.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        scale: ``"exact"`` or ``"paper"``, see `ebm.baselines.functional`.
        **options: see `Baseline`.

    Attributes:
        family: the density that these are parameters of.
    """

    family: ClassVar[type[LocationScale]]

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        scale: Scale = "exact",
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(feature_dim, target_dim, **options)
        self.scale = _known_scale(scale)
        self.location = self.branch(target_dim)
        self.log_spread = self.branch(target_dim)

    def standard_density(self, features: Tensor, generator: torch.Generator | None = None) -> LocationScale:
        """The family's density with the predicted parameters."""
        return self.family(self.location(features), self.log_spread(features))

    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The family's negative log-likelihood or printed objective, ``(B,)``."""
        log_spread = self.log_spread(features)
        per_item = self.family.nll(self.location(features), log_spread, y, scale=self.scale, reduction="none")
        return per_item, {"log_spread_mean": log_spread.mean()}


class GaussianHead(LocationScaleHead):
    """A Gaussian: mean and log variance per coordinate."""

    family = DiagonalGaussian


class LaplaceHead(LocationScaleHead):
    """A Laplace density per coordinate: mean and log scale."""

    family = DiagonalLaplace


class LaplaceMultivariateHead(LocationScaleHead):
    """The elliptical Laplace density, its coordinates uncorrelated but not independent."""

    family = EllipticalLaplace


class MixtureDensityHead(DensityBaseline):
    """A mixture of K diagonal Gaussians.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        num_components: K; the paper has 2, 4 and 8.
        mode: what `predict` returns: the mixture's ``"mean"`` or that of its ``"heaviest"`` component.
        **options: see `Baseline`.

    Raises:
        UnknownNameError: (a ValueError) for another mode.
        DomainError: if K is not a positive integer.
    """

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        num_components: int = 4,
        mode: Literal["mean", "heaviest"] = "mean",
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(feature_dim, target_dim, **options)
        if mode not in ("mean", "heaviest"):
            raise unknown_name("mode", str(mode), ("mean", "heaviest"))
        self.num_components, self.mode = require_count("num_components", num_components), mode
        self.logits = self.branch(num_components)
        self.means = self.branch(num_components * target_dim)
        self.log_vars = self.branch(num_components * target_dim)

    def standard_density(self, features: Tensor, generator: torch.Generator | None = None) -> GaussianMixture:
        """The mixture with the predicted parameters."""
        shape = (features.shape[0], self.num_components, self.target_dim)
        means, log_vars = (branch(features).view(shape) for branch in (self.means, self.log_vars))
        return GaussianMixture(self.logits(features), means, log_vars)

    def objective(
        self, features: Tensor, y: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Negative log-likelihood ``(B,)``; ``components`` is the number of components in use."""
        mixture = self.standard_density(features)
        used = (-(mixture.log_weights.exp() * mixture.log_weights).sum(-1)).exp().mean()
        return -mixture.log_prob(y), {"components": used}

    def predict(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean of the mixture or of its heaviest component, ``(B, feature_dim) -> (B, D)``."""
        density = self.density(features)
        return density.mean() if self.mode == "mean" else density.mode()


def _known_scale(scale: Scale) -> Scale:
    if scale not in ("exact", "paper"):
        raise unknown_name("scale", str(scale), ("exact", "paper"))
    return scale
