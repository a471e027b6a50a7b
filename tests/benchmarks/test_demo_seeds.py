"""The benchmark of the demo's seeds: what its figures are means of."""

import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytracking.demo import untrained


@pytest.fixture
def script(beside_the_scripts: None) -> Any:
    return importlib.import_module("demo_seeds")


def test_states_are_counted_where_there_is_truth_and_not_in_the_first_frame(script: Any) -> None:
    truth = np.array([[0, 0, 10, 10]] * 5 + [[np.nan] * 4, [0, 0, 0, 0]], dtype=float)
    boxes = np.array(
        [[0, 0, 10, 10]] * 2 + [[50, 50, 5, 5], [0, 0, 10, 4]] + [[0, 0, 10, 10]] * 3, dtype=float
    )
    states = ["ok", "ok", "ok", "ok", "lost", "ok", "ok"]
    assert script.state_counts(truth, boxes, states) == (4, 3, 1, 1)


def row(script: Any, tracker: str, sequence: str, seed: int, auc: float) -> Any:
    rates = {"auc": auc, "op50": auc, "op75": auc, "precision": auc}
    counts = {"frames": 10, "ok": 8, "ok_off": 2, "ok_half": 4}
    return script.Row(dataset="otb", sequence=sequence, tracker=tracker, seed=seed, **rates, **counts)


def test_a_figure_is_a_mean_over_sequences_and_its_spread_that_of_seeds(script: Any, tmp_path: Path) -> None:
    values = {("a", 0): 10.0, ("b", 0): 30.0, ("a", 1): 20.0, ("b", 1): 40.0}
    rows = [row(script, "trained", name, seed, auc) for (name, seed), auc in values.items()]
    for tracker in ("untrained", "first box"):
        rows += [row(script, tracker, name, seed, 5.0) for name, seed in values]
    report = "\n".join(script.tables(rows))
    assert "2 sequences, seeds 0, 1" in report
    assert "| trained | 25.0 ± 7.1 |" in report
    assert "| untrained | 5.0 ± 0.0 |" in report
    assert "| first box | 5.0 |" in report
    assert "| a | 10.0 | 20.0 | 5.0 |" in report
    assert "80% of 40 frames are ok; of these 25% miss the target, 50% have" in report
    script.write(rows, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open() as file:
        assert [float(line["auc"]) for line in csv.DictReader(file)][:2] == [10.0, 30.0]


def test_seeds_have_workspaces_of_their_own_and_one_set_of_videos(script: Any, tmp_path: Path) -> None:
    first, second = (script.workspace_of(tmp_path, seed, 4) for seed in (4, 5))
    (first / "generated").mkdir()
    assert (second / "generated").resolve() == first / "generated"
    assert script.workspace_of(tmp_path, 5, 4) == second
    files = [untrained(folder, seed) for folder, seed in ((first, 4), (second, 5), (second, 4))]
    assert files[0].read_bytes() == files[2].read_bytes() != files[1].read_bytes()
