"""Grids around the mass of each row's density: of one target, and of two or three."""

import math
from functools import partial

import torch
from torch import Tensor

from ebm.density.scoring import DEFAULT_CHUNK, score_in_chunks
from ebm.fitting.data import Scaling
from ebm.fitting.modes import Score
from ebm.fitting.placement import Placed
from ebm.models import EnergyModel, Features, tensors_of

__all__ = ["GRID_POINTS", "blurred", "box_grid", "line_grid", "resolved", "searched", "spanned"]

# Points per target, by the number of targets; odd where every second one is a grid of its own.
GRID_POINTS = {1: 1024, 2: 65, 3: 29}
COARSE_POINTS = {1: 256, 2: 24, 3: 12}
# A cell with a smaller share of the largest cell's mass does not widen the fine grid.
NEGLIGIBLE = 1e-9
# The same for two and three targets, of the highest density: a Gaussian is cut off at 5.5 deviations.
NEGLIGIBLE_DENSITY = 3e-7
# How often the search for mass may go beyond the range so far, twice as far each time.
WIDENINGS = 12
# log Z on every second point may differ by so many nats: that of a Gaussian does where its deviation is 0.6
# spacings; log Z on all points is then right to a thousandth.
BLURRED = 0.5


def line_grid(
    model: EnergyModel, features: Features, scaling: Scaling, points: int, coarse: int = COARSE_POINTS[1]
) -> Tensor:
    """Equally spaced standardised targets over the part of the line where an item has mass, ``(B, G)``.

    A density may be a thousand times narrower than the range of all targets. Its score is smooth even so: a
    coarse search sees the rise on both sides of a peak that lies between two of its places.

    Args:
        model: scores standardised targets, D = 1.
        features: of B inputs, as ``model.extract`` returned them.
        scaling: for the range of the training targets, where the search begins.
        points: G.
        coarse: places of the search over that range.

    Returns:
        Increasing, in standard deviations of the targets, without a graph. The ends lie one place of the
        search beyond the last that has `NEGLIGIBLE` of the highest density.
    """
    return spanned(*searched(model, features, scaling, coarse), points)


def spanned(places: Tensor, scores: Tensor, points: int, negligible: float = NEGLIGIBLE) -> Tensor:
    """Equally spaced points from one place before an item's mass to one behind it, ``(B, G)``.

    Args:
        places: increasing, ``(S,)``.
        scores: there, ``(B, S)``.
        points: G.
        negligible: share of the highest density from which on there is mass.
    """
    inside = scores > scores.amax(1, keepdim=True) + math.log(negligible)
    count = len(places)
    first = inside.int().argmax(1) - 1
    last = count - inside.flip(1).int().argmax(1)  # one place further on either side
    ends = places[torch.stack((first, last)).clamp(0, count - 1)]
    t = torch.linspace(0, 1, points, device=places.device)
    return ends[0, :, None] + (ends[1] - ends[0])[:, None] * t


def searched(
    model: EnergyModel,
    features: Features,
    scaling: Scaling,
    coarse: int,
    negligible: float = NEGLIGIBLE,
) -> tuple[Tensor, Tensor]:
    """Places over the range of the targets, and beyond it where an item's density goes on there.

    All lengths are in standard deviations of the targets.

    The range is that of the training targets, and a density may leave it: at an input that was never seen, or
    where the target drifts. Each step beyond is twice as wide as the one before. What is found there counts
    only for the items that go on, so that no item's density depends on its neighbours in the batch.

    Args:
        model: see `line_grid`.
        features: see `line_grid`.
        scaling: see `line_grid`.
        coarse: see `line_grid`.
        negligible: share of the highest density at an end from which on the search goes on.

    Returns:
        Increasing standardised targets ``(S,)`` and their scores ``(B, S)``, -inf where an item did not ask.
    """
    first = next(tensors_of(features))
    batch, device = len(first), first.device

    def score(places: Tensor) -> Tensor:
        return score_in_chunks(partial(model.score, features), places[None, :, None], batch, DEFAULT_CHUNK)

    low, high = float(scaling.z_low), float(scaling.z_high)
    places = torch.linspace(low, high, coarse, device=device)
    scores = score(places)
    step = high - low
    for _ in range(WIDENINGS):
        mass = scores > scores.amax(1, keepdim=True) + math.log(negligible)
        going_on = [(side, rows) for side, rows in ((0, mass[:, :1]), (-1, mass[:, -1:])) if bool(rows.any())]
        if not going_on:
            break
        for side, rows in going_on:
            end = float(places[side])
            far = end - step if side == 0 else end + step
            new = torch.linspace(min(end, far), max(end, far), coarse + 1, device=device)
            new = new[:-1] if side == 0 else new[1:]
            found = score(new).where(rows, -math.inf)
            places = torch.cat((new, places) if side == 0 else (places, new))
            scores = torch.cat((found, scores) if side == 0 else (scores, found), 1)
        step *= 2
    return places, scores


def box_grid(score: Score, placed: Placed) -> tuple[Tensor, ...]:
    """Axes of equally spaced standardised targets around each row's mass, D times ``(B, G)``.

    Args:
        score: ``(B, M, D) -> (B, M)``, D = 2 or 3.
        placed: its draws tell where the mass is; a coarse grid then looks whether it goes on beyond them.

    Returns:
        In standard deviations of the targets; G of `GRID_POINTS`, the same for every axis.

    Raises:
        NumericalError: if a score is NaN or +inf.
    """
    y, scores = placed.last.y, placed.last.scores
    inside = (scores > scores.amax(1, keepdim=True) + math.log(NEGLIGIBLE_DENSITY))[..., None]
    low = y.where(inside, math.inf).amin(1)
    high = y.where(inside, -math.inf).amax(1)
    margin = 0.05 * (high - low) + 1e-6
    low, high = low - margin, high + margin
    coarse = COARSE_POINTS[y.shape[2]]
    open_rows = torch.ones(len(y), dtype=torch.bool, device=y.device)
    for _ in range(WIDENINGS):
        new_low, new_high, goes_on = _looked_around(score, low, high, coarse)
        low = torch.where(open_rows[:, None], new_low, low)
        high = torch.where(open_rows[:, None], new_high, high)
        open_rows &= goes_on
        if not bool(open_rows.any()):
            break
    t = torch.linspace(0, 1, GRID_POINTS[y.shape[2]], dtype=y.dtype, device=y.device)
    return tuple(low[:, d, None] + (high - low)[:, d, None] * t for d in range(y.shape[2]))


def _looked_around(score: Score, low: Tensor, high: Tensor, coarse: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes narrowed to the mass that a coarse grid sees, twice as wide on a side where it goes on.

    Returns:
        Lower and upper ends ``(B, D)``, and which rows have mass at a side ``(B,)``.
    """
    batch, dim = low.shape
    t = torch.linspace(0, 1, coarse, dtype=low.dtype, device=low.device)
    unit = torch.cartesian_prod(*[t] * dim)
    places = low[:, None] + (high - low)[:, None] * unit
    scores = score_in_chunks(score, places, batch, DEFAULT_CHUNK)
    mass = scores > scores.amax(1, keepdim=True) + math.log(NEGLIGIBLE_DENSITY)
    mass = mass.reshape(batch, *[coarse] * dim)
    step = (high - low) / (coarse - 1)
    lows, highs, goes_on = [], [], torch.zeros(batch, dtype=torch.bool, device=low.device)
    for d in range(dim):
        along = mass.movedim(d + 1, 1).flatten(2).any(2)
        first = along.int().argmax(1)
        last = coarse - 1 - along.flip(1).int().argmax(1)
        width = high[:, d] - low[:, d]
        lows.append(low[:, d] + torch.where(first == 0, -width, (first - 1) * step[:, d]))
        highs.append(low[:, d] + torch.where(last == coarse - 1, 2 * width, (last + 1) * step[:, d]))
        goes_on |= (first == 0) | (last == coarse - 1)
    return torch.stack(lows, 1), torch.stack(highs, 1), goes_on


def resolved(z: Tensor, scaling: Scaling) -> Tensor:
    """Axes that stay where numbers can tell raw targets from the borders of their support, and from others.

    Args:
        z: axes of equally spaced standardised targets, ``(B, G, D)`` float64.
        scaling: with a support.

    Returns:
        The same, cut off at the limits of what is resolved, and no shorter than that allows for.
    """
    assert scaling.support is not None
    shift, scale = scaling.y_mean.to(z), scaling.y_scale.to(z)
    least, greatest = ((end - shift) / scale for end in scaling.support.limits(z))
    low, high = (torch.minimum(torch.maximum(end, least), greatest) for end in (z[:, 0], z[:, -1]))
    # As raw targets, neighbours must differ by several units in the last place.
    ends = torch.stack((low, high), 1) * scale + shift
    raw, slope = scaling.support.to_raw(ends), scaling.support.log_slopes(ends)
    ulp = torch.finfo(z.dtype).eps * raw.abs()
    short = (8 * z.shape[1] * ulp / slope.exp()).amax(1) / scale
    middle = torch.minimum(torch.maximum(0.5 * (low + high), least + short), greatest - short)
    wide = high - low >= short
    low, high = torch.where(wide, low, middle - short), torch.where(wide, high, middle + short)
    t = torch.linspace(0, 1, z.shape[1], dtype=z.dtype, device=z.device)[:, None]
    return low[:, None] + (high - low)[:, None] * t


def blurred(log_masses: Tensor) -> Tensor:
    """Which rows' densities are too narrow for their grid, by `BLURRED`, ``(B,)``.

    Args:
        log_masses: of the cells of an equally spaced grid, nats, ``(B, G, ...)``, adding up to 1 as masses.

    Returns:
        bool. Every other point of every axis makes a grid of its own, 2^D of them: the estimates of log Z by
        the trapezoid rule on each are compared with that on all points.
    """
    dim = log_masses.ndim - 1
    worst = log_masses.new_zeros(log_masses.shape[0])
    for corner in torch.cartesian_prod(*[torch.arange(2)] * dim).reshape(-1, dim).tolist():
        part = log_masses[(slice(None), *(slice(start, None, 2) for start in corner))]
        log_z = part.flatten(1).logsumexp(1) + dim * math.log(2)
        worst = torch.maximum(worst, log_z.abs())
    return worst > BLURRED
