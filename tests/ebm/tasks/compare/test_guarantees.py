"""The study of guarantees, on fits whose coverage is known."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from ebm.exceptions import DomainError
from ebm.tasks.compare import guarantees
from ebm.tasks.compare.budget import Budget
from ebm.tasks.compare.guarantees import (
    LEVELS,
    GuaranteePlan,
    Held,
    compute_guarantee,
    held_by,
    run_guarantees,
)
from ebm.tasks.compare.guarantees_command import main
from ebm.tasks.compare.guarantees_report import csv_of_held, furthest, markdown_of_held
from ebm.tasks.compare.tables import load_split


class Marginal:
    """Quantiles of the rows to fit, much too narrow until rows are given to calibrate on."""

    def __init__(self, x: np.ndarray, y: np.ndarray, seed: int, budget: Budget) -> None:
        self.y, self.scale = y, 0.1

    def calibrate(self, x: np.ndarray, y: np.ndarray) -> "Marginal":
        self.y, self.scale = y, 1.0
        return self

    def predict_interval(self, x: np.ndarray, level: list[float] | float = 0.9) -> np.ndarray:
        share = np.ravel(level)[0]
        if share == 0.95 and self.y.ndim == 2:
            raise DomainError("95 % needs more rows.")
        ends = np.quantile(self.y, [(1 - share) / 2, (1 + share) / 2], axis=0)
        middle = ends.mean(0)
        one = np.moveaxis(middle + self.scale * (ends - middle), 0, -1)[..., None, :]
        return np.tile(one, (len(x), *[1] * one.ndim))

    def predict_set(self, x: np.ndarray, level: float = 0.9) -> list[np.ndarray]:
        low, high = self.predict_interval(x[:1], level)[0, 0]
        return [np.array([[low, 0.0], [0.0, high]])] * len(x)

    def contains(self, x: np.ndarray, y: np.ndarray, level: float = 0.9) -> np.ndarray:
        return np.arange(len(x)) < level * len(x)


def a_cell(table: str, **budget: Any) -> dict[str, Any]:
    return GuaranteePlan(tables=(table,), splits=1, budget=Budget(**budget)).cells()[0]


def test_calibrated_intervals_hold_their_level_and_uncalibrated_ones_do_not() -> None:
    record = compute_guarantee(a_cell("heavy-tailed"), Marginal)
    found = {(entry["kind"], entry["level"]): entry for entry in record["held"]}
    assert len(found) == 12
    assert not record["messages"]
    for level in LEVELS:
        assert found["equal-tailed", level]["coverage"] == pytest.approx(level, abs=0.08)
        assert found["highest-density", level]["coverage"] == found["equal-tailed", level]["coverage"]
        assert found["as fitted", level]["coverage"] < level - 0.2
        assert found["highest-density", level]["runs"] == 2


def test_sets_of_several_targets_have_no_width_and_a_refused_level_is_said() -> None:
    record = compute_guarantee(a_cell("gaussian-2d"), Marginal)
    found = {(entry["kind"], entry["level"]): entry for entry in record["held"]}
    intervals = {(kind, level) for kind in ("as fitted", "equal-tailed") for level in LEVELS[:3]}
    assert found.keys() == intervals | {("highest-density", level) for level in LEVELS}
    assert "equal-tailed, 95 %: 95 % needs more rows." in record["messages"]
    assert found["highest-density", 0.9]["coverage"] == 0.9
    assert found["highest-density", 0.9]["width"] == "nan"


def test_what_sets_hold_is_counted_over_their_runs() -> None:
    split = load_split("branches", 0, rows=3)
    unit = split.unit[0]
    y = split.y_test[:, 0]
    around = [np.array([[v - 2, v - 1], [v - 0.5, v + 0.5]]) for v in y[:2]]
    around.append(np.array([[y[2] + 1, y[2] + 2]]))
    held = held_by([[row] for row in around], split)
    assert held["coverage"] == pytest.approx(2 / 3)
    assert held["width"] == pytest.approx(5 / 3 / unit)
    assert held["runs"] == pytest.approx(5 / 3)


def test_a_study_is_kept_and_an_infinite_width_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless(Marginal):
        def predict_set(self, x: np.ndarray, level: float = 0.9) -> list[np.ndarray]:
            return [np.array([[-math.inf, math.inf]])] * len(x)

    monkeypatch.setattr(guarantees, "_fit", Endless)
    plan = GuaranteePlan(tables=("branches",), splits=2, budget=Budget(rows=30))
    held, messages = run_guarantees(plan, tmp_path)
    assert len(held) == 24
    assert not messages
    assert {h.width for h in held if h.kind == "highest-density"} == {math.inf}
    monkeypatch.setattr(guarantees, "_fit", None)
    assert run_guarantees(plan, tmp_path) == (held, messages)


def held(table: str, level: float, coverage: float, split: int = 0, kind: str = "equal-tailed") -> Held:
    return Held(table=table, split=split, kind=kind, level=level, coverage=coverage, width=1.5, runs=1.25)


def test_the_report_counts_what_is_within_two_points_and_names_the_furthest() -> None:
    rows = [
        *(held("ring", 0.9, share, split) for split, share in enumerate((0.88, 0.91))),
        held("ring", 0.5, 0.45),
        held("geyser", 0.9, 0.93, kind="highest-density"),
    ]
    report = markdown_of_held(rows, ["linnerud, split 0: too few"])
    assert "calibrated: 1 of 2 pairs of table and level within 2 points" in report
    assert "furthest off is ring at 50 %, by -5.0 points" in report
    assert "| ring | 2 | 45.0 | 1.50 | 89.5 ± 1.5 | 1.50 |" in report
    assert "| geyser | 1 | 93.0 | 1.50 | 1.25 |" in report
    assert "- linnerud, split 0: too few" in report
    assert furthest(rows[:2]) == (pytest.approx(-0.005), "ring", 0.9)
    assert len(csv_of_held(rows).splitlines()) == 5


def test_a_fit_of_ours_is_calibrated_and_holds_what_it_promises() -> None:
    record = compute_guarantee(a_cell("heteroscedastic", rows=100, epochs=3))
    found = {(entry["kind"], entry["level"]): entry for entry in record["held"]}
    assert len(found) == 12
    for kind in ("equal-tailed", "highest-density"):
        widths = [found[kind, level]["width"] for level in LEVELS]
        assert widths == sorted(widths)
        assert found[kind, 0.9]["coverage"] == pytest.approx(0.9, abs=0.12)  # 40 rows to calibrate on


def test_the_command_writes_its_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(guarantees, "_fit", Marginal)
    assert main(["--tables", "ring", "gaussian-2d", "--splits", "2", "--out", str(tmp_path)]) == 0
    report = (tmp_path / "report.md").read_text()
    assert capsys.readouterr().out.strip() == report.strip()
    assert "## Equal-tailed intervals, calibrated" in report
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 1 + 2 * (12 + 10)


def test_normal_quantiles_are_what_the_levels_mean() -> None:
    """A width in deviations: 2 z of the level for a Gaussian marginal."""
    split = load_split("heteroscedastic", 0)
    z = norm.ppf(0.95) * split.unit[0]
    sets = [[np.array([[-z, z]])]] * len(split.y_test)
    assert held_by(sets, split)["width"] == pytest.approx(2 * norm.ppf(0.95))
