"""The likelihood of one target, known or between bounds, with its normalisation on a grid of its own."""

import math

import torch
from torch import Tensor, nn

from ebm.density.masses import legendre, tail_window
from ebm.fitting.data import Scaling
from ebm.fitting.grids import line_grid
from ebm.losses.base import LossOutput
from ebm.models import EnergyModel, Features

__all__ = ["GridLikelihood", "log_likelihood"]

# Nodes of Gauss and Legendre below, within and above the bounds, and places of the search for mass: of every
# step of a training, and of the rows held out.
NODES, COARSE = 32, 64


class GridLikelihood(nn.Module):
    """Negative log-likelihood of one target by quadrature, with the signature of the losses of energies.

    ``-log p(y)`` where the target is known, ``-log P(lower < y < upper)`` where bounds are. Both come from
    the same integrals of ``exp f``: below the bounds, between them, and above, each by Gauss-Legendre nodes
    over the part of the line where the item has mass. The nodes are dense around the bounds, so that no peak
    can hide there.

    Args:
        scaling: for the range of the targets, where the search for mass begins.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.scaling = scaling

    def forward(
        self, model: EnergyModel, features: Features, y: Tensor, *, generator: torch.Generator | None = None
    ) -> LossOutput:
        """The loss of standardised targets ``(B, 1)``, or bounds of them ``(B, 2)``, nats."""
        per_item = -log_likelihood(model, features, self.scaling, y)
        return LossOutput(per_item.mean(), per_item)


def log_likelihood(
    model: EnergyModel, features: Features, scaling: Scaling, y: Tensor, nodes: int = NODES
) -> Tensor:
    """Log-density of known standardised targets, log of the mass between bounds of others.

    Args:
        model: scores standardised targets, D = 1.
        features: of B inputs, as ``model.extract`` returned them.
        scaling: see `line_grid`.
        y: targets ``(B, 1)``, or lower and upper bounds ``(B, 2)``, equal where a target is known.
        nodes: in each of the three parts of the line.

    Returns:
        Nats, of standardised targets, ``(B,)``.
    """
    lower, upper = y[:, 0], y[:, -1]
    ends = line_grid(model, features, scaling, points=2, coarse=COARSE)
    low, high = ends[:, 0], ends[:, 1]
    starts, widths = _parts(low, high, lower, upper)
    shares, log_weights = legendre(nodes)
    places = starts[..., None] + widths[..., None] * shares.to(y)  # (B, 3, nodes)
    measure = log_weights.to(y) + widths.log()[..., None]  # -inf of parts that are empty
    scores = model.score(features, places.flatten(1)[..., None]).unflatten(1, (3, nodes))
    # Within equal bounds all nodes are the target itself.
    known = (lower == upper)[:, None]
    wanted = scores[:, 1] + torch.where(known, -math.log(nodes), measure[:, 1])
    return wanted.logsumexp(1) - (scores + measure).flatten(1).logsumexp(1)


def _parts(low: Tensor, high: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Starts and widths of what lies below, within and above the bounds, ``(B, 3)`` each."""
    inside = tail_window(low, high, lower, upper)
    below = torch.minimum(lower, high).maximum(low)
    above = torch.maximum(upper, low).minimum(high)
    starts = torch.stack((low, inside.start, above), 1)
    ends = torch.stack((below, inside.end, high), 1)
    return starts, (ends - starts).clamp(min=0)
