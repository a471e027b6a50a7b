"""Whether the sets of a fitted density hold as many held-out rows as they promise, and how to make them."""

import math
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import CoverageWarning
from ebm.fitting.conformal import Calibration, measure_scores
from ebm.fitting.density import raw_density, rows_at_a_time
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.members import member_of
from ebm.fitting.rows import Rows

__all__ = ["calibrate_on", "held_out_densities", "warn_overconfident"]

LEVEL = 0.9
# Fewer rows say too little; more would cost as much as the fit.
FEWEST, MOST = 50, 512
# Standard errors, and probability, that coverage must be short of the level.
ERRORS, SHORT = 3.0, 0.03


def warn_overconfident(fitted: FittedEBM, held: Rows) -> None:
    """Look at the highest-density sets of held-out rows; one target has its own means and is left out.

    Args:
        fitted: the density, D > 1.
        held: raw rows, N of them; the first `MOST` are looked at, and nothing is said of fewer than `FEWEST`.

    Raises:
        NumericalError: if a score is NaN or +inf.

    Warns:
        CoverageWarning: if the sets of 90 % hold clearly fewer of the rows.
    """
    count = min(int((held.weights > 0).sum()), MOST)
    if fitted.target_dim == 1 or count < FEWEST:
        return
    ranks = [density.highest_density_rank(y) for density, y in held_out_densities(fitted, held, count)]
    count = sum(map(len, ranks))
    inside = int((torch.cat(ranks) < LEVEL).sum())
    share = inside / count
    short = LEVEL - share
    if short > max(SHORT, ERRORS * math.sqrt(LEVEL * (1 - LEVEL) / count)):
        warnings.warn(
            f"the density of {fitted.target_dim} targets is too narrow: its sets of {LEVEL:.0%} hold "
            f"{share:.0%} of {count} held-out rows. Take its intervals as too short; more "
            "rows, more num_samples or another loss may help.",
            CoverageWarning,
            stacklevel=3,
        )


def calibrate_on(fitted: FittedEBM, held: Rows) -> None:
    """Calibrate on the rows held out, each by the network that did not see it; by whole groups, if any.

    Args:
        fitted: the density.
        held: raw rows, those of the first member first, and so on.

    Warns:
        CoverageWarning: if groups are too few for a level of 90 %.
    """
    clusters = None if held.groups is None else held.groups[held.weights > 0]
    scores = measure_scores(held_out_densities(fitted, held))
    fitted.calibration = Calibration(scores=scores, clusters=clusters)
    count, fewest = fitted.calibration.count, round(LEVEL / (1 - LEVEL))
    if clusters is not None and count < fewest:
        warnings.warn(
            f"the calibration stands on {count} group{'s' * (count > 1)} held out, and guarantees nothing "
            f"above {count / (count + 1):.0%} for a row of a new one; {LEVEL:.0%} takes {fewest}. Hold out "
            "more (validation=), or calibrate(x, y, clusters=...) with groups that the fit did not see.",
            CoverageWarning,
            stacklevel=3,
        )


def held_out_densities(
    fitted: FittedEBM, held: Rows, most: int | None = None
) -> Iterator[tuple[GridDensity | ImportanceDensity, Tensor]]:
    """The density of every row held out by the network that did not see it, and the row's target.

    Args:
        fitted: the density; of several members each is asked for the rows that it held out.
        held: raw rows, those of the first member first, and so on.
        most: rows in all; None is all of them.
    """
    members = fitted.config.members
    own = len(held.x) // members
    wanted = own if most is None else min(own, -(-most // members))
    for k in range(members):
        model, places = member_of(fitted.model, k), k * own + torch.arange(wanted)
        for rows in places[held.weights[places] > 0].split(rows_at_a_time(fitted.target_dim)):
            with torch.no_grad():
                features = model.extract(fitted.scaling.inputs(held.x[rows], fitted.device))
            density, _ = raw_density(model, features, fitted.scaling)
            yield density, held.y[rows].to(fitted.device)
