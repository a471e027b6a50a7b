"""Scores by the benchmarks' attributes, as a table, bars and a radar."""

from pathlib import Path

import numpy as np
import pytest

from pytracking.analysis.attribute_plots import draw_bars, draw_radar
from pytracking.analysis.attributes import attribute_scores, attribute_table, attributes_of
from pytracking.analysis.extract import Evaluation, evaluate
from pytracking.analysis.report import save_report
from pytracking.analysis.sources import FirstBoxSource
from pytracking.evaluation.places import official_table
from tests.pytracking.analysis.image_free import without_images
from tests.pytracking.evaluation.tiny import boxes_of


@pytest.mark.parametrize(
    ("tag", "count", "attributes"),
    [("otb", 100, 11), ("otb50", 50, 11), ("uav", 123, 12), ("uav123_10fps", 123, 12), ("lasot", 280, 14)],
)
def test_a_table_has_every_sequence_of_its_benchmark(tag: str, count: int, attributes: int) -> None:
    table = attributes_of(tag)
    assert set(table["sequences"]) == set(official_table(tag))
    assert (len(table["sequences"]), len(table["names"])) == (count, attributes)
    assert {short for row in table["sequences"].values() for short in row.split()} == set(table["names"])
    assert attributes_of("folder") == {}


@pytest.fixture
def evaluation() -> Evaluation:
    """Deer is blurred and fast, Dog1 changes its size; the first box is worse on the longer one."""
    sequences = [
        without_images(name, "otb", boxes_of(frames)) for name, frames in (("Deer", 4), ("Dog1", 12))
    ]
    return evaluate(sequences, [FirstBoxSource(), FirstBoxSource("again", "again")])


def test_a_score_is_the_mean_over_the_sequences_that_have_the_attribute(evaluation: Evaluation) -> None:
    deer, dog = (evaluation.trackers[0].success[0, index].mean() * 100 for index in (0, 1))
    scores = attribute_scores(evaluation)
    assert scores["MB"] == (1, {"first_box": pytest.approx(deer), "again": pytest.approx(deer)})
    assert scores["SV"][1]["first_box"] == pytest.approx(dog)
    assert "OCC" not in scores
    table = attribute_table(evaluation)
    assert table is not None
    assert ("Motion Blur (MB)", "1", f"{deer:.2f}", f"{deer:.2f}") in table.rows
    assert table.rows[-1][:3] == ("all", "2", f"{np.mean([deer, dog]):.2f}")


def test_bars_and_radar_show_every_attribute(evaluation: Evaluation, tmp_path: Path) -> None:
    names = list(attribute_scores(evaluation))
    bars = draw_bars(evaluation).axes[0]
    wanted = [f"{name}\n({count})" for name, (count, _) in attribute_scores(evaluation).items()]
    assert [label.get_text() for label in bars.get_xticklabels()] == wanted
    assert len(bars.patches) == 2 * len(names)
    radar = draw_radar(evaluation).axes[0]
    assert [label.get_text() for label in radar.get_xticklabels()] == names
    low, high = radar.get_ylim()
    scores = [value for _, of in attribute_scores(evaluation).values() for value in of.values()]
    assert low < min(scores) < max(scores) < high
    assert f"{low:g} at the centre" in radar.get_title()
    files, why = save_report(evaluation, tmp_path)
    assert why is None
    assert {"attributes.csv", "attribute_bars.pdf", "attribute_radar.png"} <= {path.name for path in files}
    assert all(path.stat().st_size > 50 for path in files)
