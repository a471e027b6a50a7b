"""The numbers of every picture against what the fit answers, and that they are drawn."""

import csv
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import ebm
from ebm.exceptions import DomainError, InputError, MissingPackageError, ShapeError, UnknownNameError
from ebm.fitting import FittedEBM
from ebm.fitting.tables import NamedArray
from ebm.pictures import (
    PICTURES,
    calibration_curves,
    density_curves,
    fan_curves,
    history_curves,
    pit_curves,
    reliability_curves,
)
from ebm.pictures.style import OKABE_ITO
from tests.ebm.pictures.conftest import Case

pytest.importorskip("matplotlib")
Two = tuple[FittedEBM, NDArray[np.float64], NDArray[np.float64]]


class TestDensities:
    def test_every_density_holds_one_and_its_set_what_it_promises(self, case: Case) -> None:
        curves = density_curves(case.plain, case.x, case.y, rows=[3, 77], level=0.8)
        for row in (3, 77):
            here = curves["row"] == row
            value, density, inside = (curves[name][here] for name in ("value", "density", "inside"))
            assert np.trapezoid(density, value) == pytest.approx(1, abs=0.01)
            assert np.trapezoid(density * inside, value) == pytest.approx(0.8, abs=0.03)
            assert set(curves["label"][here]) == {case.y[row]}
            expected = np.exp(case.plain.log_prob(case.x[[row] * 3], value[40:43]))
            assert density[40:43] == pytest.approx(expected, rel=1e-3)

    def test_a_set_of_two_branches_is_two_runs(self, case: Case) -> None:
        curves = density_curves(case.fitted, case.x[:1], level=0.8)
        assert np.count_nonzero(np.diff(curves["inside"]) == 1) == 2
        assert np.isnan(curves["label"]).all()
        runs = case.fitted.predict_set(case.x[:1], 0.8)[0]
        assert curves["value"][curves["inside"] > 0][[0, -1]] == pytest.approx([runs[0, 0], runs[-1, 1]])

    def test_eight_rows_spread_evenly_unless_rows_are_named(self, case: Case) -> None:
        found = density_curves(case.plain, case.x)["row"]
        assert sorted(set(found)) == [0, 28, 57, 85, 114, 142, 171, 199]

    def test_whole_numbers_are_all_shown(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, (80, 1))
        y = rng.poisson(3, 80)
        fitted = ebm.fit(x, y, epochs=1, hidden=8, support="integer", progress=False)
        curves = density_curves(fitted, x, rows=[0])
        assert set(range(8)) <= set(curves["value"].tolist())

    def test_one_of_several_targets(self, two_targets: Two) -> None:
        fitted, x, y = two_targets
        curves = density_curves(fitted, x, y, rows=[2], target=1)
        step = curves["value"][1] - curves["value"][0]
        assert (curves["density"] * step).sum() == pytest.approx(0.998, abs=1e-3)
        low, high = fitted.predict_interval(x[2:3], 0.9)[0, 1]
        inside = curves["value"][curves["inside"] > 0]
        assert low <= inside.min() < low + step
        assert high - step < inside.max() <= high
        assert curves["label"][0] == y[2, 1]

    def test_refusals(self, case: Case, two_targets: Two) -> None:
        with pytest.raises(DomainError, match="rows 0 to 199, so there is no row 200"):
            density_curves(case.plain, case.x, rows=[200])
        with pytest.raises(ShapeError, match="no row to draw"):
            density_curves(case.plain, case.x[:0])
        with pytest.raises(ShapeError, match="one label per row of x, 200"):
            density_curves(case.plain, case.x, case.y[:3])
        with pytest.raises(DomainError, match="0 to 1, got 2"):
            density_curves(two_targets[0], two_targets[1], target=2)


class TestFan:
    def test_rows_as_they_are(self, case: Case) -> None:
        x = case.x[:20]
        curves = fan_curves(case.fitted, x, case.y[:20], levels=(0.5, 0.9))
        assert (curves["at"] == np.arange(20)).all()
        assert curves["median"] == pytest.approx(case.fitted.predict(x, method="median"))
        assert curves["low_90"] == pytest.approx(case.fitted.predict_interval(x, 0.9)[:, 0])
        assert curves["high_50"] == pytest.approx(case.fitted.predict_interval(x, 0.5)[:, 1])
        assert (curves["label"] == case.y[:20]).all()

    def test_by_median_labels_stay_with_their_rows(self, case: Case) -> None:
        x = case.x[:20]
        given = fan_curves(case.fitted, x, case.y[:20])
        curves = fan_curves(case.fitted, x, case.y[:20], order="median")
        assert (np.diff(curves["median"]) >= 0).all()
        pairs = [sorted(zip(one["median"], one["label"])) for one in (given, curves)]
        assert pairs[0] == pairs[1]

    def test_one_column_among_others_moves_alone(self, case: Case) -> None:
        curves = fan_curves(case.fitted, case.x, feature="here", levels=[0.9])
        values = case.x.values
        assert curves["at"][[0, -1]] == pytest.approx([values[:, 0].min(), values[:, 0].max()])
        there = np.array([[curves["at"][5], np.median(values[:, 1])]])
        ends = case.fitted.predict_interval(NamedArray(there, case.x.columns), 0.9)[0]
        assert [curves["low_90"][5], curves["high_90"][5]] == pytest.approx(ends)
        assert curves.labels["at"] == "here"

    def test_the_only_column_sorts_the_rows(self, two_targets: Two) -> None:
        fitted, x, y = two_targets
        curves = fan_curves(fitted, x, y, feature=0, target=1)
        by = np.argsort(x[:, 0])
        assert (curves["at"] == x[by, 0]).all()
        assert (curves["label"] == y[by, 1]).all()

    def test_refusals(self, case: Case) -> None:
        with pytest.raises(InputError, match="leave y and within out"):
            fan_curves(case.fitted, case.x, case.y, feature="here")
        with pytest.raises(InputError, match="no column 'there'; it has here, noise, numbered from 0 to 1"):
            fan_curves(case.fitted, case.x, feature="there")
        with pytest.raises(UnknownNameError, match="order"):
            fan_curves(case.fitted, case.x, order="time")  # type: ignore[arg-type]
        with pytest.raises(DomainError, match="levels"):
            fan_curves(case.fitted, case.x, levels=())


class TestHonesty:
    def test_observed_is_what_the_fit_counts(self, case: Case) -> None:
        for kind in ("highest-density", "equal-tailed"):
            curves = reliability_curves(case.plain, case.x, case.y, sets=kind)
            expected = case.plain.reliability(case.x, case.y, kind=kind)
            assert curves["observed"] == pytest.approx(expected.observed.numpy())
            assert curves["standard_error"] == pytest.approx(expected.standard_error.numpy())

    def test_calibrated_is_what_calibrated_sets_hold(self, case: Case) -> None:
        curves = calibration_curves(case.fitted, case.x, case.y, levels=[0.5, 0.9])
        for place, level in enumerate((0.5, 0.9)):
            for calibrated, name in ((False, "before"), (True, "after")):
                held = case.fitted.contains(case.x, case.y, level, calibrated=calibrated).mean()
                assert curves[f"observed_{name}"][place] == pytest.approx(held, abs=1e-9)
        assert curves["standard_error_before"][1] == pytest.approx(math.sqrt(0.09 / 200))
        assert curves["standard_error_after"][1] == pytest.approx(math.sqrt(0.09 / 200 + 0.09 / 122))

    def test_equal_tailed_and_calibrated(self, case: Case) -> None:
        curves = reliability_curves(case.fitted, case.x, case.y, levels=[0.8], sets="equal-tailed")
        low, high = case.fitted.predict_interval(case.x, 0.8).T
        assert curves["observed"][0] == ((low <= case.y) & (case.y <= high)).mean()

    def test_levels_that_a_calibration_is_too_small_for_are_left_out(self, case: Case) -> None:
        levels = [0.5, 0.99, 0.995]  # 0.99 takes 99 rows of the 120, 0.995 takes 199
        observed = reliability_curves(case.fitted, case.x, case.y, levels=levels)["observed"]
        assert np.isnan(observed).tolist() == [False, False, True]

    def test_pit_counts_and_its_error(self, case: Case) -> None:
        curves = pit_curves(case.plain, case.x, case.y, bins=4)
        below = case.plain.cdf(case.x, case.y)
        expected = [((below >= k / 4) & (below < (k + 1) / 4)).mean() * 4 for k in range(4)]
        assert curves["density"] == pytest.approx(expected)
        assert curves["standard_error"][0] == pytest.approx(math.sqrt(0.25 * 0.75 / 200) * 4)
        assert len(pit_curves(case.plain, case.x, case.y)["low"]) == 10

    def test_refusals(self, case: Case, two_targets: Two) -> None:
        with pytest.raises(InputError, match="there is no calibration"):
            calibration_curves(case.plain, case.x, case.y)
        with pytest.raises(ShapeError, match="of one target"):
            reliability_curves(*two_targets, sets="equal-tailed")
        with pytest.raises(UnknownNameError, match="kind of set"):
            reliability_curves(case.plain, case.x, case.y, sets="central")
        with pytest.raises(DomainError, match="bins"):
            pit_curves(case.plain, case.x, case.y, bins=0)


def test_history_is_that_of_the_fit(case: Case) -> None:
    curves, history = history_curves(case.plain), case.plain.history
    assert curves["held_out_nll"].tolist() == list(history.held_out_nll)
    assert curves["epoch"][curves["kept"] > 0].tolist() == [history.best_epoch]


class TestPlot:
    @pytest.mark.parametrize("kind", PICTURES)
    def test_all_are_drawn_without_a_display_and_write_what_they_show(
        self, case: Case, kind: str, tmp_path: Path
    ) -> None:
        pairs = () if kind == "history" else (case.x[:60], case.y[:60])
        path = tmp_path / "curves.csv"
        axes = case.fitted.plot(*pairs, kind=kind, csv=path)
        with path.open() as file:
            lines = list(csv.reader(file))
        assert len(lines) > 5
        assert len({len(line) for line in lines}) == 1
        assert axes.get_xlabel()
        axes.figure.savefig(tmp_path / "picture.png", dpi=40)
        assert (tmp_path / "picture.png").stat().st_size > 3000

    def test_what_is_drawn_is_what_is_written(self, case: Case, tmp_path: Path) -> None:
        axes = case.fitted.plot(case.x, case.y, kind="calibration", csv=tmp_path / "c.csv")
        with (tmp_path / "c.csv").open() as file:
            rows = [float(row["observed_after"]) for row in csv.DictReader(file)]
        line = next(line for line in axes.lines if line.get_label() == "calibrated")
        assert line.get_ydata() == pytest.approx(rows)
        assert line.get_color() == OKABE_ITO["blue"]

    def test_options_of_a_picture_reach_it(self, case: Case) -> None:
        axes = case.fitted.plot(case.x, case.y, kind="reliability", sets="equal-tailed", calibrated=False)
        assert axes.get_title(loc="left") == "Equal-tailed intervals"
        assert "as fitted" in [line.get_label() for line in axes.lines]

    def test_given_axes_are_drawn_into(self, case: Case) -> None:
        from matplotlib.figure import Figure

        own = Figure().subplots()
        assert case.fitted.plot(kind="history", axes=own) is own
        assert own.lines

    def test_labels_inside_the_picture_of_infinite_ends(self, case: Case) -> None:
        few = case.x[:60]
        ends = case.fitted.predict_interval(few, 0.99)
        axes = case.fitted.plot(few, kind="fan", levels=(0.5, 0.99))
        assert np.isfinite(axes.get_ylim()).all()
        assert len(ends) == 60

    def test_refusals(self, case: Case) -> None:
        with pytest.raises(UnknownNameError, match="'violin'"):
            case.fitted.plot(case.x, kind="violin")
        with pytest.raises(InputError, match="needs inputs"):
            case.fitted.plot()
        with pytest.raises(InputError, match="needs the targets"):
            case.fitted.plot(case.x, kind="pit")

    def test_without_matplotlib_the_error_names_the_extra(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(MissingPackageError, match=r"ebmtrack\[eval\]"):
            case.fitted.plot(kind="history")

    def test_importing_costs_no_matplotlib(self) -> None:
        code = "import sys, ebm.pictures; sys.exit('matplotlib' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
