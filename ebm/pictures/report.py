"""A fitted density on rows that it did not see, on one page: verdict, scores, pictures, what was fitted."""

import platform
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ebm.checks import require_count
from ebm.density.base import require_level
from ebm.exceptions import EBMError, ShapeError
from ebm.files import expanded, write_atomic
from ebm.pictures.curves import Curves, rows_of, target_name
from ebm.pictures.densities import density_curves, draw_densities
from ebm.pictures.fans import LEVELS, draw_fan, fan_curves
from ebm.pictures.honesty import (
    calibration_curves,
    draw_reliability,
    reliability_curves,
)
from ebm.pictures.intervals import interval_table, possible_levels
from ebm.pictures.page import folded, page, paragraph, picture, section, table
from ebm.pictures.pit import draw_pit, pit_curves
from ebm.pictures.style import require_matplotlib
from ebm.pictures.training import draw_history, history_curves
from ebm.scores.evaluation import Evaluation
from ebm.scores.local import CLEAR, LocalCoverage, local_coverage
from ebm.scores.slabs import share_error
from ebm.scores.tables import Table

if TYPE_CHECKING:
    from ebm.fitting import FittedEBM

__all__ = ["Report", "make_report", "write_report"]

MOST_ROWS = 2000
_FEWEST_LOCAL = 8  # rows that `local_coverage` needs
_MOST_TARGETS = 4  # with pictures of their own
_AS_FITTED = "Of the densities as fitted; less is better, and of coverage the closer to its level the better."
_INTERVALS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found on N rows.

    Attributes:
        html: the page.
        evaluation: all scores of the density as fitted.
        intervals: coverage and width of intervals, calibrated where the density is.
        local: where in the inputs intervals hold least; None for fewer than eight rows or inputs that are no
            flat rows of numbers.
        verdict: the findings in words, a sentence each.
    """

    html: str
    evaluation: Evaluation
    intervals: Table
    local: LocalCoverage | None
    verdict: tuple[str, ...]


def make_report(
    fitted: "FittedEBM",
    x: Any,
    y: Any,
    *,
    marginal: Any = None,
    level: float = 0.9,
    within: Any = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    facts: Sequence[tuple[str, str]] = (),
    numbers: Sequence[int] | None = None,
    most: int = MOST_ROWS,
    seed: int = 0,
) -> Report:
    """Score and draw a density on rows that neither its fit nor its calibration saw.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``.
        y: targets ``(N,)`` or ``(N, D)``.
        marginal: targets of the training rows, which skill is measured against; None takes `y`.
        level: of the sets that are looked at closely, in (0, 1).
        within: groups of the rows, where the calibration has some.
        title: of the page.
        notes: further warnings to be told, for example those of the fit.
        facts: further lines, name and value, on what was fitted.
        numbers: of the rows in a file or table ``(N,)``, which they are called by; None counts them from 0.
        most: rows looked at; of more, so many are drawn at random.
        seed: of that choice, and of the search for the worst place.

    Raises:
        ShapeError: if there are fewer than two rows, or shapes are not those of the fit.
        MissingPackageError: if matplotlib is not installed.
        DomainError: (a ValueError) if a value is outside its domain, or the calibration has too few rows for
            the level.
    """
    require_matplotlib()
    require_level(level)
    if len(x) < 2:
        raise ShapeError(f"a report needs at least two rows, got {len(x)}.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        about = _choose(fitted.once(), x, y, within, numbers, require_count("most", most), seed)
        evaluation = about.fitted.evaluate(about.x, about.y, marginal=marginal, level=level)
        local = _local(about, level, seed)
        intervals = interval_table(about.fitted, about.x, about.labels, _INTERVALS, about.within)
        pictures = list(_pictures(about, level))
    verdict = tuple(_verdict(about, evaluation, local))
    told = dict.fromkeys([*notes, *(str(warning.message) for warning in caught)])
    parts = [
        *(paragraph(sentence, "verdict") for sentence in verdict),
        section("Warnings", [paragraph(text, "warning") for text in told]),
        section("Scores", [paragraph(_AS_FITTED), table(evaluation.table()), table(intervals)]),
        section("Pictures", pictures),
        section("Coverage by place", _places(local)),
        section("What was fitted", [table(Table(("", ""), (*facts, *_facts(fitted))), text=True)]),
    ]
    html = page(_heading(fitted) if title is None else title, [part for part in parts if part])
    return Report(html=html, evaluation=evaluation, intervals=intervals, local=local, verdict=verdict)


def write_report(fitted: "FittedEBM", x: Any, y: Any, path: str | Path, **options: Any) -> Report:
    """Write the page of `make_report`, whole or not at all.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``.
        y: targets.
        path: of the HTML file.
        **options: of `make_report`.

    Raises:
        InputError: if the file cannot be written.
    """
    report = make_report(fitted, x, y, **options)
    write_atomic(expanded(path), report.html)
    return report


@dataclass(frozen=True)
class _Rows:
    """The density and the rows that are looked at; `labels` are ``(N, D)`` float64."""

    fitted: "FittedEBM"
    x: Any
    labels: np.ndarray
    within: Any
    given: int
    numbers: np.ndarray | None

    @property
    def y(self) -> np.ndarray:
        """Labels in the shape of the targets of the fit."""
        return self.labels[:, 0] if self.fitted.scaling.flat else self.labels


def _choose(
    fitted: "FittedEBM", x: Any, y: Any, within: Any, numbers: Sequence[int] | None, most: int, seed: int
) -> _Rows:
    """All rows, or so many drawn at random, in their order."""
    named = None if numbers is None else np.asarray(numbers)
    _, targets = fitted._pair(x, y)
    count = len(targets)
    if count > most:
        index = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
        x, targets = rows_of(x, index), targets[index]
        within = None if within is None else rows_of(within, index)
        named = None if named is None else named[index]
    return _Rows(fitted, x, targets.numpy(), within, count, named)


def _local(about: _Rows, level: float, seed: int) -> LocalCoverage | None:
    """Coverage by place of equal-tailed intervals, of several targets of the set of all."""
    if len(about.labels) < _FEWEST_LOCAL:
        return None
    if about.fitted.target_dim == 1:
        ends = torch.as_tensor(about.fitted.predict_interval(about.x, level, within=about.within))
        low, high = ends.reshape(-1, 2).double().cpu().unbind(1)
        target = torch.as_tensor(about.labels[:, 0])
        circle = about.fitted.scaling.circle
        target = target if circle is None else circle.beyond(low, target)
        inside = (low <= target) & (target <= high)
    else:
        inside = about.fitted.contains(about.x, about.y, level, within=about.within)
    try:
        numbers, names = about.fitted.encode(about.x), about.fitted.encoded_names
        return local_coverage(numbers, inside, level, names=names, seed=seed)
    except EBMError:  # rows of another shape, or of more than numbers: scores do not need them
        return None


def _verdict(about: _Rows, evaluation: Evaluation, local: LocalCoverage | None) -> Iterator[str]:
    """What was found, a sentence each."""
    count = len(about.labels)
    if count < about.given:
        yield f"Looked at {count} rows, drawn at random from {about.given}."
    # Both: a log score hangs on few rows, a CRPS hardly sees that there are two modes.
    told = [s for s in evaluation.scores if s.name.startswith(("log", "energy", "CRPS"))][:2]
    gains = [score.skill / score.skill_standard_error for score in told if score.skill_standard_error > 0]
    better, worse = any(gain > CLEAR for gain in gains), any(gain < -CLEAR for gain in gains)
    word = "not clearly better" if better == worse else "better" if better else "worse"
    figures = "; ".join(f"{score.name} {score.figure}, a skill of {score.skill_figure}" for score in told)
    yield f"The densities are {word} than knowing nothing of the inputs: {figures}."
    if local is not None:
        calibration = about.fitted.calibration
        yield ("Not calibrated: " if calibration is None else "Calibrated: ") + local.verdict()
        if calibration is not None:
            error = 100 * share_error(local.level, calibration.count)
            yield f"A calibration on {calibration} meets its level to a standard error of {error:.1f} %."
    if about.fitted.scaling.support is not None and about.fitted.scaling.support.whole:
        yield "Whole numbers cannot be cut, so that their sets hold more than they promise."
    try:
        yield from about.fitted.beyond(about.x).words()
    except ShapeError:  # inputs that have no range
        return


def _pictures(about: _Rows, level: float) -> Iterator[str]:
    fitted, x, y = about.fitted, about.x, about.y
    levels = possible_levels(fitted, LEVELS)
    for target in range(min(fitted.target_dim, _MOST_TARGETS)):
        name, suffix = target_name(fitted, target), f"_{target}" if fitted.target_dim > 1 else ""
        curves = density_curves(fitted, x, y, level=level, target=target, within=about.within)
        which = "rows count from 0"
        if about.numbers is not None:
            called = about.numbers[curves["row"].astype(int)]
            curves, which = replace(curves, columns={**curves.columns, "row": called}), "rows by their number"
        shown = f"each with its label and its {curves.labels['set']}; {which}"
        caption = f"What is said of {name} in a few rows, {shown}."
        yield picture(f"densities{suffix}", caption, curves, draw_densities(curves))
        curves = fan_curves(fitted, x, y, order="median", levels=levels, target=target, within=about.within)
        caption = f"All rows in the order of their median of {name}, with intervals and labels."
        yield picture(f"fan{suffix}", caption, curves, draw_fan(curves))
        curves = pit_curves(fitted, x, y, target=target)
        caption = (
            f"Where labels of {name} lie in their densities as fitted: flat within the band is honest, a "
            "hill means too wide, a valley too narrow, a slope biased."
        )
        yield picture(f"pit{suffix}", caption, curves, draw_pit(curves))
    yield _reliability(about)
    curves = history_curves(fitted)
    yield picture("history", "Training, epoch by epoch.", curves, draw_history(curves))


def _reliability(about: _Rows) -> str:
    curves: Curves
    if about.fitted.calibration is None:
        curves = reliability_curves(about.fitted, about.x, about.y)
        caption = "Share of labels inside the sets, level by level; below the band they are too narrow."
    else:
        curves = calibration_curves(about.fitted, about.x, about.y, within=about.within)
        caption = (
            "Share of labels inside the sets before and after calibration, level by level; below the band "
            "they are too narrow."
        )
    return picture("reliability", caption, curves, draw_reliability(curves))


def _places(local: LocalCoverage | None) -> list[str]:
    if local is None:
        return []
    return [folded(f"{len(local.bins)} bins of {len(local.names)} columns", [table(local.table())])]


def _plain(value: Any) -> str:
    return "by the number of rows" if value is None else str(value)  # the size of a batch


def _heading(fitted: "FittedEBM") -> str:
    names = ", ".join(target_name(fitted, d) for d in range(fitted.target_dim))
    return f"What the inputs say about {names}"


def _facts(fitted: "FittedEBM") -> Iterator[tuple[str, str]]:
    """Name and value, line by line."""
    names, history = fitted.scaling.x_names, fitted.history
    yield "targets", ", ".join(target_name(fitted, d) for d in range(fitted.target_dim))
    yield "inputs", f"{fitted.scaling.x_shape}" if names is None else f"{len(names)}: {', '.join(names)}"
    for name, value in {**fitted.config.plain(), **fitted.loss_options}.items():
        if name == "loss" and fitted.config.model != "energy":
            continue  # none was used
        yield name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else _plain(value)
    yield "epochs trained", f"{len(history.held_out_nll)}, in {history.seconds:.1f} s"
    if history.held_out_nll:
        yield "held-out NLL", f"{min(history.held_out_nll):.4g} nats at best"
    yield "calibration", "none" if fitted.calibration is None else f"split conformal, {fitted.calibration}"
    yield "base", "none" if fitted.base is None else type(fitted.base).__name__
    yield "versions", f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}"
