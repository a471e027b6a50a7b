"""Which of the papers' statements on the methods hold in a study."""

import math

import numpy as np

from ebm.scores.tables import number_with_error
from ebm.tasks.detection.report import Drawn, Means
from ebm.tasks.detection.running import DETECTOR
from ebm.tasks.detection.scoring import COLUMNS

__all__ = ["claims"]

ENERGIES = ("nce+", "kld-is", "nce", "ml-is")
WORSE = ("dsm", "ml-mcmc-1", "ml-mcmc-4", "ml-mcmc-8")
# A method and a column, and the factor that they are taken with.
Term = tuple[str, str, int]


def claims(means: Means, drawn: Drawn | None = None) -> list[str]:
    """The papers' statements on these methods, each with what was found and whether it holds.

    Args:
        means: over the seeds.
        drawn: scores on pictures drawn again; without them errors are those of the seeds alone.

    Source: Gustafsson et al., ECCV 2020 and BMVC 2020 (spec/ebm.md, 6.4).
    """
    lines = []
    energies = [name for name in ENERGIES if name in means]
    if DETECTOR in means:
        for name in energies:
            gains = [_gain(name, column) for column in ("AP75", "AP50")]
            told = ", ".join(
                f"{column} {_sum(means, gain):+.2f}" for column, gain in zip(("AP75", "AP50"), gains)
            )
            more = [*gains[0], *((own, column, -factor) for own, column, factor in gains[1])]
            error = _error(means, drawn, more)
            lines.append(_line(f"{name} gains more AP75 than AP50", told, _sum(means, more), error))
    for better in ENERGIES[:2]:
        for worse in ENERGIES[2:]:
            if better in means and worse in means:
                terms = [(better, "AP", 1), (worse, "AP", -1)]
                ahead, error = _sum(means, terms), _error(means, drawn, terms)
                told = f"{number_with_error(ahead, error)} AP apart"
                # Two errors behind is level still; what is further behind is so by more than them.
                margin = ahead if ahead < -2 * error else ahead + 2 * error
                lines.append(_line(f"{better} is at least level with {worse}", told, margin, error))
    for name in (name for name in WORSE if name in means and energies):
        least = min(energies, key=lambda own: means[own]["AP"][0])
        terms = [(least, "AP", 1), (name, "AP", -1)]
        below = _sum(means, terms)
        told = f"{below:+.2f} AP below the least of {', '.join(energies)}"
        lines.append(_line(f"{name} is below the rest", told, below, _error(means, drawn, terms)))
    return lines


def _gain(name: str, column: str) -> list[Term]:
    return [(name, column, 1), (DETECTOR, column, -1)]


def _sum(means: Means, terms: list[Term]) -> float:
    return sum(factor * means[name][column][0] for name, column, factor in terms)


def _error(means: Means, drawn: Drawn | None, terms: list[Term]) -> float:
    """Standard error by the seeds and, where they are drawn, by the pictures, in which methods are paired."""
    seeds = [means[name][column][1] for name, column, _ in terms]
    own = math.hypot(*(error for error in seeds if math.isfinite(error)))
    if drawn is None:
        return own
    place = list(COLUMNS).index
    values = np.sum([factor * drawn[name][:, place(column)] for name, column, factor in terms], axis=0)
    return math.hypot(own, float(np.nanstd(values)))


def _line(claim: str, told: str, margin: float, error: float) -> str:
    sure = "" if abs(margin) > 2 * error else " (within two standard errors)"
    return f"{'holds' if margin >= 0 else 'does not hold'}{sure}: {claim} ({told})"
