"""Intervals and sets: what the density says, and what a calibration guarantees."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ebm
from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError
from ebm.fitting.conformal import LEVELS, Calibration, Scores


def two_branches(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """y is x or -x, so that sets are two intervals away from x = 0; noise grows with x."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 2, (count, 1))
    sign = rng.choice((-1.0, 1.0), count)
    return x, sign * (1 + x[:, 0]) + (0.05 + 0.1 * x[:, 0]) * rng.standard_normal(count)


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    """Stopped far too early: its densities are much too wide."""
    return ebm.fit(*two_branches(200, 0), epochs=3, hidden=(16,), progress=False)


@pytest.fixture(scope="module")
def several() -> ebm.FittedEBM:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (150, 1))
    return ebm.fit(x, x + 0.2 * rng.standard_normal((150, 2)), epochs=3, hidden=(8,), progress=False)


def held(ends: Any, y: np.ndarray) -> float:
    return float(((y >= ends[:, 0]) & (y <= ends[:, 1])).mean())


@pytest.mark.parametrize("score", ["rank", "quantile"])
def test_calibrated_intervals_hold_what_they_promise(fitted: ebm.FittedEBM, score: Any) -> None:
    fitted.calibrate(*two_branches(800, 1))
    x, y = two_branches(4000, 2)
    levels = (0.5, 0.8, 0.9, 0.95)
    ends = fitted.predict_interval(x, levels, score=score)
    for k, level in enumerate(levels):
        # The coverage of one calibration set varies: Beta(720, 81) for 90 % of 800 rows has sd 0.011.
        assert held(ends[:, k], y) == pytest.approx(level, abs=0.055)
        alone = fitted.predict_interval(x[:512], level, score=score)  # the same rows at a time: the same bits
        np.testing.assert_array_equal(alone, ends[:512, k])
    assert abs(held(fitted.predict_interval(x, 0.5, calibrated=False), y) - 0.5) > 0.1  # as it was


@pytest.mark.parametrize("score", ["rank", "log-density"])
def test_calibrated_sets_hold_what_they_promise_and_are_disjoint(fitted: ebm.FittedEBM, score: Any) -> None:
    fitted.calibrate(*two_branches(800, 1))
    x, y = two_branches(3000, 2)
    sets = fitted.predict_set(x, 0.8, score=score)
    inside = [bool(((t >= runs[:, 0]) & (t <= runs[:, 1])).any()) for runs, t in zip(sets, y, strict=True)]
    assert np.mean(inside) == pytest.approx(0.8, abs=0.04)
    # The same sets, asked another way; the two see the border of a cell differently.
    assert np.mean(np.array(inside) == fitted.contains(x, y, 0.8, score=score)) > 0.995
    assert all((runs[1:, 0] > runs[:-1, 1]).all() for runs in sets)


def test_sets_of_two_modes_are_two_intervals() -> None:
    density_of = ebm.fit(*two_branches(600, 0), epochs=40, hidden=(32,), progress=False)
    (runs,) = density_of.predict_set([[1.5]], 0.8)
    assert len(runs) == 2
    np.testing.assert_allclose(runs.mean(1), (-2.5, 2.5), atol=0.15)
    hull = density_of.predict_interval([[1.5]], 0.8, kind="highest-density")
    np.testing.assert_allclose(hull, [[runs[0, 0], runs[1, 1]]])
    tails = density_of.predict_interval([[1.5], [0.5]], [0.5, 0.9], kind="highest-density")
    assert tails.shape == (2, 2, 2)


def test_groups_are_guaranteed_one_by_one(fitted: ebm.FittedEBM) -> None:
    def grouped(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y = two_branches(count, seed)
        far = np.random.default_rng(seed).random(count) < 0.3
        return x, np.where(far, 1.5 * y, y), np.where(far, "far", "near")

    x, y, groups = grouped(1500, 1)
    fitted.calibrate(x, y, within=groups)
    x, y, groups = grouped(4000, 2)
    ends = fitted.predict_interval(x, 0.8, within=groups)
    for name in ("far", "near"):
        assert held(ends[groups == name], y[groups == name]) == pytest.approx(0.8, abs=0.06)
    with pytest.raises(InputError, match="pass within="):
        fitted.predict_interval(x, 0.8)
    with pytest.raises(InputError, match="'odd'"):
        fitted.predict_interval(x[:1], 0.8, within=["odd"])
    with pytest.raises(ShapeError, match="one group per row"):
        fitted.predict_interval(x[:2], 0.8, within=["far"])
    with pytest.raises(InputError, match="whole number"):
        fitted.calibrate(x[:1], y[:1], within=[0.5])
    fitted.calibrate(x, y)
    with pytest.raises(InputError, match="has no groups"):
        fitted.predict_interval(x[:1], within=["far"])


def test_the_earlier_name_of_within_is_refused(fitted: ebm.FittedEBM) -> None:
    x, y = two_branches(12, 1)
    with pytest.raises(InputError, match=r"groups= of calibrate is now within=.* clusters="):
        fitted.calibrate(x, y, groups=[0] * 12)  # type: ignore[call-arg]
    for ask in (fitted.predict_interval, fitted.predict_set):
        with pytest.raises(InputError, match="now within="):
            ask(x, 0.8, groups=[0] * 12)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="contains is now within="):
        fitted.contains(x, y, 0.8, groups=[0] * 12)  # type: ignore[call-arg]


def test_too_few_rows_are_told_with_the_number_needed(fitted: ebm.FittedEBM) -> None:
    x, y = two_branches(12, 1)
    fitted.calibrate(x, y, within=[0] * 8 + [1] * 4)
    fitted.predict_interval(x[:1], 0.8, within=[1])
    with pytest.raises(DomainError, match=r"8 rows .* in group 0 cannot guarantee 0\.9: it takes 9"):
        fitted.predict_interval(x[:1], 0.9, within=[0])
    with pytest.raises(ShapeError, match="got none"):
        fitted.calibrate(x[:0], y[:0])


@given(count=st.integers(1, 40), level=st.sampled_from((0.1, 0.5, 0.8, 0.9, 0.95)))
def test_the_order_statistic(count: int, level: float) -> None:
    """The smallest score that at least (N + 1) level of N + 1 exchangeable ones do not exceed."""
    values = torch.arange(1.0, count + 1).double()
    scores = Scores(rank=values, log_prob=values, pit=values[:, None], outside=values.new_zeros(count, 1, 7))
    calibration = Calibration(scores=scores)
    if count < level * (count + 1) - 1e-9:
        with pytest.raises(DomainError, match="it takes"):
            calibration.threshold(values, level)
    else:
        found = calibration.threshold(values, level).item()
        assert found / (count + 1) >= level - 1e-9
        assert (found - 1) / (count + 1) < level


def test_an_outlier_that_nothing_holds_gives_the_whole_line(fitted: ebm.FittedEBM) -> None:
    x, y = two_branches(19, 1)
    fitted.calibrate(x, np.where(np.arange(19) < 3, 1e6, y))
    assert fitted.predict_interval(x[:1], 0.9).tolist() == [[-math.inf, math.inf]]
    assert fitted.predict_set(x[:1], 0.9)[0].tolist() == [[-math.inf, math.inf]]
    assert np.isfinite(fitted.predict_interval(x[:1], 0.5)).all()
    assert bool(fitted.contains(x[:1], [1e9], 0.9)[0])


def test_several_targets(several: ebm.FittedEBM) -> None:
    rng = np.random.default_rng(1)

    def rows(count: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.uniform(-1, 1, (count, 1))
        return x, x + 0.2 * rng.standard_normal((count, 2))

    several.calibrate(*rows(150))
    x, y = rows(250)
    assert np.mean(several.contains(x, y, 0.9)) == pytest.approx(0.9, abs=0.08)
    ends = several.predict_interval(x, [0.5, 0.9])
    assert ends.shape == (250, 2, 2, 2)
    for d in range(2):
        assert held(ends[:, d, 1], y[:, d]) == pytest.approx(0.9, abs=0.08)
    x, y = x[:5], y[:5]
    with pytest.raises(ShapeError, match=r"contains\(x, y, level\)"):
        several.predict_set(x, 0.9)
    assert several.quantile(x, [0.1, 0.5, 0.9]).shape == (5, 2, 3)
    assert several.crps(x, y).shape == several.cdf(x, y).shape == (5, 2)


def test_questions_agree_with_the_density(fitted: ebm.FittedEBM) -> None:
    x, y = two_branches(700, 3)  # more than one block
    density = fitted.density(x)
    labels = torch.as_tensor(y)[:, None]
    np.testing.assert_allclose(fitted.quantile(x, 0.3), density.quantile(0.3), rtol=1e-6)
    np.testing.assert_allclose(fitted.cdf(x, y), density.cdf(labels[:, 0]), atol=1e-7)
    np.testing.assert_allclose(fitted.crps(x, y), ebm.calibration.crps(density, labels), rtol=1e-5, atol=1e-7)
    observed = fitted.reliability(x, y, [0.5, 0.9])
    expected = ebm.calibration.coverage(density, labels, [0.5, 0.9])
    torch.testing.assert_close(observed.observed, expected.double())
    assert fitted.reliability(x, y, kind="equal-tailed").count == 700


def test_a_calibration_is_saved(fitted: ebm.FittedEBM, tmp_path: Path) -> None:
    x, y = two_branches(60, 1)
    fitted.calibrate(x, y, within=np.arange(60) % 2)
    fitted.save(tmp_path / "a.pt")
    again = ebm.load_fitted(tmp_path / "a.pt")
    ends = fitted.predict_interval(x, 0.8, within=np.arange(60) % 2)
    np.testing.assert_array_equal(again.predict_interval(x, 0.8, within=np.arange(60) % 2), ends)
    broken = {**vars(fitted.calibration.scores), "pit": fitted.calibration.scores.pit[:5]}
    object.__setattr__(fitted.calibration, "scores", Scores(**broken))
    fitted.save(tmp_path / "b.pt")
    with pytest.raises(InputError, match="the calibration's pit"):
        ebm.load_fitted(tmp_path / "b.pt")


def test_a_fit_can_calibrate_on_the_rows_it_holds_out() -> None:
    x, y = two_branches(300, 0)
    options = {"epochs": 3, "hidden": (8,), "progress": False, "validation": 0.3, "calibrate": True}
    alone, many = ebm.fit(x, y, **options), ebm.fit(x, y, members=2, **options)
    assert len(alone.calibration.scores.rank) == 90
    assert len(many.calibration.scores.rank) == 180
    x, y = two_branches(2000, 1)
    assert held(alone.predict_interval(x, 0.8), y) == pytest.approx(0.8, abs=0.1)


def test_faults(fitted: ebm.FittedEBM) -> None:
    fitted.calibration = None
    x, y = two_branches(4, 1)
    with pytest.raises(InputError, match="call calibrate"):
        fitted.predict_interval(x, calibrated=True)
    with pytest.raises(InputError, match="call calibrate"):
        fitted.predict_set(x, score="log-density")
    for wrong in ({"kind": "shortest"}, {"score": "best"}):
        with pytest.raises(UnknownNameError):
            fitted.predict_interval(x, **wrong)
    for level in (0, 1, -0.1, [0.5, 1.5], [], math.nan):
        with pytest.raises(DomainError):
            fitted.predict_interval(x, level)
    fitted.calibrate(*two_branches(200, 1))
    with pytest.raises(DomainError, match=f"calibrated at {LEVELS[0]}"):
        fitted.predict_interval(x, 0.42, score="quantile")
    assert fitted.predict_interval(x[:0]).shape == (0, 2)
    assert fitted.predict_interval(x[:0], [0.5, 0.9]).shape == (0, 2, 2)
    assert fitted.predict_interval(x[:0], kind="highest-density").shape == (0, 2)
    assert fitted.predict_set(x[:0]) == []


def test_members_disagree_where_there_are_no_rows_and_the_range_is_told() -> None:
    x, y = two_branches(200, 0)
    with pytest.raises(InputError, match="members=4"):
        ebm.fit(x, np.abs(y), epochs=1, hidden=(4,), progress=False).spread(x)
    many = ebm.fit(x, np.abs(y), epochs=30, hidden=(16,), members=4, progress=False)
    spread = many.spread([[1.0], [9.0]])
    assert spread.share[1] > 3 * spread.share[0]
    np.testing.assert_allclose(spread.share, spread.between / spread.variance)
    assert many.out_of_range([[1.0], [9.0], [-1.0], [x.max()], [x.min()]]).tolist() == [
        *(False, True, True, False, False)
    ]


def test_a_fit_is_scored_and_becomes_a_distribution(fitted: ebm.FittedEBM) -> None:
    x, y = two_branches(40, 5)
    evaluation = fitted.evaluate(x, y, marginal=two_branches(100, 6)[1])
    assert "crps" in evaluation.table().markdown().lower()
    distribution = fitted.distribution(x)
    np.testing.assert_allclose(distribution.log_prob(torch.as_tensor(y)), fitted.log_prob(x, y), rtol=1e-6)
