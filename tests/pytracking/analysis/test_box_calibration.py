"""Calibration of densities over boxes, on records whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError
from pytracking.analysis.box_calibration import (
    TEMPERATURES,
    UNIT,
    BoxRecords,
    confidence_bins,
    discrimination,
    record_densities,
)
from pytracking.analysis.box_calibration_report import Factors, draw_calibration, record_curves, table_of
from pytracking.evaluation.data import Sequence
from tests.pytracking.tracker.test_contract import BOX, build, dimp_params, frame

K = len(TEMPERATURES)


def chi2_rank(r2: np.ndarray, temperature: float) -> np.ndarray:
    """Mass of a Gaussian in four dimensions within a squared distance, in deviations of temperature 1."""
    half = r2 / (2 * temperature)
    return 1 - np.exp(-half) * (1 + half)


def gaussian_records(spread: float, count: int = 4000, seed: int = 0) -> BoxRecords:
    """What a Gaussian density says about boxes that scatter `spread` times as wide as it claims."""
    rng = np.random.default_rng(seed)
    r2 = spread**2 * rng.normal(size=(count, 4)).__pow__(2).sum(1)
    rank = np.stack([chi2_rank(r2, t) for t in TEMPERATURES], 1)
    log_prob = np.stack([-r2 / (2 * t) - 2 * math.log(2 * math.pi * t) for t in TEMPERATURES], 1)
    presence = rng.uniform(size=count)
    iou = np.where(rng.uniform(size=count) < np.sqrt(presence), 0.8, 0.2)  # right as often as the root says
    return BoxRecords(
        sequence=["a"] * (count // 2) + ["b"] * (count - count // 2),
        frame=np.arange(count),
        present=np.ones(count, dtype=bool),
        iou=iou,
        lost=np.zeros(count, dtype=bool),
        presence=presence,
        log_prob=log_prob,
        rank=rank,
        overlap=np.ones((count, K)),
    )


def test_an_honest_density_covers_what_it_says() -> None:
    records = gaussian_records(1.0)
    found = records.coverage()
    np.testing.assert_allclose(found.observed, found.levels, atol=0.025)
    assert records.best_temperature() == 1.0
    expected = -2 - 2 * math.log(2 * math.pi)  # minus the entropy of four standard normal numbers
    assert records.mean_log_prob() == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("spread", "temperature"), [(math.sqrt(2), 2.0), (math.sqrt(0.5), 0.5)])
def test_the_temperature_of_a_density_that_is_too_narrow_or_wide(spread: float, temperature: float) -> None:
    records = gaussian_records(spread)
    before = records.coverage()
    assert (float(before.observed[9]) < 0.5) == (spread > 1)
    assert records.best_temperature() == temperature
    after = records.coverage(temperature)
    np.testing.assert_allclose(after.observed, after.levels, atol=0.025)


def test_the_power_of_a_score_whose_root_is_the_probability() -> None:
    records = gaussian_records(1.0, count=20_000)
    assert records.best_power(1.0) == 0.5
    before, after = (confidence_bins(records.confidence(1.0, p), records.good) for p in (1.0, 0.5))
    assert after[1] < 0.02 < 0.1 < before[1]
    np.testing.assert_allclose(after[0][:, 0], after[0][:, 1], atol=0.05)
    assert after[0][:, 2].sum() == 20_000


def test_boxes_out_of_reach_are_in_no_region() -> None:
    records = gaussian_records(1.0, count=100)
    log_prob = records.log_prob.copy()
    log_prob[:40] = -np.inf
    records = replace(records, log_prob=log_prob)
    assert records.coverage().count == 60
    every = records.coverage(reached=False)
    assert every.count == 100
    assert float(every.observed[-1]) <= 0.6
    nowhere = replace(records, log_prob=np.full((100, K), -np.inf))
    with pytest.raises(DomainError, match="reach"):
        nowhere.best_temperature()
    with pytest.raises(DomainError, match="TEMPERATURES"):
        records.coverage(1.1)


def test_discrimination_is_the_area_under_the_curve() -> None:
    score, right = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    assert discrimination(score, right) == 0.75
    assert discrimination(np.full(4, 0.5), right) == 0.5
    assert math.isnan(discrimination(score, np.ones(4, dtype=bool)))


def test_report_table_and_plot() -> None:
    records = gaussian_records(math.sqrt(2), count=400)
    present = np.arange(400) >= 40
    records = replace(records, present=present, lost=np.arange(400) < 60)
    text = table_of(records, [Factors(), Factors(2.0, 0.5)])
    assert "400 of 2 sequences, 360 with a target" in text
    assert "T x 2, score^0.5" in text
    f_score = text.split("F-score of 'lost'")[1].split()[0]
    assert float(f_score) == pytest.approx(2 * 40 / 100)
    figure = draw_calibration(records, Factors(2.0, 0.5))
    assert len(figure.axes) == 2
    assert len(draw_calibration(records).axes) == 2
    curves = record_curves(records)
    assert set(curves["sequence"]) == {0.0, 1.0}
    np.testing.assert_array_equal(curves["rank"], records.rank[:, UNIT])


def sequence(tmp_path, frames: int = 6) -> Sequence:
    truth = np.array([[BOX[0] + 3 * t, BOX[1] + t, *BOX[2:]] for t in range(frames)])
    truth[4] = np.nan
    paths = []
    for number in range(frames):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].touch()
    return Sequence(name="card", dataset="x", frames=tuple(paths), ground_truth=truth)


@pytest.mark.filterwarnings("ignore::ebm.exceptions.EffectiveSampleSizeWarning")
def test_densities_are_recorded_every_few_frames(tmp_path) -> None:
    card, seen = sequence(tmp_path), []
    params = dimp_params(density_samples=64)
    records = record_densities(
        lambda _: build("dimp", params=params),
        [card, card],
        lambda _, number: frame(number),
        stride=2,
        on_frame=lambda: seen.append(1),
    )
    assert records.frame.tolist() == [2, 4, 2, 4]
    assert records.present.tolist() == [True, False, True, False]
    assert len(seen) == 12
    assert np.isnan(records.log_prob[1]).all()
    assert np.isfinite(records.overlap).all()
    np.testing.assert_array_equal(records.log_prob[0], records.log_prob[2])
    with pytest.raises(InputError, match="no energy"):
        record_densities(lambda _: build("first_box"), [card], lambda _, n: frame(n), stride=2)
