"""Baselines by name."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from ebm.baselines.base import Baseline
from ebm.baselines.binned import QuantileHead, SoftmaxHead
from ebm.baselines.cvae import CVAEHead
from ebm.baselines.heads import (
    DirectHead,
    GaussianHead,
    LaplaceHead,
    LaplaceMultivariateHead,
    MixtureDensityHead,
)
from ebm.baselines.quantile_density import QuantileDensityHead
from ebm.lookup import lookup

__all__ = ["BASELINES", "build_baseline"]

BASELINES: Mapping[str, Callable[..., Baseline]] = MappingProxyType(
    {
        "l1": partial(DirectHead, criterion="l1"),
        "l2": partial(DirectHead, criterion="l2"),
        "huber": partial(DirectHead, criterion="huber"),
        "gaussian": GaussianHead,
        "laplace": LaplaceHead,
        "laplace-multivariate": LaplaceMultivariateHead,
        "mdn-2": partial(MixtureDensityHead, num_components=2),
        "mdn-4": partial(MixtureDensityHead, num_components=4),
        "mdn-8": partial(MixtureDensityHead, num_components=8),
        "cvae": CVAEHead,
        "softmax": SoftmaxHead,
        "quantile": QuantileHead,
        "quantile-density": QuantileDensityHead,
    }
)


def build_baseline(name: str, feature_dim: int, target_dim: int = 1, **cfg: Any) -> Baseline:
    """The baseline of that name.

    Args:
        name: a key of `BASELINES`, in any case.
        feature_dim: size of the feature vector.
        target_dim: D.
        **cfg: further arguments of its class.

    Raises:
        UnknownNameError: (a ValueError) with the nearest names.
    """
    return lookup("baseline", name.lower(), BASELINES)(feature_dim, target_dim, **cfg)
