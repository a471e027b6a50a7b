"""The scores of one tracker: curves over runs and sequences, and figures from them."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from pytracking.analysis.irregular import Irregularity
from pytracking.analysis.metrics import overlap_thresholds
from pytracking.analysis.protocols import Protocol

__all__ = ["SCORES", "Score", "TrackerCurves"]

SCORES = {
    "auc": "AUC",
    "op50": "OP50",
    "op75": "OP75",
    "precision": "Precision",
    "norm_precision": "Norm Precision",
    "ao": "AO",
    "sr50": "SR 0.50",
    "sr75": "SR 0.75",
    "mao": "mAO",
}
_AT_OVERLAP = {"op50": 0.5, "op75": 0.75, "sr50": 0.5, "sr75": 0.75}


@dataclass(frozen=True)
class Score:
    """A figure in percent: mean over the runs, and their standard deviation where there are several."""

    mean: float
    std: float | None = None

    def __format__(self, spec: str) -> str:
        if np.isnan(self.mean):
            return "-"
        text = format(self.mean, spec)
        return text if self.std is None else f"{text} ± {format(self.std, spec)}"


@dataclass(frozen=True, eq=False)
class TrackerCurves:
    """Rates of one tracker in [0, 1], for R runs and S sequences.

    Args:
        label: name in tables and legends.
        success: ``[R, S, K]`` over the protocol's overlap thresholds.
        precision: ``[R, S, 51]`` over `CENTRE_THRESHOLDS`.
        normalised: ``[R, S, 51]`` over `NORMALISED_THRESHOLDS`.
        mean_overlap: over the valid frames, ``[R, S]``.
        frames: what rates are divided by, ``[R, S]``.
        protocol: the rules of the figures.
        classes: of each sequence's target, S of them; None where the benchmark does not say.
        fps: frames per second of the tracker alone, or None unless every sequence was timed.
        irregular: what is odd about its result files.
    """

    label: str
    success: np.ndarray
    precision: np.ndarray
    normalised: np.ndarray
    mean_overlap: np.ndarray
    frames: np.ndarray
    protocol: Protocol
    classes: tuple[str | None, ...] = ()
    fps: float | None = None
    irregular: tuple[Irregularity, ...] = ()

    def curve(self, kind: str) -> np.ndarray:
        """The mean curve in percent over runs and sequences: success, precision or normalised."""
        return self._over_sequences(getattr(self, kind)).mean(axis=0) * 100.0

    def score(self, name: str) -> Score:
        """One of `SCORES`, in percent; NaN where it is not defined."""
        runs = self._over_sequences(self.per_sequence(name)) if name != "mao" else self._class_balanced()
        runs = runs * 100.0
        return Score(float(runs.mean()), float(runs.std(ddof=1)) if len(runs) > 1 else None)

    def per_sequence(self, name: str) -> np.ndarray:
        """One of `SCORES` but for mAO, of every run and sequence, in [0, 1], ``[R, S]``."""
        if name == "auc":
            return self.success.mean(axis=2)
        if name in _AT_OVERLAP:
            thresholds = overlap_thresholds(self.success.shape[2])
            return self.success[:, :, int(np.searchsorted(thresholds, _AT_OVERLAP[name]))]
        if name == "ao":
            return self.mean_overlap
        if name == "norm_precision" and self.protocol.normalised_score == "mean":
            return self.normalised.mean(axis=2)
        curves = self.precision if name == "precision" else self.normalised
        return curves[:, :, 20]  # px, and 20 hundredths of the box sides

    def _over_sequences(self, rates: np.ndarray) -> np.ndarray:
        """The mean over sequences of ``[R, S, ...]``, which weigh the same or as their frames do."""
        defined = ~np.isnan(rates)
        weights = np.ones(rates.shape[:2]) if self.protocol.average == "sequences" else self.frames
        weights = np.where(defined, np.expand_dims(weights, tuple(range(2, rates.ndim))), 0.0)
        total = (np.where(defined, rates, 0.0) * weights).sum(axis=1)
        summed = weights.sum(axis=1)
        return np.divide(total, summed, out=np.full_like(total, np.nan), where=summed > 0)

    def _class_balanced(self) -> np.ndarray:
        """The mean over classes of the mean overlap of their frames, ``[R]``; NaN without classes."""
        members: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self.classes):
            if name is None:
                return np.full(len(self.success), np.nan)
            members[name].append(number)
        if not members:
            return np.full(len(self.success), np.nan)
        weights = self.frames[0]
        means = [np.average(self.mean_overlap[:, of], axis=1, weights=weights[of]) for of in members.values()]
        return np.mean(means, axis=0)
