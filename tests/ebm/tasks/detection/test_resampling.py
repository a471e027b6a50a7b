"""Scores on pictures drawn again: those of sets that hold them as often, and paired between results."""

import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.matching import matched_categories
from ebm.tasks.detection.resampling import interval, resampled_scores
from ebm.tasks.detection.results_file import Detections
from ebm.tasks.detection.scoring import COLUMNS, column_values, score_detections
from tests.ebm.tasks.detection.sets import drawn, image_of, set_of

pytest.importorskip("faster_coco_eval")
Found = dict[int, Detections]


def repeated(truth: DetectionSet, found: Found, times: np.ndarray) -> tuple[DetectionSet, Found]:
    """The set that has every picture so often, each time under a name of its own."""
    places = np.repeat(np.arange(len(truth)), times)
    old = [truth.images[place] for place in places]
    images = [image_of(k, one.boxes, one.labels, crowd=one.crowd) for k, one in enumerate(old)]
    return set_of(*images, names=truth.names), {k: found[one.image_id] for k, one in enumerate(old)}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_drawn_set_scores_as_one_of_copies(seed: int) -> None:
    truth, found = drawn(seed)
    rng = np.random.default_rng(seed)
    times = np.bincount(rng.integers(0, len(truth), 2 * len(truth)), minlength=len(truth))
    expected = score_detections(repeated(truth, found, times)[1], repeated(truth, found, times)[0])
    for label, matched in matched_categories(found, truth, again=True):
        own = column_values(matched.drawn(times))
        assert own == pytest.approx(expected.categories[label].values, nan_ok=True)


def test_every_picture_once_is_the_set_itself() -> None:
    truth, found = drawn(3)
    scores = score_detections(found, truth)
    for label, matched in matched_categories(found, truth, again=True):
        matched.drawn(np.zeros(len(truth), dtype=np.int64))  # what was drawn before leaves no trace
        own = column_values(matched.drawn(np.ones(len(truth), dtype=np.int64)))
        assert own == pytest.approx(scores.categories[label].values, nan_ok=True)
        assert np.isnan(column_values(matched.drawn(np.zeros(len(truth), dtype=np.int64)))["AP"])


def test_results_are_drawn_in_pairs() -> None:
    """The same detections differ by nothing in any draw; better ones are better in nearly all."""
    truth, found = drawn(4)
    right = {
        one.image_id: Detections(one.boxes, np.ones(len(one), dtype=np.float32), one.labels)
        for one in truth.images
    }
    made = resampled_scores({"a": found, "b": dict(found), "right": right}, truth, 50, seed=1)
    assert made["a"].shape == (50, len(COLUMNS))
    assert np.array_equal(made["a"], made["b"], equal_nan=True)
    low, high = interval(made["right"] - made["a"])
    assert (low[:4] > 0).all()
    assert (high >= low)[:4].all()
    again = resampled_scores({"a": found}, truth, 50, seed=1)["a"]
    assert np.array_equal(made["a"], again, equal_nan=True)
    assert not np.array_equal(again, resampled_scores({"a": found}, truth, 50)["a"], equal_nan=True)


def test_the_spread_is_that_of_a_mean() -> None:
    """Pictures with one object each, found or not: AP is the share of those found, but for its 101 steps."""
    count, hits = 200, 120
    images = [image_of(k, [[10.0, 10, 60, 60]], [0]) for k in range(count)]
    truth = set_of(*images, names=("a",))
    box = np.array([[10.0, 10, 60, 60]], dtype=np.float32)
    one = Detections(box, np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int64))
    values = resampled_scores({"a": dict.fromkeys(range(hits), one)}, truth, 400)["a"][:, 0]
    share = hits / count
    assert values.mean() == pytest.approx(share, abs=0.015)
    assert values.std() == pytest.approx((share * (1 - share) / count) ** 0.5, rel=0.2)


def test_a_column_without_objects_has_no_interval() -> None:
    low, high = interval(np.array([[0.5, np.nan], [0.5, np.nan]]))
    assert low[0] == high[0] == 0.5
    assert np.isnan([low[1], high[1]]).all()


def test_what_cannot_be_drawn_is_refused() -> None:
    truth, found = drawn(0)
    with pytest.raises(DomainError, match="draws"):
        resampled_scores({"a": found}, truth, 0)
    with pytest.raises(InputError, match="not in the set"):
        resampled_scores({"a": {99: found[0]}}, truth)
    with pytest.raises(InputError, match="one picture"):
        resampled_scores({"a": {0: found[0]}}, set_of(truth.images[0], names=truth.names))
