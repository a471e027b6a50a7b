"""p(y|x) of a fitted network: on a grid for up to three targets, by importance sampling for more."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.density.circular import CircularDensity
from ebm.density.integers import IntegerDensity
from ebm.exceptions import EffectiveSampleSizeWarning, ResolutionWarning
from ebm.fitting.circle import target_grid
from ebm.fitting.data import Scaling
from ebm.fitting.grids import GRID_POINTS, blurred, box_grid, resolved
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
    if dim == 1:
        places = target_grid(model, features, scaling, GRID_POINTS[1])[..., None].double()
        density = _on_grid(model, features, scaling, places)
        if scaling.circle is not None:
            return Found(density, blurred(density.log_masses))
        return Found(density, torch.zeros(batch, dtype=torch.bool, device=device))
    find = partial(_box if dim in GRID_POINTS else _samples, model, scaling)
    with torch.inference_mode(False), frozen_parameters(model):
        pieces = [find(part) for part in _parts(features, batch)]
    places, *log_q, before = (torch.cat(column) for column in zip(*pieces))
    if dim in GRID_POINTS:
        density = _on_grid(model, features, scaling, places.double())
        return Found(density, blurred(density.log_masses) | _unsure(density, before))
    places = scaling.raw(places.double())
    raw_score = partial(_raw_score, model, features, scaling)
    with warnings.catch_warnings():  # it would count rows from the block's first
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        sampled = ImportanceDensity.from_samples(raw_score, places, log_q[0])
    few = sampled.effective_sample_size() < FEW_EFFECTIVE
    return Found(sampled, few | _unsure(sampled, before))


def _on_grid(model: EnergyModel, features: Features, scaling: Scaling, z: Tensor) -> GridDensity:
    """Densities over raw targets on axes of standardised ones, ``(B, G, D)`` float64."""
    support, score = scaling.support, partial(_raw_score, model, features, scaling)
    if scaling.circle is not None:
        angles = z[..., 0] * scaling.y_scale.to(z) + scaling.y_mean.to(z)
        return CircularDensity(score, angles, scaling.circle)
    if support is not None:
        z = resolved(z, scaling)
        if support.whole:
            ends = support.columns[0].whole_ends(scaling.raw(z)[:, [0, -1], 0])
            return IntegerDensity(score, ends[:, 0], ends[:, 1])
    line = replace(scaling, support=None)
    axes = list(line.raw(z).unbind(-1))
    on_line = GridDensity(partial(_raw_score, model, features, line), axes, batch_size=len(z))
    if support is None:
        return on_line
    return GridDensity.pushed(on_line, score, support.to_raw, support.log_slope)


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
    log_q = placed.mixture.log_prob(y).double() - scaling.log_unit(y.double())
    return y, log_q, _raw_log_z(placed, scaling)


def _raw_log_z(placed: Placed, scaling: Scaling) -> Tensor:
    return placed.last.log_z.double() + scaling.y_scale.log().sum().item()


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


def climb(
    model: EnergyModel, features: Features, scaling: Scaling, candidates: Tensor, steps: int = 20
) -> Tensor:
    """From the best of some candidates to the mode near it, all standardised; that of raw targets' density.

    Args:
        model: scores standardised targets.
        features: of B inputs.
        scaling: between raw and standardised targets.
        candidates: ``(B, S, D)``.
        steps: of the ascent.

    Returns:
        ``(B, D)``; never less likely than any candidate.
    """

    def score(features: Features, z: Tensor) -> Tensor:
        return model.score(features, z) - scaling.log_bend(z)

    with torch.no_grad():
        best = score(features, candidates).argmax(1)
    start = candidates[torch.arange(len(best), device=best.device), best]
    with torch.inference_mode(False), frozen_parameters(model):
        own = map_tensors(torch.clone, features)
        return ascend(partial(score, own), start.clone()[:, None], None, steps)[0][:, 0]


def _raw_score(model: EnergyModel, features: Features, scaling: Scaling, y: Tensor) -> Tensor:
    """Scores of raw targets ``(B, M, D)``; the difference to the mean is taken in the precision of `y`."""
    z = scaling.standardised(y)
    scores = model.score(features, z.float()).to(y.dtype)
    if scaling.support is None:
        return scores
    # What lies outside has no place on the line, and what it scores there means nothing.
    return torch.where(scaling.support.holds(y), scores - scaling.log_bend(z), -torch.inf)
