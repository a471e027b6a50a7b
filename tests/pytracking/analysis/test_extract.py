"""Evaluations: weighting, runs, missing results and hidden truth."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from ebm.exceptions import InputError, UnknownNameError
from pytracking.analysis.extract import evaluate
from pytracking.analysis.sources import FirstBoxSource
from pytracking.evaluation.data import Sequence
from tests.pytracking.analysis.image_free import Unfiled, without_images


@dataclass
class Fixed(Unfiled):
    """A source with the same offset to the truth on every frame."""

    label: str
    shift: float = 0.0
    lacks: tuple[str, ...] = ()
    speed: float | None = None
    asked: list[str] = field(default_factory=list)

    def has(self, sequence: Sequence) -> bool:
        return sequence.name not in self.lacks

    def boxes(self, sequence: Sequence) -> np.ndarray:
        self.asked.append(sequence.name)
        return sequence.ground_truth + (self.shift, 0, 0, 0)

    def fps(self, sequence: Sequence) -> float | None:
        return self.speed


def still(name: str, frames: int, box: tuple[float, ...] = (10, 10, 20, 20)) -> Sequence:
    return without_images(name, "otb", np.tile(np.array(box, dtype=float), (frames, 1)))


def test_a_tracker_off_by_half_its_width() -> None:
    # IoU 1/3 on every frame but the first: success at 7 of 21 thresholds (0 to 0.30), precision from 10 px.
    evaluation = evaluate([still("a", 11)], [Fixed("half", 10.0)])
    tracker = evaluation.trackers[0]
    assert tracker.score("auc").mean == pytest.approx(100 * (10 / 11 * 7 / 21 + 1 / 11 * 20 / 21))
    assert tracker.score("op50").mean == pytest.approx(100 / 11)
    assert tracker.score("precision").mean == 100.0
    assert tracker.score("norm_precision").mean == pytest.approx(100 / 11)  # half a width away
    assert tracker.curve("precision")[9] == pytest.approx(100 / 11)


def test_sequences_weigh_the_same_whatever_their_length() -> None:
    moving = still("moves", 2)
    moving.ground_truth[1, 0] += 1000
    evaluation = evaluate([still("a", 400), moving], [FirstBoxSource()])
    assert evaluation.trackers[0].score("op50").mean == pytest.approx(75.0)


def test_runs_with_one_label_give_mean_and_spread() -> None:
    evaluation = evaluate([still("a", 11)], [Fixed("x", 0.0), Fixed("x", 10.0), Fixed("y")])
    by_label = {tracker.label: tracker for tracker in evaluation.trackers}
    single = [evaluate([still("a", 11)], [Fixed("x", s)]).trackers[0].score("auc").mean for s in (0, 10)]
    assert by_label["x"].score("auc").mean == pytest.approx(np.mean(single))
    assert by_label["x"].score("auc").std == pytest.approx(np.std(single, ddof=1))
    assert by_label["y"].score("auc").std is None
    assert f"{by_label['y'].score('auc'):.2f}" == "95.24"
    assert "±" in f"{by_label['x'].score('auc'):.2f}"


def test_trackers_are_ranked_by_auc() -> None:
    evaluation = evaluate([still("a", 5)], [Fixed("bad", 10), Fixed("good")])
    assert [tracker.label for tracker in evaluation.ranked()] == ["good", "bad"]


def test_a_missing_result_is_an_error_or_left_out_by_name() -> None:
    sequences = [still("a", 3), still("b", 3)]
    partial = Fixed("partial", lacks=("b",))
    with pytest.raises(InputError, match=r"partial has no result of sequence b .*--allow-missing"):
        evaluate(sequences, [Fixed("all"), partial])
    evaluation = evaluate(sequences, [Fixed("all"), partial], allow_missing=True)
    assert evaluation.sequences == ("a",)
    assert evaluation.left_out == ("b",)
    with pytest.raises(InputError, match="no result"):
        evaluate(sequences, [Fixed("none", lacks=("a", "b"))], allow_missing=True)


def test_sequences_whose_truth_is_kept_by_a_server_are_refused() -> None:
    hidden = still("secret", 4)
    hidden.ground_truth[1:] = math.nan
    source = Fixed("x")
    with pytest.raises(InputError, match="secret .*first frame only"):
        evaluate([hidden], [source])
    assert source.asked == []


def test_unknown_rule_suggests_a_near_one() -> None:
    with pytest.raises(UnknownNameError, match="'pytracking'"):
        evaluate([still("a", 3)], [Fixed("x")], rule="pytraking")


def test_frames_that_cannot_be_scored_are_counted() -> None:
    border = still("border", 4)
    border.ground_truth[2, 0] = 0
    evaluation = evaluate([border, still("a", 2)], [Fixed("x"), Fixed("y")])
    assert evaluation.unscored == 1
    assert evaluation.ceiling == pytest.approx(100 * 20 / 21 * (3 / 4 + 1) / 2)
    evaluation = evaluate([border], [Fixed("x")], rule="otb")
    assert evaluation.unscored == 0
    assert evaluation.ceiling == pytest.approx(100 * 20 / 21)


def test_an_absent_target_limits_what_can_be_reached() -> None:
    absent = without_images("absent", "uav", np.tile((5.0, 5, 9, 9), (4, 1)))
    absent.ground_truth[1:3] = math.nan
    evaluation = evaluate([absent], [FirstBoxSource()])
    assert evaluation.unscored == 2
    assert evaluation.ceiling == evaluation.trackers[0].score("auc").mean == pytest.approx(100 * 10 / 21)


def test_speed_is_frames_over_seconds_and_absent_where_nothing_was_timed() -> None:
    evaluation = evaluate([still("a", 10), still("b", 30)], [Fixed("x", speed=20.0), Fixed("y")])
    assert evaluation.trackers[0].fps == pytest.approx(20.0)
    assert evaluation.trackers[1].fps is None


def test_json_holds_curves_and_scores() -> None:
    data = evaluate([still("a", 5)], [Fixed("x")]).to_json()
    assert data["trackers"][0]["scores"]["auc"]["mean"] == pytest.approx(95.238, abs=1e-3)
    assert len(data["trackers"][0]["curves"]["success"]) == len(data["thresholds"]["success"]) == 21
    assert data["protocol"] == "pytracking"
