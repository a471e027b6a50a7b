"""Whether the sets of a fitted density of several targets hold as many held-out rows as they promise."""

import math
import warnings

import torch

from ebm.exceptions import CoverageWarning
from ebm.fitting.density import raw_density, rows_at_a_time
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.rows import Rows

__all__ = ["warn_overconfident"]

LEVEL = 0.9
# Fewer rows say too little; more would cost as much as the fit.
FEWEST, MOST = 50, 512
# Standard errors, and probability, that coverage must be short of the level.
ERRORS, SHORT = 3.0, 0.03


def warn_overconfident(fitted: FittedEBM, held: Rows) -> None:
    """Look at the highest-density sets of held-out rows; one target has its own means and is left out.

    Args:
        fitted: the density.
        held: raw rows.

    Warns:
        CoverageWarning: if the sets of 90 % hold clearly fewer of the rows.
    """
    count = min(len(held.x), MOST)
    if fitted.target_dim == 1 or count < FEWEST:
        return
    inside = 0
    for rows in torch.arange(count).split(rows_at_a_time(fitted.target_dim)):
        with torch.no_grad():
            features = fitted.model.extract(fitted.scaling.inputs(held.x[rows], fitted.device))
        density, _ = raw_density(fitted.model, features, fitted.scaling)
        rank = density.highest_density_rank(held.y[rows].to(fitted.device))
        inside += int((rank < LEVEL).sum())
    short = LEVEL - inside / count
    if short > max(SHORT, ERRORS * math.sqrt(LEVEL * (1 - LEVEL) / count)):
        warnings.warn(
            f"the density of {fitted.target_dim} targets is too narrow: its sets of {LEVEL:.0%} hold "
            f"{inside / count:.0%} of {count} held-out rows. Take its intervals as too short; more "
            "rows, more num_samples or another loss may help.",
            CoverageWarning,
            stacklevel=3,
        )
