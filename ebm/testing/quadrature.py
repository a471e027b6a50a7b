"""Integrals of a density whose draws tell where it is."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Quadrature", "integrate"]

# By D: knots at quantiles of the draws and as many at equal distances, places from one knot to the next, and
# knots on either side beyond.
KNOTS = {1: (1000, 3, 300), 2: (120, 1, 60)}
# Draws are few in the tails: the places go this many times their range further.
BEYOND = 300.0


@dataclass(frozen=True)
class Quadrature:
    """What a density gives when it is summed up over places.

    Attributes:
        places: ``(N, D)``; for D = 1 they increase.
        mass: density times volume of each, ``(N,)`` float64.
        log_prob: nats, ``(N,)`` float64.
    """

    places: Tensor
    mass: Tensor
    log_prob: Tensor

    @property
    def total(self) -> float:
        """The integral of the density."""
        return self.mass.sum().item()

    @property
    def mean(self) -> Tensor:
        """``(D,)``."""
        return (self.mass[:, None] * self.places).sum(0) / self.total

    @property
    def variance(self) -> Tensor:
        """``(D,)``."""
        return (self.mass[:, None] * (self.places - self.mean).square()).sum(0) / self.total

    @property
    def entropy(self) -> float:
        """Nats."""
        return -torch.where(self.mass > 0, self.mass * self.log_prob, 0).sum().item()

    @property
    def below(self) -> Tensor:
        """For D = 1, the distribution function at the places, by the trapezoid rule, ``(N,)``."""
        density = self.log_prob.exp()
        steps = torch.cumulative_trapezoid(density, self.places[:, 0])
        return torch.cat((density.new_zeros(1), steps))


def integrate(log_prob: Callable[[Tensor], Tensor], draws: Tensor) -> Quadrature:
    """Sum up a density of one or two dimensions by the trapezoid rule.

    Args:
        log_prob: ``(N, D) -> (N,)``.
        draws: of about the same distribution, ``(n, D)``.
    """
    axes = [_axis(column, *KNOTS[draws.shape[1]]) for column in draws.double().unbind(1)]
    volumes = [torch.cat((a.diff()[:1], a[2:] - a[:-2], a.diff()[-1:])) / 2 for a in axes]
    places = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    volume = torch.cartesian_prod(*volumes).reshape(-1, len(axes)).prod(1)
    found = log_prob(places.to(draws.dtype)).double()
    return Quadrature(places, found.exp() * volume, found)


def _axis(draws: Tensor, knots: int, between: int, beyond: int) -> Tensor:
    """Increasing places that are dense where the draws are, and go far beyond them, ``(N,)``."""
    levels = torch.linspace(0, 1, knots, dtype=draws.dtype, device=draws.device)
    low, high = draws.amin(), draws.amax()
    inner = torch.cat((torch.quantile(draws, levels), low + (high - low) * levels)).sort().values
    # The first steps beyond are tiny: a density may end between the outermost draw and the next place.
    far = torch.logspace(-6, 0, beyond, dtype=draws.dtype, device=draws.device) * BEYOND * (high - low)
    ends = torch.cat((low - far.flip(0), inner, high + far)).unique()
    share = torch.arange(between, dtype=draws.dtype, device=draws.device) / between
    return torch.cat(((ends[:-1, None] + ends.diff()[:, None] * share).flatten(), ends[-1:])).unique()
