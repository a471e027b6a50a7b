"""p(y|x) of a fitted network: on a grid for one target, by importance sampling for several."""

import math
import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import EffectiveSampleSizeWarning, TruncationWarning
from ebm.fitting.data import Scaling
from ebm.fitting.loop import HeldOut
from ebm.fitting.rows import Rows
from ebm.models import EnergyModel, Features, tensors_of
from ebm.predict import gradient_ascent
from ebm.proposals import GaussianMixtureProposal

__all__ = ["climb", "held_out_nll", "raw_density"]

GRID_POINTS = 1024
COARSE_POINTS = 256
# A cell with a smaller share of the largest cell's mass does not widen the fine grid.
NEGLIGIBLE = 1e-9
# How often the search for mass may go beyond the range so far, twice as far each time.
WIDENINGS = 12
# Share of the held-out rows that may be anything: an outlier costs early stopping a constant.
BACKGROUND = 0.01
# Importance sampling for several targets: standard deviations of the proposal, in those of the targets.
SIGMAS = (0.1, 0.4, 1.6)
SAMPLES = 4096
STARTS = 512


def raw_density(
    model: EnergyModel, features: Features, scaling: Scaling, seed: int = 0
) -> GridDensity | ImportanceDensity:
    """Density over raw targets.

    Args:
        model: scores standardised targets.
        features: of B inputs, as ``model.extract`` returned them.
        scaling: between raw and standardised targets.
        seed: of the samples, where there are several targets.
    """
    batch, device = _batch_and_device(features)
    raw_score = partial(_raw_score, model, features, scaling)
    if scaling.target_dim == 1:
        grid = scaling.raw(_grid_around_mass(model, features, scaling, GRID_POINTS)[..., None].double())
        return GridDensity(raw_score, grid[..., 0], batch_size=batch)
    generator = torch.Generator(device).manual_seed(seed)
    start = torch.randn(batch, STARTS, scaling.target_dim, generator=generator, device=device)
    proposal = GaussianMixtureProposal([[s * scale for scale in scaling.y_scale.tolist()] for s in SIGMAS])
    center = scaling.raw(climb(model, features, start).double())
    return ImportanceDensity(raw_score, proposal, center, SAMPLES, generator=generator)


def climb(model: EnergyModel, features: Features, candidates: Tensor, steps: int = 20) -> Tensor:
    """From the best of some candidates to the mode near it, all standardised.

    Args:
        model: scores standardised targets.
        features: of B inputs.
        candidates: ``(B, S, D)``.
        steps: of gradient ascent.

    Returns:
        ``(B, D)``; never less likely than any candidate.
    """
    with torch.no_grad():
        best = model.score(features, candidates).argmax(1)
    start = candidates[torch.arange(len(best), device=best.device), best]

    def score(y: Tensor) -> Tensor:
        return model.score(features, y[:, None])[:, 0]

    return gradient_ascent(score, start, steps=steps, step_length=0.01, decay=0.5).y


def held_out_nll(model: EnergyModel, held: Rows, scaling: Scaling) -> Callable[[], HeldOut]:
    """A function that measures a network on held-out rows.

    Args:
        model: scores standardised targets.
        held: the rows, standardised, see `Rows.scaled`.
        scaling: for the unit of the result, and the range of the grid.

    Returns:
        A function of nothing; its values are weighted means over the rows, nats, of raw targets. -log p(y|x)
        is told; -log of p(y|x) with a background of `BACKGROUND` Cauchy decides: a wrong row costs it as much
        after every epoch; it would drown all others in the former.
    """
    offset = scaling.y_scale.log().sum().item()
    x, z, weights = held
    share = weights / weights.sum()
    floor = math.log(BACKGROUND) - (math.log(math.pi) + z.square().log1p()).sum(1)

    def measure() -> HeldOut:
        total = torch.zeros(2, device=z.device)
        for rows in torch.arange(len(z), device=z.device).split(512):
            with torch.no_grad():
                features = model.extract(x[rows])
            density = _standardised_density(model, features, z[rows], scaling)
            log_p = density.log_prob(z[rows])
            mixed = torch.logaddexp(log_p + math.log1p(-BACKGROUND), floor[rows])
            total -= (share[rows] * torch.stack((mixed, log_p))).sum(1)
        criterion, nll = (total + offset).tolist()
        return HeldOut(criterion, nll)

    return measure


def _standardised_density(
    model: EnergyModel, features: Features, z: Tensor, scaling: Scaling
) -> GridDensity | ImportanceDensity:
    """Density over standardised targets, cheap, for the rows whose labels `z` ``(B, D)`` are known."""
    with warnings.catch_warnings():
        # An early network may well spread beyond the grid or concentrate on few samples.
        warnings.simplefilter("ignore", TruncationWarning)
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        if scaling.target_dim == 1:
            grid = _grid_around_mass(model, features, scaling, points=192, coarse=96)
            return GridDensity.of(model, features, grid)
        proposal = GaussianMixtureProposal(SIGMAS, target_dim=scaling.target_dim)
        generator = torch.Generator(z.device).manual_seed(0)  # the same draws every epoch: values compare
        return ImportanceDensity.of(model, features, proposal, z, 512, generator=generator)


def _grid_around_mass(
    model: EnergyModel, features: Features, scaling: Scaling, points: int, coarse: int = COARSE_POINTS
) -> Tensor:
    """Equally spaced standardised targets over the part of the line where an item has mass, ``(B, G)``.

    A density may be a thousand times narrower than the range of all targets. Its score is smooth even so: a
    coarse search sees the rise on both sides of a peak that lies between two of its places.
    """
    places, scores = _searched(model, features, float(scaling.z_low), float(scaling.z_high), coarse)
    inside = scores > scores.amax(1, keepdim=True) + math.log(NEGLIGIBLE)
    count = len(places)
    first = inside.int().argmax(1) - 1
    last = count - inside.flip(1).int().argmax(1)  # one place further on either side
    ends = places[torch.stack((first, last)).clamp(0, count - 1)]
    t = torch.linspace(0, 1, points, device=places.device)
    return ends[0, :, None] + (ends[1] - ends[0])[:, None] * t


def _searched(
    model: EnergyModel, features: Features, low: float, high: float, coarse: int
) -> tuple[Tensor, Tensor]:
    """Places over the range of the targets, and beyond it where an item's density goes on there.

    The range is that of the training targets, and a density may leave it: at an input that was never seen, or
    where the target drifts. Each step beyond is twice as wide as the one before. What is found there counts
    only for the items that go on, so that no item's density depends on its neighbours in the batch.

    Returns:
        Increasing standardised targets ``(S,)`` and their scores ``(B, S)``, -inf where an item did not ask.
    """
    batch, device = _batch_and_device(features)

    def score(places: Tensor) -> Tensor:
        with torch.no_grad():
            return model.score(features, places[None, :, None].expand(batch, -1, -1).contiguous())

    places = torch.linspace(low, high, coarse, device=device)
    scores = score(places)
    step = high - low
    for _ in range(WIDENINGS):
        mass = scores > scores.amax(1, keepdim=True) + math.log(NEGLIGIBLE)
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


def _raw_score(model: EnergyModel, features: Features, scaling: Scaling, y: Tensor) -> Tensor:
    """Scores of raw targets ``(B, M, D)``; the difference to the mean is taken in the precision of `y`."""
    return model.score(features, scaling.standardised(y).float()).to(y.dtype)


def _batch_and_device(features: Features) -> tuple[int, torch.device]:
    first = next(tensors_of(features))
    return first.shape[0], first.device
