"""The energy that `ebm.fit` trains: a feature network, an energy head and a wide Gaussian as anchor."""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn

from ebm.baselines.base import BaselineEnergy, DensityBaseline
from ebm.baselines.build import build_baseline
from ebm.exceptions import InputError, ShapeError
from ebm.fitting.anchored import AnchoredEBM
from ebm.lookup import lookup
from ebm.losses.base import LossOutput
from ebm.models import EnergyModel, Features
from ebm.nn import ConditionalEBM, MLPEnergyHead, mlp
from ebm.nn.layers import require_candidates

__all__ = [
    "ACTIVATIONS",
    "CORRECTED",
    "OWN",
    "AnchoredEBM",
    "HeadLoss",
    "Network",
    "PeriodicEBM",
    "PilotedEBM",
    "activation_of",
    "build_model",
    "build_piloted",
    "feature_size",
    "features_energy",
]

# The submodules that may be networks of the user's own, of any kind.
OWN = ("feature_net", "pilot.feature_net")
# What a density in closed form that an energy corrects is called, behind its own name.
CORRECTED = "+energy"
ACTIVATIONS: Mapping[str, type[nn.Module]] = MappingProxyType({"relu": nn.ReLU, "silu": nn.SiLU})


def features_energy(
    x_dim: int, target_dim: int, hidden: int, anchor: float, activation: str = "silu", dropout: float = 0.0
) -> AnchoredEBM:
    """The papers' energy on features of a backbone: four small layers for the target, one joint layer.

    Args:
        x_dim: size of the features.
        target_dim: D.
        hidden: size of the joint layer.
        anchor: see `AnchoredEBM`.
        activation: a key of `ACTIVATIONS`: "relu" is the papers', "silu" has gradients in y everywhere.
        dropout: share of the features that a training step does not see.

    Source: Gustafsson et al., ECCV 2020, supplement E and F.
    """
    kind = lookup("activation", activation, ACTIVATIONS)
    head = MLPEnergyHead(x_dim, joint_dims=(hidden,), activation=kind, target_dim=target_dim)
    return AnchoredEBM(nn.Dropout(dropout), head, target_dim, anchor)


def activation_of(net: nn.Module) -> str | None:
    """The activation of a `features_energy`; None for any other network."""
    if type(net) is not AnchoredEBM or not isinstance(net.feature_net, nn.Dropout):
        return None
    kinds = {type(module) for module in net.head.modules()}
    return next((name for name, kind in ACTIVATIONS.items() if kind in kinds), None)


class PilotedEBM(EnergyModel):
    """A density in closed form, the pilot, times the exponential of a correction: f = log p_pilot + g.

    The correction is 0 at first, and beyond all targets constant: tails are the pilot's.

    Args:
        pilot: is trained before, and not changed any more.
        feature_net: inputs to features of the correction.
        head: the correction g, of standardised targets.
        anchor: see `AnchoredEBM`; from three of them on the correction is constant.
    """

    def __init__(
        self, pilot: BaselineEnergy, feature_net: nn.Module, head: MLPEnergyHead, anchor: float
    ) -> None:
        super().__init__()
        self.pilot, self.feature_net, self.head = pilot.requires_grad_(False), feature_net, head
        self.anchor, self.target_dim = anchor, pilot.target_dim

    def extract(self, x: Any) -> Features:
        """Features of the pilot and of the correction, each ``(B, ...)``."""
        return self.pilot.extract(x), self.head.project(self.feature_net(x))

    def correction(self, features: Features, y: Tensor) -> Tensor:
        """g(x, y) of standardised targets, ``(B, M, D) -> (B, M)``."""
        far = 3 * self.anchor
        return cast(Tensor, self.head(features[1], far * (y / far).tanh()))

    def score(self, features: Features, y: Tensor) -> Tensor:
        """f(x, y) of standardised targets, ``(B, M, D) -> (B, M)``."""
        return self.pilot.score(features[0], y) + self.correction(features, y)


class PeriodicEBM(ConditionalEBM):
    """A `ConditionalEBM` of an angle in radians, of which the head sees cosine and sine.

    Its density has the period of a full turn, over which it can be normalised: there is no anchor.

    Args:
        feature_net: inputs to features ``(B, feature_dim)``.
        head: scores of ``(cos, sin)``, two targets to it.
    """

    def __init__(self, feature_net: nn.Module, head: MLPEnergyHead) -> None:
        super().__init__(feature_net, head, target_dim=1)

    def score(self, features: Features, y: Tensor) -> Tensor:
        """f(x, y) of angles, ``(B, M, 1) -> (B, M)``."""
        require_candidates(features, y, 1)
        return cast(Tensor, self.head(features, torch.cat((y.cos(), y.sin()), -1)))


Network = AnchoredEBM | BaselineEnergy | PeriodicEBM | PilotedEBM


class HeadLoss(nn.Module):
    """The likelihood of a density in closed form, with the signature of the losses of energies."""

    def forward(
        self, model: BaselineEnergy, features: Tensor, y: Tensor, *, generator: torch.Generator | None = None
    ) -> LossOutput:
        """Negative log-likelihood of standardised targets ``(B, D)``."""
        return model.head.loss(features, y, generator)


def build_model(
    x_dim: int,
    target_dim: int,
    hidden: tuple[int, ...],
    anchor: float,
    feature_net: nn.Module | None = None,
    kind: str = "energy",
    circular: bool = False,
) -> Network:
    """The network of `ebm.fit`.

    Args:
        x_dim: columns of the input, or size of the features where `feature_net` is given.
        target_dim: D.
        hidden: see `ebm.fitting.config.FitConfig`.
        anchor: see `AnchoredEBM`.
        feature_net: used instead of a multi-layer perceptron of sizes `hidden`.
        kind: "energy", or a name of `ebm.baselines.build_baseline`, with "+energy" behind it a correction.
        circular: the target is an angle; takes an energy.
    """
    name, corrected = kind.removesuffix(CORRECTED), kind.endswith(CORRECTED)
    size = hidden[-1] if feature_net is None else x_dim
    net = mlp((x_dim, *hidden), nn.SiLU) if feature_net is None else feature_net
    if circular:
        return PeriodicEBM(net, _energy_head(size, 2, hidden))
    if name == "energy":
        return AnchoredEBM(net, _energy_head(size, target_dim, hidden), target_dim, anchor)
    name = "quantile-density" if name == "quantile" else name
    baseline = build_baseline(name, size, target_dim, hidden=hidden[-1:], activation=nn.SiLU)
    assert isinstance(baseline, DensityBaseline)
    pilot = BaselineEnergy(net, baseline)
    return build_piloted(pilot, x_dim, hidden, anchor, feature_net) if corrected else pilot


def build_piloted(
    pilot: BaselineEnergy,
    x_dim: int,
    hidden: tuple[int, ...],
    anchor: float,
    feature_net: nn.Module | None = None,
) -> PilotedEBM:
    """A pilot with a correction that is still 0; arguments as for `build_model`, of the correction."""
    size = hidden[-1] if feature_net is None else x_dim
    net = mlp((x_dim, *hidden), nn.SiLU) if feature_net is None else copy.deepcopy(feature_net)
    head = _energy_head(size, pilot.target_dim, hidden)
    last = [layer for layer in head.modules() if isinstance(layer, nn.Linear)][-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return PilotedEBM(pilot, net, head, anchor)


def _energy_head(size: int, target_dim: int, hidden: tuple[int, ...]) -> MLPEnergyHead:
    width = hidden[-1]
    return MLPEnergyHead(
        size,
        y_dims=(width,),
        joint_dims=(width, width),
        activation=nn.SiLU,  # smooth: gradients in y are what score matching and Langevin chains live on
        target_dim=target_dim,
    )


def feature_size(feature_net: nn.Module, x: Tensor) -> int:
    """Length of the feature vectors that `feature_net` makes of inputs ``(B, ...)``.

    Raises:
        InputError: if the network cannot take the inputs.
        ShapeError: if it does not return ``(B, features)``.
    """
    was_training = feature_net.training
    try:
        with torch.no_grad():
            features: Any = feature_net.eval()(x)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"feature_net cannot take an input of shape {tuple(x.shape)}: {error}") from error
    finally:
        feature_net.train(was_training)
    if not isinstance(features, Tensor) or features.ndim != 2 or features.shape[0] != x.shape[0]:
        got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ShapeError(f"feature_net must return (B={x.shape[0]}, features), got {got}.")
    return features.shape[1]
