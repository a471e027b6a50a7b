"""p(y|x) of a fitted network: on a grid for up to three targets, by importance sampling for more."""

import warnings
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import EffectiveSampleSizeWarning, ResolutionWarning
from ebm.fitting.data import Scaling
from ebm.fitting.grids import GRID_POINTS, blurred, box_grid, line_grid
from ebm.fitting.modes import Score, ascend
from ebm.fitting.placement import THOROUGH, Placed, place
from ebm.fitting.student import standard_draws
from ebm.gradients import frozen_parameters
from ebm.models import EnergyModel, Features, map_tensors, tensors_of

__all__ = ["Found", "climb", "raw_density", "rows_at_a_time", "warn_doubtful"]

# Fewer effective samples leave more than two points of probability open in a tail of 5 %.
FEW_EFFECTIVE = 100
# Nats by which log Z may differ from its estimate by the draws of the last learning round.
UNSURE = 0.25
# Rows that proposals are found for at a time.
PLACED = 128
# Doubtful rows that a warning names.
NAMED = 10
# Rows whose densities are held at a time, and numbers that their places may be: some ten megabytes each.
MOST_ROWS, MOST_NUMBERS = 512, 2**22


class Found(NamedTuple):
    """Densities over raw targets, and which rows' ``(B,)`` figures mean little."""

    density: GridDensity | ImportanceDensity
    doubtful: Tensor


def rows_at_a_time(target_dim: int) -> int:
    """Rows whose densities are held at a time."""
    points = GRID_POINTS.get(target_dim)
    places = THOROUGH.samples if points is None else points**target_dim
    return max(1, min(MOST_ROWS, MOST_NUMBERS // (places * target_dim)))


def raw_density(model: EnergyModel, features: Features, scaling: Scaling) -> Found:
    """Densities over raw targets. Every row is treated alike, whatever rows are beside it.

    Args:
        model: scores standardised targets.
        features: of B inputs, as ``model.extract`` returned them.
        scaling: between raw and standardised targets, around each row's own centre where it has one.

    Returns:
        Densities of B items over raw targets, float64, on the device of the features.

    Raises:
        NumericalError: if a score is NaN or +inf, or an item has no density anywhere.

    Warns:
        TruncationWarning: of one target, if a density goes on beyond all that was searched.
    """
    first = next(tensors_of(features))
    batch, dim, device = first.shape[0], scaling.target_dim, first.device
    raw_score = partial(_raw_score, model, features, scaling)
    if dim == 1:
        grid = scaling.raw(line_grid(model, features, scaling, GRID_POINTS[1])[..., None].double())
        density = GridDensity(raw_score, grid[..., 0], batch_size=batch)
        return Found(density, torch.zeros(batch, dtype=torch.bool, device=device))
    find = partial(_box if dim in GRID_POINTS else _samples, model, scaling)
    with torch.inference_mode(False), frozen_parameters(model):
        pieces = [find(part) for part in _parts(features, batch)]
    places, *log_q, before = (torch.cat(column) for column in zip(*pieces))
    places = scaling.raw(places.double())
    if dim in GRID_POINTS:
        density = GridDensity(raw_score, places.unbind(-1), batch_size=batch)
        return Found(density, blurred(density.log_masses) | _unsure(density, before))
    with warnings.catch_warnings():  # it would count rows from the block's first
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        sampled = ImportanceDensity.from_samples(raw_score, places, log_q[0])
    few = sampled.effective_sample_size() < FEW_EFFECTIVE
    return Found(sampled, few | _unsure(sampled, before))


def _unsure(density: GridDensity | ImportanceDensity, before: Tensor) -> Tensor:
    """Whether the draws of the last learning round gave another log Z, ``(B,)``."""
    return (density.log_partition() - before).abs() > UNSURE


def _parts(features: Features, batch: int) -> Iterator[Features]:
    """Features of `PLACED` rows at a time; of none, where there are none."""
    for start in range(0, max(batch, 1), PLACED):
        rows = slice(start, start + PLACED)
        yield map_tensors(lambda tensor: tensor[rows].clone(), features)  # noqa: B023


def _placed(model: EnergyModel, features: Features) -> tuple[Score, Placed]:
    first = next(tensors_of(features))
    like = torch.zeros(first.shape[0], model.target_dim, device=first.device)
    score = partial(model.score, features)
    return score, place(score, like, THOROUGH)


def _box(model: EnergyModel, scaling: Scaling, features: Features) -> tuple[Tensor, ...]:
    """Axes of a grid ``(B, G, D)``, standardised, and log Z as the last learning round saw it."""
    score, placed = _placed(model, features)
    return torch.stack(box_grid(score, placed), -1), _raw_log_z(placed, scaling)


def _samples(model: EnergyModel, scaling: Scaling, features: Features) -> tuple[Tensor, ...]:
    """Standardised draws, their raw log-densities, and log Z as the last learning round saw it."""
    _, placed = _placed(model, features)
    y = placed.mixture.draw(standard_draws(THOROUGH.samples, scaling.target_dim, 0, placed.modes.device))
    log_q = placed.mixture.log_prob(y).double() - _log_unit(scaling)
    return y, log_q, _raw_log_z(placed, scaling)


def _raw_log_z(placed: Placed, scaling: Scaling) -> Tensor:
    return placed.last.log_z.double() + _log_unit(scaling)


def _log_unit(scaling: Scaling) -> float:
    return scaling.y_scale.log().sum().item()


def warn_doubtful(doubtful: Tensor, target_dim: int) -> None:
    """Name the rows ``(N,)`` whose densities mean little.

    Warns:
        ResolutionWarning: of grids, for two and three targets.
        EffectiveSampleSizeWarning: of samples, for more.
    """
    if not bool(doubtful.any()):
        return
    rows = doubtful.nonzero()[:, 0].tolist()
    named = ", ".join(map(str, rows[:NAMED])) + (", ..." if len(rows) > NAMED else "")
    on_grid = target_dim in GRID_POINTS
    why = (
        "are narrower than their grid can show, or not what draws say"
        if on_grid
        else f"rest on fewer than {FEW_EFFECTIVE} effective samples, or on samples that disagree"
    )
    warnings.warn(
        f"the densities of {len(rows)} of {len(doubtful)} rows {why} (row {named}): take their intervals, "
        "means and likelihoods with caution.",
        ResolutionWarning if on_grid else EffectiveSampleSizeWarning,
        stacklevel=4,
    )


def climb(model: EnergyModel, features: Features, candidates: Tensor, steps: int = 20) -> Tensor:
    """From the best of some candidates to the mode near it, all standardised.

    Args:
        model: scores standardised targets.
        features: of B inputs.
        candidates: ``(B, S, D)``.
        steps: of the ascent.

    Returns:
        ``(B, D)``; never less likely than any candidate.
    """
    with torch.no_grad():
        best = model.score(features, candidates).argmax(1)
    start = candidates[torch.arange(len(best), device=best.device), best]
    with torch.inference_mode(False), frozen_parameters(model):
        own = map_tensors(torch.clone, features)
        return ascend(partial(model.score, own), start.clone()[:, None], None, steps)[0][:, 0]


def _raw_score(model: EnergyModel, features: Features, scaling: Scaling, y: Tensor) -> Tensor:
    """Scores of raw targets ``(B, M, D)``; the difference to the mean is taken in the precision of `y`."""
    return model.score(features, scaling.standardised(y).float()).to(y.dtype)
