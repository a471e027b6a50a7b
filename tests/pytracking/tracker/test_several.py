"""Several targets in one tracker: the batch against a loop, coming and going, PyTracking's dictionaries."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError, InputError
from pytracking.tracker import make_tracker
from pytracking.tracker.base import Flag, Tracked, Tracker
from pytracking.tracker.first_box import FirstBox
from tests.pytracking.tracker.test_contract import atom_network, atom_params, dimp_params, network

BOXES = {1: (60.0, 80.0, 30.0, 36.0), "car": (180.0, 120.0, 24.0, 20.0), 7: (240.0, 40.0, 40.0, 30.0)}
COLOURS = {1: (220, 60, 40), "car": (30, 200, 60), 7: (240, 230, 60)}
STEPS = {1: (3, 1), "car": (-2, 1), 7: (-1, 2)}
CLOSE = 1e-3  # px


def frame(time: int) -> np.ndarray:
    """Three cards, each on a way of its own, over a grainy background, ``[240, 320, 3]``."""
    image = 90 + np.random.default_rng(1).integers(0, 40, (240, 320, 3), dtype=np.uint8)
    for target, (x, y, w, h) in BOXES.items():
        left, top = int(x) + STEPS[target][0] * time, int(y) + STEPS[target][1] * time
        image[top : top + int(h), left : left + int(w)] = COLOURS[target]
        image[top + 4 : top + 12, left + 4 : left + 14] = (20, 40, 230)
    return image


def build(name: str, **options: object) -> Tracker:
    changes = options.pop("changes", {})
    if name == "first_box":
        return FirstBox()
    if name == "atom":
        params = atom_params(init_cg_iter=12, **changes)
        return make_tracker(name, params, network=atom_network(), device="cpu", **options)
    return make_tracker("dimp", dimp_params(**changes), network=network(), device="cpu", **options)


def largest_difference(tracker: Tracker, single: Tracker, frames: int = 4) -> float:
    """Between all targets at once and one after the other, px."""
    tracker.initialize(frame(0), BOXES)
    together = [tracker.track(frame(t)) for t in range(1, frames + 1)]
    assert [list(found) for found in together] == [list(BOXES)] * frames
    worst = 0.0
    for target, box in BOXES.items():
        single.initialize(frame(0), box)
        for t in range(1, frames + 1):
            alone = single.track(frame(t))
            assert together[t - 1][target].flag is alone.flag
            # ATOM's conjugate gradients amplify what a batch rounds otherwise, on random features most of all
            assert together[t - 1][target].score == pytest.approx(alone.score, abs=5e-3)
            worst = max(worst, float(np.abs(together[t - 1][target].box - alone.box).max()))
    moved = together[-1][1].box - np.array(BOXES[1])
    assert np.abs(moved).max() > 1, "targets that stay where they were show nothing"
    return worst


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("dimp", {"target_not_found_threshold": -1e9}),
        ("atom", {"target_not_found_threshold": -1e9}),
        ("atom", {"box_refinement_space": "default", "box_refinement_step_decay": 0.5}),
        ("dimp", {"use_iou_net": False, "scale_factors": (0.95, 1.0, 1.05)}),
    ],
    ids=["dimp", "atom", "undo", "scales"],
)
def test_the_batch_equals_a_loop(name: str, changes: dict[str, object]) -> None:
    assert largest_difference(build(name, changes=changes), build(name, changes=changes)) < CLOSE


def test_a_box_branch_that_cannot_be_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytracking.tracker.common.box_ascent.is_foldable", lambda regressor: False)
    changes = {"target_not_found_threshold": -1e9}
    together, alone = (build("dimp", changes=changes) for _ in range(2))
    assert largest_difference(together, alone, frames=2) < CLOSE


def test_one_backbone_call_a_frame_and_one_of_the_box_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = build("dimp", changes={"target_not_found_threshold": -1e9})
    tracker.initialize(frame(0), BOXES)
    net, sizes = tracker.network, []
    for owner, name, measure in (
        (net, "extract_backbone_features", len),
        (net.bb_regressor.conv3_1t, "forward", len),
    ):
        made = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda x, made=made, measure=measure: (sizes.append(measure(x)), made(x))[1]
        )
    tracker.track(frame(1))
    assert sizes == [3, 3]


@pytest.mark.parametrize("name", ["dimp", "first_box"])
def test_targets_come_and_go(name: str) -> None:
    tracker = build(name)
    first = tracker.initialize(frame(0), {1: BOXES[1]})
    np.testing.assert_array_equal(first[1].box, BOXES[1])
    assert (first[1].score, first[1].state) == (1.0, "ok")
    tracker.track(frame(1))
    added = tracker.add("car", np.array(BOXES["car"]) + (-2, 1, 0, 0))
    assert isinstance(added, Tracked)
    assert list(tracker.track(frame(2))) == [1, "car"]
    late = build(name)
    late.initialize(frame(1), np.array(BOXES["car"]) + (-2, 1, 0, 0))
    late.track(frame(2))
    np.testing.assert_allclose(
        tracker.track(frame(3))["car"].box, late.track(frame(3)).box, rtol=0, atol=CLOSE
    )
    tracker.remove(1)
    assert list(tracker.track(frame(4))) == ["car"]
    tracker.remove("car")
    assert tracker.track(frame(5)) == {}
    assert dict(tracker.targets) == {}
    tracker.add(7, BOXES[7], image=frame(0))
    assert list(tracker.track(frame(0))) == [7]


def test_a_tracker_may_begin_without_any_target() -> None:
    tracker = FirstBox()
    assert tracker.initialize(frame(0), {}) == {}
    assert tracker.track(frame(1)) == {}
    tracker.add(1, BOXES[1])
    assert list(tracker.track(frame(2))) == [1]


def test_what_cannot_be_done_is_said_in_words() -> None:
    tracker = FirstBox()
    with pytest.raises(InputError, match="start the tracker first"):
        tracker.add(1, BOXES[1])
    with pytest.raises(InputError, match="no target yet"):
        tracker.reset(BOXES[1])
    tracker.initialize(frame(0), {1: BOXES[1], 7: BOXES[7]})
    with pytest.raises(InputError, match="target 7 already.*In use: 1, 7"):
        tracker.add(7, BOXES[7])
    with pytest.raises(InputError, match="no target 3. There are: 1, 7"):
        tracker.remove(3)
    with pytest.raises(InputError, match="no target 3"):
        tracker.reset(BOXES[1], target=3)
    with pytest.raises(InputError, match="Say which target"):
        tracker.reset(BOXES[1])
    with pytest.raises(DomainError, match="Target 'x': .*no area"):
        tracker.add("x", (1, 2, 0, 4))
    with pytest.raises(DomainError, match="Target 'b': .*outside"):
        tracker.initialize(frame(0), {"a": BOXES[1], "b": (900, 10, 5, 5)})
    assert list(tracker.track(frame(1))) == [1, 7], "a start that was refused changes nothing"
    tracker.remove(1)
    tracker.remove(7)
    with pytest.raises(InputError, match="There is none at present"):
        tracker.remove(7)
    tracker.initialize(frame(0), BOXES[1])
    with pytest.raises(InputError, match="started with one box"):
        tracker.add(2, BOXES[7])
    with pytest.raises(InputError, match="has no id"):
        tracker.reset(BOXES[1], target=1)


@pytest.mark.parametrize("name", ["atom", "dimp"])
def test_reset_with_memory_keeps_what_was_learnt(name: str) -> None:
    tracker = build(name, changes={"use_iou_net": False})
    tracker.initialize(frame(0), BOXES[1])
    for t in range(1, 4):
        tracker.track(frame(t))
    tracker.reset((180, 30, 30, 36))  # a wrong place
    assert np.abs(tracker.track(frame(4)).box[:2] - (72, 84)).max() > 30
    learnt, samples = tracker.classifier._filter, tracker.classifier.memory.weights.count
    there = tracker.reset((72, 84, 30, 36))
    np.testing.assert_array_equal(there.box, (72, 84, 30, 36))
    assert tracker.classifier.memory.weights.count == samples > 3
    assert tracker.classifier._filter is learnt
    found = tracker.track(frame(5))
    assert np.abs(found.box[:2] - (75, 85)).max() < 12
    np.testing.assert_allclose(found.box[2:], (30, 36))


def test_reset_without_memory_is_a_new_start() -> None:
    tracker, fresh = build("dimp"), build("dimp")
    tracker.initialize(frame(0), {"a": BOXES[1], "b": BOXES[7]})
    tracker.track(frame(1))
    tracker.reset((66, 82, 30, 36), keep_memory=False, target="a", image=frame(2))
    fresh.initialize(frame(2), (66, 82, 30, 36))
    np.testing.assert_allclose(
        tracker.track(frame(3))["a"].box, fresh.track(frame(3)).box, rtol=0, atol=CLOSE
    )


def test_the_density_of_a_target_among_others_is_its_own() -> None:
    tracker, alone = build("dimp"), build("dimp")
    tracker.initialize(frame(0), BOXES)
    alone.initialize(frame(0), BOXES["car"])
    many, one = tracker.track(frame(1)), alone.track(frame(1))
    assert many["car"].density.confidence == pytest.approx(one.density.confidence, abs=1e-3)
    np.testing.assert_allclose(many["car"].density.mode_box, one.density.mode_box, rtol=0, atol=0.02)
    tracker.remove(7)
    with pytest.raises(InputError, match="until the next frame"):
        _ = many[7].density


def test_covariances_of_several_targets() -> None:
    tracker, alone = (build("dimp", with_covariance=True) for _ in range(2))
    tracker.initialize(frame(0), BOXES)
    alone.initialize(frame(0), BOXES[7])
    many, one = tracker.track(frame(1)), alone.track(frame(1))
    assert one.covariance is not None
    np.testing.assert_allclose(many[7].covariance, one.covariance, rtol=1e-2, atol=1e-3)


def test_a_lost_target_among_found_ones_keeps_its_box() -> None:
    tracker = build("dimp", changes={"target_not_found_threshold": -1e9})
    tracker.initialize(frame(0), BOXES)
    lost = tracker.targets["car"]
    lost.params = replace(lost.params, target_not_found_threshold=1e9)
    found = tracker.track(frame(1))
    assert [each.flag is Flag.NOT_FOUND for each in found.values()] == [False, True, False]
    np.testing.assert_allclose(found["car"].box, BOXES["car"])


def test_pytrackings_dictionaries_of_one_object() -> None:
    tracker, plain = build("dimp"), build("dimp")
    started = tracker.initialize(frame(0), {"init_bbox": list(BOXES[1]), "object_ids": [1]})
    assert started["time"] > 0
    plain.initialize(frame(0), BOXES[1])
    out, expected = tracker.track(frame(1), {"previous_output": {}}), plain.track(frame(1))
    assert out["target_bbox"] == expected.box.tolist()
    assert out["object_presence_score"] == expected.score
    assert out["time"] > 0


def test_pytrackings_dictionaries_of_several_objects() -> None:
    tracker = FirstBox()
    assert tracker.multiobj_mode == "default"
    tracker.initialize(
        frame(0),
        {
            "init_bbox": {1: [10, 10, 20, 20]},
            "init_object_ids": [1],
            "object_ids": [1],
            "sequence_object_ids": [1, 2],
        },
    )
    out = tracker.track(frame(1), {"previous_output": {}})
    assert dict(out["target_bbox"]) == {1: [10, 10, 20, 20]}
    out = tracker.track(frame(2), {"init_object_ids": [2], "init_bbox": {2: [50, 60, 20, 20]}})
    assert dict(out["target_bbox"]) == {1: [10, 10, 20, 20], 2: [50, 60, 20, 20]}
    assert list(out["time"]) == list(out["object_presence_score"]) == [1, 2]
    # its reset: no objects, and new ones by and by
    tracker.initialize(frame(3), {"init_bbox": {}, "init_object_ids": [], "object_ids": []})
    assert dict(tracker.track(frame(4))["target_bbox"]) == {}


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"init_mask": np.ones((4, 4))}, "no init_bbox"),
        ({"init_bbox": {1: [1, 2, 3, 4]}, "init_object_ids": [1, 2]}, "no box of object 2"),
        ({"init_bbox": {1: [1, 2, 3, 4]}, "init_object_ids": [1, 1]}, "1 more than once"),
    ],
)
def test_dictionaries_that_lack_something(info: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        FirstBox().initialize(frame(0), info)


def test_objects_that_cannot_begin() -> None:
    tracker = FirstBox()
    tracker.initialize(frame(0), {"init_bbox": {1: [1, 2, 3, 4]}})
    with pytest.raises(InputError, match="Object 1 begins.*already"):
        tracker.track(frame(1), {"init_object_ids": [1], "init_bbox": {1: [1, 2, 3, 4]}})
    with pytest.raises(InputError, match="must be {id: box}"):
        tracker.track(frame(1), {"init_object_ids": [2], "init_bbox": [1, 2, 3, 4]})


def test_targets_go_on_in_a_callers_inference_mode() -> None:
    tracker = build("dimp")
    with torch.inference_mode():
        tracker.initialize(frame(0), BOXES)
        assert len(tracker.track(frame(1))) == 3
