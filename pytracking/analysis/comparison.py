"""Two trackers sequence by sequence: where they differ, and whether the difference means anything."""

from collections.abc import Sequence as List
from dataclasses import dataclass

import numpy as np

from pytracking.analysis.extract import evaluate
from pytracking.analysis.metrics import iou
from pytracking.analysis.scores import SCORES
from pytracking.analysis.sources import BoxSource
from pytracking.analysis.tables import Table
from pytracking.evaluation.data import Sequence

__all__ = ["Bootstrap", "Comparison", "compare", "comparison_table", "paired_bootstrap"]


@dataclass(frozen=True)
class Bootstrap:
    """The mean of paired differences under resampling of the pairs.

    Args:
        mean: of the differences.
        low: end of the interval that holds 95 % of the resampled means.
        high: its other end.
        above: share of the resampled means above 0.
        draws: how many there are.
    """

    mean: float
    low: float
    high: float
    above: float
    draws: int

    @property
    def decided(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    differences: np.ndarray, generator: np.random.Generator, draws: int = 10_000
) -> Bootstrap:
    """Resample pairs with replacement; percentile interval. Source: Efron and Tibshirani, 1993, chapter 13.

    Args:
        differences: of the two trackers, one for each sequence, ``[S]``.
        generator: what chooses.
        draws: number of resamples.
    """
    count = len(differences)
    means = np.empty(draws)
    for start in range(0, draws, 500):
        rows = min(500, draws - start)
        means[start : start + rows] = differences[generator.integers(0, count, (rows, count))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Bootstrap(float(differences.mean()), float(low), float(high), float((means > 0).mean()), draws)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two trackers on S sequences.

    Args:
        title: of the dataset.
        labels: names of the two.
        rule: the protocol's name.
        score: key of `SCORES`.
        sequences: names, S of them.
        left_out: names that one of the two has no result of.
        values: scores in percent, means over runs, ``[2, S]``.
        spread: standard deviations over runs of the scores of the whole set, in percent, or None.
        agreement: mean IoU of the two first runs' boxes with each other, ``[S]``.
        identical: whether their boxes are the same to 0.01 px, bool ``[S]``.
        bootstrap: of the differences, the first less the second.
    """

    title: str
    labels: tuple[str, str]
    rule: str
    score: str
    sequences: tuple[str, ...]
    left_out: tuple[str, ...]
    values: np.ndarray
    spread: tuple[float | None, float | None]
    agreement: np.ndarray
    identical: np.ndarray
    bootstrap: Bootstrap

    @property
    def differences(self) -> np.ndarray:
        """The first less the second, in percent, ``[S]``."""
        return np.asarray(self.values[0] - self.values[1])


def compare(
    sequences: List[Sequence],
    first: List[BoxSource],
    second: List[BoxSource],
    *,
    rule: str = "pytracking",
    score: str = "auc",
    allow_missing: bool = False,
    seed: int = 0,
) -> Comparison:
    """Compare two trackers.

    Args:
        sequences: of one dataset.
        first: runs of one tracker, all with one label.
        second: runs of the other.
        rule: a key of `PROTOCOLS`.
        score: a key of `SCORES` but ``mao``.
        allow_missing: leave out sequences that one of the two has no result of.
        seed: of the bootstrap.

    Raises:
        InputError, DomainError, UnknownNameError: as `evaluate`.
    """
    found = evaluate(sequences, [*first, *second], rule=rule, allow_missing=allow_missing)
    a, b = found.trackers
    values = np.stack([tracker.per_sequence(score).mean(axis=0) for tracker in (a, b)]) * 100.0
    used = {sequence.name: sequence for sequence in sequences}
    pairs = [(first[0].boxes(used[name]), second[0].boxes(used[name])) for name in found.sequences]
    return Comparison(
        title=found.title,
        labels=(a.label, b.label),
        rule=rule,
        score=score,
        sequences=found.sequences,
        left_out=found.left_out,
        values=values,
        spread=(a.score(score).std, b.score(score).std),
        agreement=np.array([_agreement(*pair) for pair in pairs]),
        identical=np.array([_identical(*pair) for pair in pairs]),
        bootstrap=paired_bootstrap(values[0] - values[1], np.random.default_rng(seed)),
    )


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    rows = min(len(one), len(other))
    return float(np.nan_to_num(iou(one[:rows], other[:rows])).mean())


def _identical(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=0, atol=0.01, equal_nan=True))


def comparison_table(found: Comparison, most: int | None = 20) -> Table:
    """The sequences by the size of their difference.

    Args:
        found: the comparison.
        most: rows; None: all.
    """
    order = np.argsort(-np.abs(found.differences), kind="stable")[:most]
    rows = tuple(
        (
            found.sequences[number],
            f"{found.values[0, number]:.2f}",
            f"{found.values[1, number]:.2f}",
            f"{found.differences[number]:+.2f}",
            "identical" if found.identical[number] else f"{100 * found.agreement[number]:.1f}",
        )
        for number in order
    )
    header = ("Sequence", *found.labels, "difference", "IoU of the two")
    title = f"{found.title}: {SCORES[found.score]} by protocol {found.rule}"
    return Table(title, header, rows, _notes(found, len(rows)))


def _notes(found: Comparison, shown: int) -> tuple[str, ...]:
    a, b = found.labels
    boot, total = found.bootstrap, len(found.sequences)
    verdict = (
        f"{a if boot.mean > 0 else b} is better on this set beyond the choice of sequences"
        if boot.decided
        else "sequences drawn anew may turn it round: the two are not told apart"
    )
    notes = [
        f"Mean of {total} sequences: {a} {found.values[0].mean():.2f}, {b} {found.values[1].mean():.2f}; "
        f"difference {boot.mean:+.2f}, 95 % interval {boot.low:+.2f} to {boot.high:+.2f} "
        f"({boot.draws} resamples of the sequences): {verdict}.",
        f"{a} is ahead on {int((found.differences > 0).sum())} sequences, {b} on "
        f"{int((found.differences < 0).sum())}; the boxes of {int(found.identical.sum())} are identical.",
    ]
    for label, std in zip(found.labels, found.spread, strict=True):
        if std is not None:
            notes.append(f"Standard deviation of {label} over its runs: {std:.2f}.")
    if shown < total:
        notes.append(f"The {shown} largest differences of {total}; --all prints the others too.")
    if found.left_out:
        notes.append(f"Left out, without a result of both: {', '.join(found.left_out)}.")
    return tuple(notes)
