"""All scores of densities at once, beside those of the marginal, and several methods side by side."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from torch import Tensor

from ebm.calibration import Densities, ranks
from ebm.density.base import Labels, Levels, require_level
from ebm.density.circular import Circle
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import lookup, unknown_name
from ebm.numbers import listed
from ebm.scores.circles import circle_of
from ebm.scores.circular_marginal import CircularMarginal
from ebm.scores.marginal import Marginal, target_rows
from ebm.scores.rows import (
    crps,
    density_list,
    energy_score,
    log_score,
    pinball_loss,
    sharpness,
    threshold_crps,
    width,
    winkler_score,
)
from ebm.scores.summary import Kind, Score
from ebm.scores.tables import Table

__all__ = ["Evaluation", "compare", "evaluate", "inside"]

# Of some densities, or of the marginal, per row.
Rows = Callable[[Densities], Tensor]


@dataclass(frozen=True)
class Evaluation:
    """Scores of one method on some rows.

    Attributes:
        scores: each with its values, in the order of the table.
        marginal: what the skill is measured against, in words.
    """

    scores: tuple[Score, ...]
    marginal: str

    def __getitem__(self, name: str) -> Score:
        """The score of that name.

        Raises:
            UnknownNameError: (a ValueError) if there is none.
        """
        return lookup("score", name, {score.name: score for score in self.scores})

    def table(self) -> Table:
        """A row per score: mean and standard error, the marginal's mean, skill and its standard error."""
        rows = tuple(
            (
                s.name,
                s.figure,
                Score(s.name, s.reference).figure if s.reference is not None else "-",
                s.skill_figure,
            )
            for s in self.scores
        )
        count = self.scores[0].count
        caption = f"Mean ± standard error over {count} rows; skill against {self.marginal}."
        return Table(("score", "mean", "marginal", "skill"), rows, caption)

    def __str__(self) -> str:
        return str(self.table())


def evaluate(
    densities: Densities,
    y: Any,
    *,
    marginal: Any = None,
    level: float = 0.9,
    quantiles: Levels = (0.1, 0.5, 0.9),
    between: tuple[float, float] | None = None,
    names: Sequence[str] | None = None,
) -> Evaluation:
    """Every score of this package for some densities, beside that of the marginal.

    Args:
        densities: one density of B items, or several whose items add up to B.
        y: labels ``(B,)`` or ``(B, D)``.
        marginal: targets of the training rows ``(N,)`` or ``(N, D)``, or a `Marginal`; None takes that of
            `y` itself, which knows these labels, so that skill comes out a little too low.
        level: of the intervals, in (0, 1).
        quantiles: probabilities of the pinball losses, in [0, 1].
        between: thresholds of a threshold-weighted CRPS in the unit of y; an infinite one is none.
        names: of the D targets; None is y0, y1 ...

    Returns:
        The scores; of angles those that a circle has. For D > 1 those of one coordinate are followed by its
        name, and the energy score has the coordinates divided by the marginal's standard deviations.

    Raises:
        ShapeError: if labels, densities, marginal and names do not fit.
        DomainError: (a ValueError) if a level, threshold or label is outside its domain.
        TypeError: if a density lacks what a score is computed from.
    """
    labels, parts = target_rows("y", y), density_list(densities)
    dim = labels.shape[1]
    circle = circle_of(parts[0])
    reference = _reference(marginal, labels, circle)
    known = [f"y{d}" for d in range(dim)] if names is None else [str(name) for name in names]
    if len(known) != dim or reference.target_dim != dim:
        raise ShapeError(
            f"expected D={dim} names and a marginal of D={dim}, got {len(known)} and {reference.target_dim}."
        )
    require_level(level)

    def score(name: str, kind: Kind, rows: Rows) -> Score:
        values = rows(densities)
        return Score(name, values, None if kind == "share" else rows(reference).to(values.device), kind)

    given = labels.cpu().numpy()  # every density takes them in its own dtype
    scores: list[Score] = []
    if all(hasattr(part, "log_prob") for part in parts):
        scores.append(score("log score", "nats", partial(log_score, y=given)))
    if dim > 1:
        scale = reference.std()[0].cpu()
        scores.append(score("energy score", "ratio", partial(energy_score, y=given, scale=scale)))
    for d in range(dim):
        suffix = f" {known[d]}" if dim > 1 else ""
        linear = circle is None
        for name, kind, rows in _of_coordinate(given, d, level, listed(quantiles), between, linear):
            scores.append(score(name + suffix, kind, rows))
    return Evaluation(
        tuple(scores), "the marginal of these labels" if marginal is None else "the given marginal"
    )


def compare(
    evaluations: Mapping[str, Evaluation],
    scores: Sequence[str] | None = None,
    *,
    show: Literal["mean", "skill"] = "mean",
) -> Table:
    """A row per method, a column per score, the best mean of every column in bold.

    Args:
        evaluations: by the method's name, on the same rows.
        scores: which, by name; None is what all of them have.
        show: "mean" with its standard error, or "skill" with its own.

    Raises:
        DomainError: (a ValueError) if there is no method or no score.
        ShapeError: if they were scored on different numbers of rows.
        UnknownNameError: (a ValueError) if a method lacks a score, or for another `show`.
        TypeError: if something is no `Evaluation`.
    """
    wrong = [name for name, found in evaluations.items() if not isinstance(found, Evaluation)]
    if wrong:
        raise TypeError(
            f"expected an Evaluation of every method, as evaluate returns it; not so of {wrong[0]!r}."
        )
    if show not in ("mean", "skill"):
        raise unknown_name("figure", str(show), ("mean", "skill"))
    shared = _shared(evaluations) if scores is None else list(scores)
    if not evaluations or not shared:
        raise DomainError("expected at least one method and one score that all methods have.")
    counts = {name: evaluation[shared[0]].count for name, evaluation in evaluations.items()}
    if len(set(counts.values())) > 1:
        raise ShapeError(f"the methods were scored on different numbers of rows: {counts}.")
    chosen = [[evaluation[name] for name in shared] for evaluation in evaluations.values()]
    rows = [
        (method, *(s.figure if show == "mean" else s.skill_figure for s in line))
        for method, line in zip(evaluations, chosen)
    ]
    count = next(iter(counts.values()))
    against = next(iter(evaluations.values())).marginal
    caption = "Mean" if show == "mean" else f"Skill against {against}"
    return Table(
        ("method", *shared), tuple(rows), f"{caption} ± standard error over {count} rows.", _best(chosen)
    )


def _reference(marginal: Any, labels: Tensor, circle: Circle | None) -> Marginal:
    """The marginal for as many rows as there are labels."""
    if marginal is None and len(labels) < 2:
        raise ShapeError(
            f"{len(labels)} labels have no marginal; pass that of the training targets: marginal=y_train."
        )
    targets = marginal.targets if isinstance(marginal, Marginal) else labels if marginal is None else marginal
    return (
        Marginal(targets, len(labels)) if circle is None else CircularMarginal(targets, circle, len(labels))
    )


def _of_coordinate(
    y: Any,
    dim: int,
    level: float,
    quantiles: Sequence[float],
    between: tuple[float, float] | None,
    linear: bool,
) -> Iterator[tuple[str, Kind, Rows]]:
    """Names, kinds and functions of one coordinate's scores; angles lack some."""
    of_level = f"{100 * level:g} %"
    yield "CRPS", "ratio", partial(crps, y=y, dim=dim)
    if between is not None:
        low, high = between
        yield (
            f"CRPS in [{low:g}, {high:g}]",
            "ratio",
            partial(threshold_crps, y=y, low=low, high=high, dim=dim),
        )
    for p in quantiles if linear else ():
        yield f"pinball {p:g}", "ratio", partial(pinball_loss, y=y, levels=p, dim=dim)
    if linear:
        yield f"Winkler {of_level}", "ratio", partial(winkler_score, y=y, level=level, dim=dim)
    yield f"width {of_level}", "ratio", partial(width, level=level, dim=dim)
    yield "sharpness", "ratio", partial(sharpness, dim=dim)
    yield f"coverage {of_level}", "share", partial(inside, y=y, level=level, dim=dim)


def inside(densities: Densities, y: Labels, level: float = 0.9, dim: int = 0) -> Tensor:
    """1 where the equal-tailed interval of one coordinate holds the label, else 0, ``(B,)`` float64.

    Arguments and errors are those of `winkler_score`.
    """
    return (ranks(densities, y, region="equal-tailed", dim=dim) <= require_level(level)).double()


def _shared(evaluations: Mapping[str, Evaluation]) -> list[str]:
    """Scores that all methods have, in the order of the first."""
    names = [[score.name for score in evaluation.scores] for evaluation in evaluations.values()]
    return [name for name in names[0] if all(name in other for other in names)] if names else []


def _best(chosen: list[list[Score]]) -> frozenset[tuple[int, int]]:
    """Cells of the least means; coverage has no best, and a single method neither."""
    best = set()
    for column, scores in enumerate(zip(*chosen), start=1):
        finite = [score.mean for score in scores if math.isfinite(score.mean)]
        if scores[0].kind != "share" and finite and len(scores) > 1:
            best |= {(row, column) for row, score in enumerate(scores) if score.mean == min(finite)}
    return frozenset(best)
