"""The scores of one tracker: curves over runs and sequences, and figures from them."""

from dataclasses import dataclass

import numpy as np

from pytracking.analysis.irregular import Irregularity
from pytracking.analysis.metrics import OVERLAP_THRESHOLDS

__all__ = ["SCORES", "Score", "TrackerCurves"]

SCORES = {
    "auc": "AUC",
    "op50": "OP50",
    "op75": "OP75",
    "precision": "Precision",
    "norm_precision": "Norm Precision",
}


@dataclass(frozen=True)
class Score:
    """A figure in percent: mean over the runs, and their standard deviation where there are several."""

    mean: float
    std: float | None = None

    def __format__(self, spec: str) -> str:
        text = format(self.mean, spec)
        return text if self.std is None else f"{text} ± {format(self.std, spec)}"


@dataclass(frozen=True, eq=False)
class TrackerCurves:
    """Rates of one tracker in [0, 1], for R runs and S sequences.

    Args:
        label: name in tables and legends.
        success: ``[R, S, 21]`` over `OVERLAP_THRESHOLDS`.
        precision: ``[R, S, 51]`` over `CENTRE_THRESHOLDS`.
        normalised: ``[R, S, 51]`` over `NORMALISED_THRESHOLDS`.
        mean_overlap: over the valid frames, ``[R, S]``.
        fps: frames per second of the tracker alone, or None unless every sequence was timed.
        irregular: what is odd about its result files.
    """

    label: str
    success: np.ndarray
    precision: np.ndarray
    normalised: np.ndarray
    mean_overlap: np.ndarray
    fps: float | None = None
    irregular: tuple[Irregularity, ...] = ()

    def curve(self, kind: str) -> np.ndarray:
        """The mean curve in percent, all sequences weighing the same: success, precision or normalised."""
        return np.asarray(getattr(self, kind)).mean(axis=(0, 1)) * 100.0

    def score(self, name: str) -> Score:
        """One of `SCORES`, in percent."""
        runs = self._per_run(name) * 100.0
        return Score(float(runs.mean()), float(runs.std(ddof=1)) if len(runs) > 1 else None)

    def _per_run(self, name: str) -> np.ndarray:
        success, distance = self.success.mean(axis=1), 20  # px, and 20 hundredths of the box sides
        if name == "auc":
            return success.mean(axis=1)
        if name in ("op50", "op75"):
            return success[:, int(np.searchsorted(OVERLAP_THRESHOLDS, 0.5 if name == "op50" else 0.75))]
        curves = self.precision if name == "precision" else self.normalised
        return curves.mean(axis=1)[:, distance]
