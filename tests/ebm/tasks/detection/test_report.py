"""Means over seeds and the papers' statements, by hand."""

import math
from typing import Any

import numpy as np
import pytest

from ebm.tasks.detection.claims import claims
from ebm.tasks.detection.report import averaged, means_of, published_table, study_table, sweep_table


def record(method: str, seed: int, ap: float, ap50: float, ap75: float, **more: Any) -> dict[str, Any]:
    scores = {"AP": ap, "AP50": ap50, "AP75": ap75, "AP90": 1.0}
    return {"cell": {"method": method, "seed": seed}, "scores": scores, "images_per_second": 2.0, **more}


ROWS = [
    record("detector", 0, 20.0, 40.0, 18.0),
    record("nce+", 0, 24.0, 41.0, 24.0, seconds_per_iteration=0.5, loss=7.0),
    record("nce+", 1, 26.0, 43.0, 26.0, seconds_per_iteration=0.7, loss=8.0),
    record("nce", 0, 25.5, 42.0, 25.0),
    record("nce", 1, 25.5, 42.0, 25.0),
    record("dsm", 0, 24.0, 40.0, 17.0),
    record("dsm", 1, 28.0, 40.0, 17.0),
]


def test_means_and_standard_errors() -> None:
    means = means_of(ROWS)
    assert means["nce+"]["AP"] == (25.0, pytest.approx(1.0))
    assert means["nce+"]["seconds_per_iteration"][0] == pytest.approx(0.6)
    assert math.isnan(means["detector"]["AP"][1])


def test_the_table_has_gains_and_costs() -> None:
    table = study_table(means_of(ROWS))
    rows = {row[0]: row for row in table.rows}
    assert rows["nce+"] == ("nce+", "25.0 ± 1.0", "42.0 ± 1.0", "25.0 ± 1.0", "1", "+5.00", "0.60", "2.0")
    assert rows["detector"][5:] == ("", "-", "2.0")


def test_what_holds_and_what_does_not() -> None:
    lines = claims(means_of(ROWS))
    assert "holds: nce+ gains more AP75 than AP50 (AP75 +7.00, AP50 +2.00)" in lines
    level = next(line for line in lines if "level with nce" in line)
    assert level.startswith("holds")  # half a point behind, with an error of one
    below = next(
        line
        for line in lines
        if line.endswith("dsm is below the rest (-1.00 AP below the least of nce+, nce)")
    )
    assert below.startswith("does not hold (within two standard errors)")


def test_what_is_further_behind_than_two_errors_is_not_within_them() -> None:
    rows = [record("nce+", seed, 17.0 + seed, 40.0, 25.0) for seed in (0, 2)]
    rows += [record("nce", seed, 21.0 + seed, 40.0, 25.0) for seed in (0, 2)]
    (level,) = (line for line in claims(means_of(rows)) if "level with nce" in line)
    assert level == "does not hold: nce+ is at least level with nce (-4.0 ± 1.4 AP apart)"


def test_other_pictures_widen_errors_and_give_gains_an_interval() -> None:
    """Methods are drawn in pairs: what all have in common does not matter, what differs does."""
    count, rng = 400, np.random.default_rng(0)
    common, own = rng.normal(0, 5, (count, 1)), rng.normal(0, 1, (count, 1))
    records = [row | {"detections": f"{k}"} for k, row in enumerate(ROWS)]
    drawn = {f"{k}": np.full((count, 7), row["scores"]["AP"]) + common for k, row in enumerate(ROWS)}
    for file in ("1", "2"):
        drawn[file] = drawn[file] + own
    means = means_of(records)
    pictures = averaged(records, {file: values / 100 for file, values in drawn.items()})
    assert pictures["nce+"][:, 0] == pytest.approx((25 + common + own)[:, 0])
    cell = next(row[5] for row in study_table(means, pictures).rows if row[0] == "nce+")
    low, high = np.percentile(5 + own, [2.5, 97.5])
    assert cell == f"+5.00 ({low:+.1f} to {high:+.1f})"
    level = next(line for line in claims(means, pictures) if "level with nce" in line)
    error = math.hypot(1.0, own.std())
    assert level.endswith(f"({-0.5:.1f} ± {error:.1f} AP apart)")


def test_the_published_table_is_the_papers() -> None:
    rows = {row[0]: row for row in published_table(["detector", "nce+", "gaussian", "sm"]).rows}
    assert rows["nce+"] == ("nce+", "39.7", "58.7", "42.7", "+2.5")
    assert rows["gaussian"][-1] == "-0.5"
    assert "sm" not in rows


def test_a_sweep_has_a_row_for_each_value() -> None:
    records = [row | {"cell": row["cell"] | {"row": f"nce, {k}"}} for k, row in enumerate(ROWS[3:5])]
    table = sweep_table(means_of(records, "row"), "method.num_samples")
    assert [row[0] for row in table.rows] == ["nce, 0", "nce, 1"]
