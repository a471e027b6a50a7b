"""The comparison of two tracks of every parameter set."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from pytracking.parameter import parameter_names


@pytest.fixture
def script(beside_the_scripts: None) -> Any:
    return importlib.import_module("same_tracks")


def test_all_sets_of_both_trackers_are_meant(script: Any) -> None:
    pairs = list(script.sets(None))
    assert len(pairs) == len(parameter_names("atom")) + len(parameter_names("dimp"))
    assert list(script.sets(["default"])) == [("atom", "default")]


def test_two_tracks_are_compared_and_rows_are_kept(
    script: Any, test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = script.compared("dimp", "nce_plus_small", test_data / "otb" / "Crossing", 3)
    assert row.identical == "yes"
    assert row.threshold == "none"  # every frame is lost otherwise
    assert row.last_box != "205.00 151.00 17.00 50.00"
    assert "lost" not in row.states
    assert row.frames == 3
    file = tmp_path / "rows.csv"
    script.write([row], file)
    assert script.known_rows(file, 3) == [row]
    assert script.known_rows(file, 60) == []


def test_a_difference_is_told(script: Any, test_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = script.tracked

    def shifted(*args: Any) -> Any:
        boxes, states = plain(*args)
        return boxes + (1e-9 if args[-1] == 2 else 0.0), states

    monkeypatch.setattr(script, "tracked", shifted)
    assert script.compared("dimp", "nce_plus_small", test_data / "otb" / "Deer", 3).identical == "NO"
