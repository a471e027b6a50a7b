"""The table of all trackers: what its figures are means of, and what it tracks with."""

import csv
import importlib
from pathlib import Path
from typing import Any

import pytest

from ltr.train_settings.recipe import find_recipe
from pytracking.demo import untrained
from pytracking.parameter import find_parameters
from tests.pytracking.evaluation.tiny import write_otb


@pytest.fixture
def script(beside_the_scripts: None) -> Any:
    return importlib.import_module("all_trackers")


def test_every_network_is_that_of_its_parameter_set(script: Any) -> None:
    for network in script.NETWORKS:
        setting = f"{network.module}/{network.setting}"
        assert find_parameters(network.tracker, network.parameter).train_setting == setting
        assert find_recipe(network.module, network.setting).batch_size == 16


def test_figures_are_means_over_the_sequences_of_a_set(script: Any, tmp_path: Path) -> None:
    rows = [
        script.Row("generated", "a", "x", 10.0, 20.0, 30.0),
        script.Row("generated", "b", "x", 30.0, 40.0, 50.0),
        script.Row("generated", "a", "first box", 1.0, 2.0, 3.0),
        script.Row("otb", "c", "x", 7.0, 8.0, 9.04),
        script.Row("otb", "c", "first box", 0.0, 0.0, 0.0),
    ]
    lines = list(script.table(rows))
    assert lines[0].startswith("| | Generated test set, 2 | | | Real sequences (OTB), 1 |")
    assert {line.count("|") for line in lines} == {8}
    assert lines[3] == "| x | 20.0 | 30.0 | 40.0 | 7.0 | 8.0 | 9.0 |"
    script.write(rows, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open() as file:
        assert [row["tracker"] for row in csv.DictReader(file)] == [row.tracker for row in rows]
    script.draw(rows, tmp_path / "auc.png")
    assert (tmp_path / "auc.png").read_bytes().startswith(b"\x89PNG")


def test_tracks_with_what_is_there_and_with_what_was_measured_for_it(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = untrained(tmp_path / "w")
    network = script.NETWORKS[0]
    folder = network.checkpoints(tmp_path)
    folder.mkdir(parents=True)
    weights.rename(folder / "DiMPnet_ep0003.pth.tar")
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / f"{network.setting}.pth.tar").symlink_to(folder / "DiMPnet_ep0003.pth.tar")
    found = list(script.weights_of(tmp_path, None))
    assert [label for label, _, _ in found] == ["DiMP-NCE+", "DiMP-NCE+, measured"]
    assert "PrDiMP: prdimp_small is not trained, left out" in capsys.readouterr().err
    videos = script_videos(tmp_path)
    sources = script.tracked(videos, found[:1], tmp_path / "results", 1)
    rows = list(script.rows_of("otb", videos, sources))
    assert [(row.sequence, row.tracker) for row in rows] == [("Walk", "DiMP-NCE+"), ("Walk", "first box")]
    assert all(0 <= row.auc <= 100 for row in rows)


def script_videos(folder: Path) -> Any:
    from pytracking.evaluation.datasets import open_dataset

    return open_dataset("folder", write_otb(folder / "videos", {"Walk": 3}))
