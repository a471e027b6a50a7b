"""The energy that `ebm.fit` trains: a feature network, an energy head and a wide Gaussian as anchor."""

from typing import Any

import torch
from torch import Tensor, nn

from ebm.baselines.base import BaselineEnergy, DensityBaseline
from ebm.baselines.build import build_baseline
from ebm.exceptions import InputError, ShapeError
from ebm.losses.base import LossOutput
from ebm.models import Features
from ebm.nn import ConditionalEBM, MLPEnergyHead, mlp

__all__ = ["OWN", "AnchoredEBM", "HeadLoss", "Network", "build_model", "feature_size"]

FAR = 10.0
# The submodule that may be a network of the user's own, of any kind.
OWN = ("feature_net",)


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
        return super().score(features, self._near(y)) - (0.5 / self.anchor**2) * y.square().sum(-1)

    def _near(self, y: Tensor) -> Tensor:
        """Targets as the head sees them: as they are up to `FAR` anchors, from there on by their logarithm.

        One wrong row, a thousand deviations out, would else drive the activations, and with them the weights,
        a thousand times as far as any other.
        """
        far = FAR * self.anchor
        over = (y.abs() - far).clamp(min=0)
        return y - y.sign() * (over - over.log1p())


Network = AnchoredEBM | BaselineEnergy


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
) -> Network:
    """The network of `ebm.fit`.

    Args:
        x_dim: columns of the input, or size of the features where `feature_net` is given.
        target_dim: D.
        hidden: see `ebm.fitting.config.FitConfig`.
        anchor: see `AnchoredEBM`.
        feature_net: used instead of a multi-layer perceptron of sizes `hidden`.
        kind: "energy", or a name of `ebm.baselines.build_baseline`.
    """
    width = hidden[-1]
    net = mlp((x_dim, *hidden), nn.SiLU) if feature_net is None else feature_net
    if kind != "energy":
        size = width if feature_net is None else x_dim
        baseline = build_baseline(kind, size, target_dim, hidden=(width,), activation=nn.SiLU)
        assert isinstance(baseline, DensityBaseline)
        return BaselineEnergy(net, baseline)
    head = MLPEnergyHead(
        width if feature_net is None else x_dim,
        y_dims=(width,),
        joint_dims=(width, width),
        activation=nn.SiLU,  # smooth: gradients in y are what score matching and Langevin chains live on
        target_dim=target_dim,
    )
    return AnchoredEBM(net, head, target_dim, anchor)


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
