"""Angles: their scale, which is that of the circle and not of the labels, and grids around it."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ebm.density.circular import Circle
from ebm.exceptions import DomainError
from ebm.fitting.config import GRID_LOSS, FitConfig
from ebm.fitting.data import Scaling
from ebm.fitting.grids import COARSE_POINTS, NEGLIGIBLE, line_grid
from ebm.fitting.support import Support
from ebm.models import EnergyModel, Features, tensors_of

__all__ = ["around", "circle_grid", "require_suited", "supported", "target_grid"]

# What the network sees of an angle in radians; lengths among options of a loss are radians, too.
RADIANS = Circle(-math.pi, math.tau)


def supported(scaling: Scaling, support: Support | None) -> Scaling:
    """The scaling with a support; on a circle a standardised target is its angle, in [-pi, pi)."""
    if support is None or support.circle is None:
        return replace(scaling, support=support)
    circle = support.circle
    middle, unit = circle.low + 0.5 * circle.period, circle.period / math.tau
    low, high = scaling.z_low, scaling.z_high
    return replace(
        scaling,
        support=support,
        y_mean=torch.full_like(scaling.y_mean, middle),
        y_scale=torch.full_like(scaling.y_scale, unit),
        z_low=torch.full_like(low, -math.pi),
        z_high=torch.full_like(high, math.pi),
    )


def require_suited(config: FitConfig, scaling: Scaling) -> None:
    """Refuse targets that a model or a loss is not made for.

    Raises:
        DomainError: (a ValueError) for angles and a density in closed form, which does not repeat itself; for
            the likelihood by quadrature and anything but one target on the line.
    """
    if config.loss == GRID_LOSS and config.model == "energy" and scaling.target_dim > 1:
        raise DomainError(
            f"loss={GRID_LOSS!r} is for one target, and there are {scaling.target_dim}: leave it out, or fit "
            "them one by one."
        )
    if config.loss == GRID_LOSS and scaling.circle is not None:
        raise DomainError(f"loss={GRID_LOSS!r} is for a target on the line, no angle: leave it out.")
    if scaling.circle is not None and config.model != "energy":
        raise DomainError(
            f"model={config.model!r} is a density on the line, and the support says that targets are angles: "
            "leave model out, an energy is periodic."
        )


def target_grid(
    model: EnergyModel, features: Features, scaling: Scaling, points: int, coarse: int = COARSE_POINTS[1]
) -> Tensor:
    """Equally spaced standardised targets over the mass of each item, D = 1; on the line or a circle.

    Arguments and result are those of `line_grid`.
    """
    if scaling.circle is None:
        return line_grid(model, features, scaling, points, coarse)
    return circle_grid(model, features, points, coarse)


def circle_grid(
    model: EnergyModel, features: Features, points: int, coarse: int = COARSE_POINTS[1]
) -> Tensor:
    """Equally spaced angles around the mean direction of each item, as far as it has mass, ``(B, G)``.

    Args:
        model: scores angles in radians, with a period of a full turn.
        features: of B inputs, as ``model.extract`` returned them.
        points: G.
        coarse: places of the search, all around.

    Returns:
        Increasing, radians, over a full turn at most, float64 without a graph; the ends lie one place of the
        search beyond the last that has `NEGLIGIBLE` of the highest density.
    """
    step = math.tau / coarse
    places, scores = (part.double() for part in around(model, features, coarse))
    weights = scores.nan_to_num().softmax(1)
    middle = RADIANS.mean(places.expand(len(scores), -1), weights)[:, None]
    away = RADIANS.shortest(places - middle).abs()
    inside = scores > scores.amax(1, keepdim=True) + math.log(NEGLIGIBLE)
    reach = torch.where(inside, away, 0.0).amax(1, keepdim=True) + step
    half = torch.where(reach < math.pi - step, reach, math.pi)
    return middle + half * torch.linspace(-1, 1, points, dtype=torch.float64, device=scores.device)


def around(model: EnergyModel, features: Features, coarse: int) -> tuple[Tensor, Tensor]:
    """Equally spaced angles all around ``(G,)``, radians, and their scores ``(B, G)``, without a graph.

    Args:
        model: see `circle_grid`.
        features: see `circle_grid`.
        coarse: G.
    """
    first = next(tensors_of(features))
    places = (math.tau / coarse) * torch.arange(coarse, device=first.device) - math.pi
    with torch.no_grad():
        return places, model.score(features, places[None, :, None].expand(len(first), -1, -1).contiguous())
