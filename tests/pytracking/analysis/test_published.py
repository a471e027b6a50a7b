"""Published figures stand beside measured ones, marked."""

import numpy as np

from pytracking.analysis.extract import evaluate
from pytracking.analysis.published import published, with_published
from pytracking.analysis.scores import SCORES
from pytracking.analysis.sources import FirstBoxSource
from pytracking.analysis.tables import format_table, score_table
from pytracking.evaluation.datasets import BENCHMARKS
from tests.pytracking.analysis.image_free import without_images

BOXES = np.tile((10.0, 10, 20, 20), (3, 1))


def test_rows_are_of_known_datasets_and_scores() -> None:
    assert {row.dataset for row in published()} <= set(BENCHMARKS)
    assert all(set(row.scores) <= set(SCORES) for row in published())
    assert all(0 < value < 100 for row in published() for value in row.scores.values())
    ours = {row.dataset: row.scores["auc"] for row in published() if row.tracker == "DiMP-NCE+"}
    assert ours == {"lasot": 63.7, "uav": 67.2, "nfs": 65.0, "otb": 70.7, "trackingnet": 78.7}


def test_published_rows_say_that_they_are() -> None:
    evaluation = evaluate([without_images("Deer", "otb", BOXES)], [FirstBoxSource()])
    table = with_published(score_table(evaluation), evaluation)
    assert table.rows[0][0] == "first_box"
    assert table.rows[1] == ("DiMP-NCE+ (published [1])", "70.7", "-", "-", "-", "-")
    assert "not measured here: [1] Gustafsson et al., BMVC 2020" in format_table(table)


def test_a_dataset_without_published_figures() -> None:
    evaluation = evaluate([without_images("a", "folder", BOXES)], [FirstBoxSource()])
    table = with_published(score_table(evaluation), evaluation)
    assert len(table.rows) == 1
    assert "No published figures" in table.notes[-1]
