"""A density that several networks agree on: the mean of their densities, each with its own share of rows."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebm.fitting.data import Scaling
from ebm.fitting.density import Found, raw_density
from ebm.fitting.network import Network
from ebm.models import EnergyModel, Features, map_tensors
from ebm.nn.members import one_of

__all__ = ["MemberMixture", "Spread", "member_of", "network_of"]


class Spread(NamedTuple):
    """How far members agree.

    Attributes:
        variance: of the mean density, ``(N,)`` or ``(N, D)``.
        between: variance of the members' means: what more rows like these would take away.
        share: ``between / variance``, in [0, 1].
    """

    variance: Any
    between: Any
    share: Any


class MemberMixture(EnergyModel):
    """K networks as one energy: log of the mean of their densities over raw targets.

    Args:
        net: K networks side by side, see `ebm.nn.members.side_by_side`.
        members: K.
        scaling: between raw and standardised targets.
    """

    def __init__(self, net: Network, members: int, scaling: Scaling) -> None:
        super().__init__()
        self.net, self.members, self.scaling = net, members, scaling
        self.target_dim = net.target_dim

    def member(self, k: int) -> Network:
        """The k-th network, a copy."""
        return one_of(self.net, k)

    def extract(self, x: Tensor) -> Features:
        """Features of all members ``(B, K, ...)``, and their log Z over raw targets ``(B, K)``."""
        with torch.no_grad():
            features = [self.member(k).extract(x) for k in range(self.members)]
            found = self.of_members(features)
        log_z = torch.stack([density.log_partition() for density, _ in found], 1)
        return _stacked(features), log_z.float()

    def of_members(self, features: list[Features]) -> list[Found]:
        """The densities of every member over raw targets.

        Args:
            features: K times what a member's ``extract`` returned for B inputs.
        """
        return [raw_density(self.member(k), own, self.scaling) for k, own in enumerate(features)]

    def spread(self, features: Features) -> Spread:
        """The spread of raw targets ``(B, D)``.

        Args:
            features: what `extract` returned for B inputs.
        """
        own, _ = features
        found = [density for density, _ in self.of_members(_apart(own, self.members))]
        means, circle = torch.stack([density.mean() for density in found]).double(), self.scaling.circle
        if circle is None:
            between = means.var(0, correction=0)
        else:
            middle = circle.mean(means, torch.ones_like(means), 0)
            between = circle.shortest(means - middle).square().mean(0)
        within = torch.stack([density.variance() for density in found]).double().mean(0)
        return Spread(between + within, between, between / (between + within))

    def score(self, features: Features, y: Tensor) -> Tensor:
        """log p of raw targets, at standardised ones ``(B, M, D) -> (B, M)``, nats."""
        own, log_z = features
        batch, count = y.shape[:2]
        grouped = map_tensors(lambda tensor: tensor.transpose(0, 1).flatten(0, 1), own)
        scores = self.net.score(grouped, y.expand(self.members, *y.shape).flatten(0, 1))
        each = scores.view(self.members, batch, count) - log_z.T[..., None]
        return each.logsumexp(0) - math.log(self.members)


def _stacked(features: list[Features]) -> Features:
    """Features of K members ``(B, ...)`` as one tree of ``(B, K, ...)``."""
    if isinstance(features[0], Tensor):
        return torch.stack(features, 1)
    return tuple(_stacked(list(part)) for part in zip(*features))


def _apart(features: Features, members: int) -> list[Features]:
    """Inverse of `_stacked`."""
    return [map_tensors(lambda tensor: tensor[:, k], features) for k in range(members)]  # noqa: B023


def network_of(model: Network | MemberMixture) -> Network:
    """The network, or those of all members side by side."""
    return model.net if isinstance(model, MemberMixture) else model


def member_of(model: Network | MemberMixture, k: int) -> Network:
    """The k-th member, or the network itself where it is alone."""
    return model.member(k) if isinstance(model, MemberMixture) else model
