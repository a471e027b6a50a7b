"""Independent sequences as one batch: the tracks of each alone, whatever their lengths and sizes."""

from collections.abc import Iterator

import numpy as np
import pytest

import pytracking
from ebm.exceptions import DomainError, InputError
from pytracking.tracker.base import Tracked
from pytracking.tracker.common.several import SeveralTargets
from pytracking.tracker.first_box import FirstBox
from tests.pytracking.tracker.test_several import BOXES, build, frame

SEQUENCES = [  # frames of other sizes and other lengths
    ([frame(t) for t in range(5)], BOXES[1]),
    ([frame(t)[:200, 60:] for t in range(3)], (120.0, 120.0, 24.0, 20.0)),
    ([frame(0)], BOXES[7]),
    ([frame(t)[20:] for t in range(4)], (240.0, 20.0, 40.0, 30.0)),
]


def alone(tracker: SeveralTargets, frames: list[np.ndarray], box: tuple[float, ...]) -> list[Tracked]:
    return [tracker.initialize(frames[0], box), *(tracker.track(image) for image in frames[1:])]


@pytest.mark.parametrize(("name", "size"), [("dimp", 2), ("atom", 8)])
def test_the_batch_equals_every_sequence_alone(name: str, size: int) -> None:
    changes = {"target_not_found_threshold": -1e9}
    tracker, single = build(name, changes=changes), build(name, changes=changes)
    seen: list[tuple[int, int]] = []
    results = pytracking.track_batch(
        tracker, SEQUENCES, size=size, on_result=lambda i, n, _: seen.append((i, n))
    )
    assert [len(each) for each in results] == [5, 3, 1, 4]
    assert sorted(seen) == [(i, n) for i, (frames, _) in enumerate(SEQUENCES) for n in range(len(frames))]
    for found, (frames, box) in zip(results, SEQUENCES):
        for a, b in zip(found, alone(single, frames, box), strict=True):
            np.testing.assert_allclose(a.box, b.box, rtol=0, atol=1e-3)
            assert a.flag is b.flag


def test_as_many_sequences_are_under_way_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    made = FirstBox.advance
    monkeypatch.setattr(FirstBox, "advance", lambda self, t, f: (sizes.append(len(t)), made(self, t, f))[1])
    pytracking.track_batch(FirstBox(), SEQUENCES, size=2)
    assert sizes == [2, 2, 2, 2, 1]  # no place is left empty while a sequence waits


def test_frames_are_read_when_they_are_needed() -> None:
    read = []

    def frames(name: str) -> Iterator[np.ndarray]:
        for t in range(3):
            read.append((name, t))
            yield frame(t)

    answers = []
    pytracking.track_batch(
        FirstBox(),
        [(frames("a"), BOXES[1]), (frames("b"), BOXES[7])],
        size=1,
        on_result=lambda i, n, result: answers.append((i, n, len(read))),
    )
    assert answers == [(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 4), (1, 1, 5), (1, 2, 6)]


def test_the_targets_of_the_tracker_itself_go_on() -> None:
    tracker = build("dimp")
    tracker.initialize(frame(0), BOXES[1])
    spared = build("dimp")
    spared.initialize(frame(0), BOXES[1])
    pytracking.track_batch(tracker, SEQUENCES[1:2])
    np.testing.assert_array_equal(tracker.track(frame(1)).box, spared.track(frame(1)).box)


def test_what_is_wrong_with_which_sequence() -> None:
    good = SEQUENCES[0]
    with pytest.raises(InputError, match="sequence 1, frame 0: there is no frame"):
        pytracking.track_batch(FirstBox(), [good, ([], BOXES[1])])
    with pytest.raises(DomainError, match="sequence 0, frame 0: .*no area"):
        pytracking.track_batch(FirstBox(), [(good[0], (1, 2, 0, 3))])
    with pytest.raises(InputError, match="sequence 1, frame 1: An image is uint8"):
        pytracking.track_batch(FirstBox(), [good, ([frame(0), frame(1) / 255], BOXES[1])])
    with pytest.raises(InputError, match="at least 1; got 0"):
        pytracking.track_batch(FirstBox(), [good], size=0)
    with pytest.raises(InputError, match="pytracking.load"):
        pytracking.track_batch("dimp", [good])


def test_no_sequences() -> None:
    assert pytracking.track_batch(FirstBox(), []) == []


def test_a_sequence_that_fails_ends_alone() -> None:
    failed: list[tuple[int, str]] = []

    def spoil(index: int, number: int, result: Tracked) -> None:
        if (index, number) == (3, 1):
            raise RuntimeError("the disk is full")

    results = pytracking.track_batch(
        FirstBox(),
        [SEQUENCES[0], ([frame(0), frame(1) / 255], BOXES[1]), ([], BOXES[1]), SEQUENCES[3], SEQUENCES[1]],
        size=3,
        on_result=spoil,
        on_error=lambda index, error: failed.append((index, str(error))),
    )
    assert [len(each) for each in results] == [5, 1, 0, 2, 3]
    assert [index for index, _ in failed] == [1, 2, 3]
    assert failed[0][1].startswith("An image is uint8")
    assert failed[2][1] == "the disk is full"


def test_a_step_that_fails_ends_its_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = FirstBox.advance

    def tight(self: FirstBox, targets: list[FirstBox], frames: list[np.ndarray]) -> list[Tracked]:
        if len(targets) > 1:
            raise MemoryError("too many")
        return advance(self, targets, frames)

    monkeypatch.setattr(FirstBox, "advance", tight)
    failed: list[int] = []
    results = pytracking.track_batch(
        FirstBox(), SEQUENCES, size=2, on_error=lambda index, error: failed.append(index)
    )
    assert failed == [0, 1]  # the third has one frame, and the fourth is alone then
    assert [len(each) for each in results] == [1, 1, 1, 4]
    with pytest.raises(MemoryError):
        pytracking.track_batch(FirstBox(), SEQUENCES, size=2)


def test_every_sequence_draws_from_its_own_seed() -> None:
    changes = {"target_not_found_threshold": -1e9}
    found = pytracking.track_batch(build("dimp", changes=changes), SEQUENCES[:2], seeds=[5, 6])
    for seed, each, (frames, box) in zip((5, 6), found, SEQUENCES):
        expected = alone(build("dimp", changes=changes, seed=seed), frames, box)
        for a, b in zip(each, expected, strict=True):
            np.testing.assert_allclose(a.box, b.box, rtol=0, atol=1e-3)
    with pytest.raises(InputError, match="each of the 2 sequences; got 1"):
        pytracking.track_batch(FirstBox(), SEQUENCES[:2], seeds=[5])
