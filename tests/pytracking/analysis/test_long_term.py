"""Precision, recall and F-score that can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from pytracking.analysis.long_term import long_term, long_term_of, long_term_table
from pytracking.analysis.protocols import protocol_for
from pytracking.analysis.scoring import sequence_errors
from pytracking.analysis.sources import FolderSource
from pytracking.evaluation.results import ResultFolder
from tests.pytracking.analysis.image_free import without_images

BOX = (10.0, 10, 20, 20)
TRUTH = np.tile(BOX, (5, 1))
TRACK = TRUTH + np.array([0, 0, 10, 500, 0])[:, None] * (1, 0, 0, 0)  # IoU 1, 1, 1/3, 0, 1
VISIBLE = np.array([True, True, True, False, True])


def test_five_frames() -> None:
    errors = sequence_errors(TRACK, TRUTH, protocol_for("default", "lasot"), VISIBLE)
    sure = np.array([0.9, 0.8, 0.5, 0.1, 0.9])
    found = long_term(errors, sure)
    np.testing.assert_allclose(found.precision, [1, 1, 1, 1, (3 + 1 / 3) / 4, (3 + 1 / 3) / 5])
    np.testing.assert_allclose(found.recall, [0, 0.25, 0.5, 0.75, (3 + 1 / 3) / 4, (3 + 1 / 3) / 4])
    assert found.best == 3  # precision 1, recall 3/4 beat 5/6 twice
    assert found.f_score == pytest.approx(2 * 0.75 / 1.75)
    assert found.threshold == 0.8


def test_without_confidences_every_frame_is_reported() -> None:
    errors = sequence_errors(TRACK, TRUTH, protocol_for("default", "lasot"), VISIBLE)
    found = long_term(errors)
    assert found.best == 5
    assert found.precision[5] == pytest.approx((3 + 1 / 3) / 5)
    assert found.recall[5] == pytest.approx((3 + 1 / 3) / 4)


@pytest.mark.parametrize(
    ("suffix", "text", "scored"),
    [
        ("_object_presence_scores", "0.9\n0.8\n0.5\n0.1\n0.9\n", True),
        ("_scores", "0.9\tok\n0.8\tok\n0.5\tuncertain\n0.1\tlost\n0.9\tok\n", True),
        ("_object_presence_scores", "1.000000\n", False),  # what PyTracking leaves of ATOM and DiMP
        ("_scores", "x\n" * 5, False),
    ],
)
def test_confidences_beside_the_boxes(tmp_path: Path, suffix: str, text: str, scored: bool) -> None:
    np.savetxt(tmp_path / "a-1.txt", TRACK, delimiter="\t")
    (tmp_path / f"a-1{suffix}.txt").write_text(text)
    sequence = without_images("a-1", "lasot", TRUTH, VISIBLE)
    found = long_term_of([sequence], FolderSource("x", ResultFolder(tmp_path)), "default")
    assert found.scored is scored
    table = long_term_table("LaSOT", [("x", found)])
    assert table.rows[0][-1] == ("0.800" if scored else "-")
