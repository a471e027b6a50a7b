"""Scores of predicted distributions: row by row, summed up beside the marginal, and by place in the input.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from ebm.lazy import lazy_names

if TYPE_CHECKING:
    from ebm.crps import crps_from_cells, crps_from_gaussian, crps_from_samples
    from ebm.scores.arrays import (
        energy_score_from_samples,
        pinball_from_quantiles,
        threshold_crps_from_cells,
        threshold_crps_from_samples,
        winkler_from_ends,
    )
    from ebm.scores.evaluation import Evaluation, compare, evaluate, inside
    from ebm.scores.local import Bin, LocalCoverage, inside_interval, local_coverage
    from ebm.scores.marginal import Marginal
    from ebm.scores.rows import (
        crps,
        energy_score,
        log_score,
        pinball_loss,
        sharpness,
        threshold_crps,
        width,
        winkler_score,
    )
    from ebm.scores.slabs import Held, Slab, worst_feature_slab, worst_slab
    from ebm.scores.summary import Score, summarise
    from ebm.scores.tables import Table

__all__ = [
    "Bin",
    "Evaluation",
    "Held",
    "LocalCoverage",
    "Marginal",
    "Score",
    "Slab",
    "Table",
    "compare",
    "crps",
    "crps_from_cells",
    "crps_from_gaussian",
    "crps_from_samples",
    "energy_score",
    "energy_score_from_samples",
    "evaluate",
    "inside",
    "inside_interval",
    "local_coverage",
    "log_score",
    "pinball_from_quantiles",
    "pinball_loss",
    "sharpness",
    "summarise",
    "threshold_crps",
    "threshold_crps_from_cells",
    "threshold_crps_from_samples",
    "width",
    "winkler_from_ends",
    "winkler_score",
    "worst_feature_slab",
    "worst_slab",
]

_HOME = {
    "ebm.crps": ("crps_from_cells", "crps_from_gaussian", "crps_from_samples"),
    "ebm.scores.arrays": (
        "energy_score_from_samples",
        "pinball_from_quantiles",
        "threshold_crps_from_cells",
        "threshold_crps_from_samples",
        "winkler_from_ends",
    ),
    "ebm.scores.evaluation": ("Evaluation", "compare", "evaluate", "inside"),
    "ebm.scores.local": ("Bin", "LocalCoverage", "inside_interval", "local_coverage"),
    "ebm.scores.marginal": ("Marginal",),
    "ebm.scores.rows": (
        "crps",
        "energy_score",
        "log_score",
        "pinball_loss",
        "sharpness",
        "threshold_crps",
        "width",
        "winkler_score",
    ),
    "ebm.scores.slabs": ("Held", "Slab", "worst_feature_slab", "worst_slab"),
    "ebm.scores.summary": ("Score", "summarise"),
    "ebm.scores.tables": ("Table",),
}
__getattr__, __dir__ = lazy_names(__name__, globals(), _HOME)
