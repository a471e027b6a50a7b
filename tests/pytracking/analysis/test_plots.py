"""Plots and the files beside them."""

import builtins
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebm.exceptions import MissingPackageError, UnknownNameError
from pytracking.analysis.extract import Evaluation, evaluate
from pytracking.analysis.plots import PLOTS, draw_plot, save_curves, save_plots
from pytracking.analysis.report import save_report
from pytracking.analysis.sources import FirstBoxSource
from pytracking.evaluation.data import Sequence
from tests.pytracking.analysis.image_free import Unfiled, without_images
from tests.pytracking.evaluation.tiny import boxes_of


class Shifted(Unfiled):
    """A tracker that is always off by a number of pixels."""

    def __init__(self, label: str, shift: float) -> None:
        self.label, self.shift = label, shift

    def has(self, sequence: Sequence) -> bool:
        return True

    def boxes(self, sequence: Sequence) -> np.ndarray:
        return sequence.ground_truth + (self.shift, 0, 0, 0)

    def fps(self, sequence: Sequence) -> float | None:
        return None


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    sequences = [without_images(name, "otb", boxes_of(20)) for name in "ab"]
    return evaluate(sequences, [FirstBoxSource(), Shifted("near", 1), Shifted("far", 8)])


@pytest.mark.parametrize("kind", PLOTS)
def test_curves_are_sorted_in_the_legend_with_their_scores(evaluation: Evaluation, kind: str) -> None:
    pytest.importorskip("matplotlib")
    axes = draw_plot(evaluation, kind).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    scores = [float(text.get_text().rpartition("[")[2].rstrip("]")) for text in legend.get_texts()]
    assert scores == sorted(scores, reverse=True)
    assert legend.get_texts()[0].get_text().startswith("near [")
    drawn = np.asarray(axes.lines[0].get_ydata())
    best = next(tracker for tracker in evaluation.trackers if tracker.label == "near")
    np.testing.assert_allclose(drawn, best.curve(PLOTS[kind].curve))
    assert axes.get_ylim() == (0, 100)


def test_a_tracker_keeps_its_colour_from_plot_to_plot(evaluation: Evaluation) -> None:
    pytest.importorskip("matplotlib")
    colours = []
    for kind in PLOTS:
        lines = draw_plot(evaluation, kind).axes[0].lines
        colours.append({str(line.get_label()).split(" [")[0]: line.get_color() for line in lines})
    assert colours[0] == colours[1] == colours[2]
    assert len(set(colours[0].values())) == 3


def test_many_trackers_are_told_apart() -> None:
    pytest.importorskip("matplotlib")
    sources = [Shifted(f"t{k:02d}", k / 4) for k in range(30)]
    figure = draw_plot(evaluate([without_images("a", "otb", boxes_of(9))], sources))
    looks = {(line.get_color(), str(line.get_linestyle())) for line in figure.axes[0].lines}
    assert len(looks) >= 25
    assert len(figure.legends[0].get_texts()) == 30


def test_png_and_pdf_are_written_and_equal_results_give_equal_files(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    files = save_plots(evaluation, tmp_path / "one")
    files = [file for file in files if file.suffix != ".tex"]  # where matplot2tikz is installed
    assert {file.suffix for file in files} == {".png", ".pdf"}
    assert len(files) == 2 * len(PLOTS)
    for file in files:
        start = file.read_bytes()[:5]
        assert start == (b"%PDF-" if file.suffix == ".pdf" else b"\x89PNG\r")
    again = save_plots(evaluation, tmp_path / "two")
    assert [file.read_bytes() for file in files] == [
        file.read_bytes() for file in again if file.suffix != ".tex"
    ]


def test_curves_are_written_as_json_and_csv(evaluation: Evaluation, tmp_path: Path) -> None:
    save_curves(evaluation, tmp_path)
    data = json.loads((tmp_path / "evaluation.json").read_text())
    by_label = {tracker["label"]: tracker for tracker in data["trackers"]}
    rows = list(csv.reader((tmp_path / "success_curves.csv").read_text().splitlines()))
    assert rows[0] == ["threshold", "near", "far", "first_box"]
    assert len(rows) == 22
    near = [float(row[1]) for row in rows[1:]]
    np.testing.assert_allclose(near, by_label["near"]["curves"]["success"], atol=5e-5)


def test_unknown_kind(evaluation: Evaluation) -> None:
    with pytest.raises(UnknownNameError, match="success"):
        draw_plot(evaluation, "succes")


def test_without_matplotlib_everything_else_is_written(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingPackageError, match=r"ebmtrack\[eval\]"):
        draw_plot(evaluation)
    files, note = save_report(evaluation, tmp_path)
    assert note is not None
    assert "matplotlib" in note
    names = {file.name for file in files}
    assert {"scores.txt", "scores.tex", "scores.md", "scores.csv", "per_sequence.csv"} <= names
    assert {"evaluation.json", "success_curves.csv"} <= names


def test_labels_are_names_whatever_their_characters(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    labels = ["_old", "a$b_$", "50%"]
    sequences = [without_images("a", "otb", boxes_of(20))]
    evaluation = evaluate(sequences, [Shifted(label, number) for number, label in enumerate(labels)])
    assert len(save_plots(evaluation, tmp_path, ("success",))) >= 2
    legend = draw_plot(evaluation).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text().partition(" [")[0] for text in legend.get_texts()] == labels
