"""Tracks laid over their frames."""

import numpy as np

from pytracking.analysis.aligned import aligned_tracks, overlap_over_time, shown_truth
from pytracking.analysis.sources import FirstBoxSource
from pytracking.evaluation.data import Sequence
from tests.pytracking.analysis.image_free import Unfiled, without_images

BOX = np.array((10.0, 10, 20, 20))


class Given(Unfiled):
    """Boxes as they are."""

    def __init__(self, label: str, boxes: np.ndarray) -> None:
        self.label, self._boxes = label, boxes

    def has(self, sequence: Sequence) -> bool:
        return True

    def boxes(self, sequence: Sequence) -> np.ndarray:
        return self._boxes

    def fps(self, sequence: Sequence) -> float | None:
        return None


def test_short_and_long_results_get_the_rows_of_the_frames() -> None:
    sequence = without_images("a", "otb", np.tile(BOX, (4, 1)))
    runs = [Given("short", np.tile(BOX, (2, 1))), Given("long", np.tile(BOX, (7, 1))), FirstBoxSource()]
    tracks = aligned_tracks(runs, sequence)
    assert tracks.shape == (3, 4, 4)
    assert np.isnan(tracks[0, 2:]).all()
    assert np.isfinite(tracks[1:]).all()


def test_overlap_is_not_defined_where_there_is_no_target() -> None:
    truth = np.stack([BOX, BOX, (np.nan,) * 4, (5.0, 5, 0, 9), BOX])
    visible = np.array([True, True, True, True, False])
    shown = shown_truth(without_images("a", "otb", truth, visible))
    np.testing.assert_array_equal(np.isfinite(shown[:, 0]), [True, True, False, False, False])
    track = np.stack([BOX, BOX + (10, 0, 0, 0), BOX, BOX, BOX])
    silent = np.full((5, 4), np.nan)
    # Half of each box is shared: 200 of 600 px.
    expected = [[1.0, 1 / 3, np.nan, np.nan, np.nan], [0.0, 0.0, np.nan, np.nan, np.nan]]
    np.testing.assert_allclose(overlap_over_time(np.stack([track, silent]), shown), expected)
