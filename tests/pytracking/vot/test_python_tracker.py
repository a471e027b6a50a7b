"""The tracker of the toolkit's Python API, called as the toolkit calls it."""

from pathlib import Path

import numpy as np
import pytest

from pytracking.tracker.base import Flag, Tracked
from pytracking.tracker.first_box import FirstBox
from pytracking.vot.follower import Follower, FollowerOptions
from pytracking.vot.python_tracker import VOTTracker
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames


@pytest.fixture
def frames(tmp_path: Path) -> list[str]:
    draw_frames(tmp_path / "walk", boxes_of(4))
    return [str(path) for path in sorted((tmp_path / "walk").iterdir())]


def first_box(**options: str) -> VOTTracker:
    return VOTTracker("first_box", "default", **options)


def test_objects_are_answered_in_the_order_in_which_they_began(frames: list[str]) -> None:
    tracker = first_box()
    assert tracker.multiobject
    square = [(30.0, 10.0), (40.0, 10.0), (40.0, 20.0), (30.0, 20.0)]
    found = tracker.init(frames[0], [((4.0, 8.0, 12.0, 10.0), {}), (square, {"text": "a square"})], {})
    assert found == [
        ((4, 8, 12, 10), {"confidence": 1.0}),
        ((29.5, 9.5, 11, 11), {"confidence": 1.0}),
    ]
    mask = np.zeros((48, 64), dtype=np.uint8)
    mask[20:30, 40:44] = 1
    assert tracker.update({"color": frames[1], "depth": "none"}, [(mask, {})]) == [
        *found,
        ((40, 20, 4, 10), {"confidence": 1.0}),
    ]
    assert len(tracker.update(frames[2], [], {})) == 3
    assert tracker.init(frames[3], [((4.0, 8.0, 12.0, 10.0), {})]) == found[:1]  # all anew


def test_objects_that_begin_later(frames: list[str]) -> None:
    tracker = first_box()
    assert tracker.init(frames[0], []) == []
    assert tracker.update(frames[1], [((4.0, 8.0, 12.0, 10.0), {})]) == [
        ((4, 8, 12, 10), {"confidence": 1.0})
    ]


@pytest.mark.parametrize(("when_lost", "box"), [("box", (4, 8, 12, 10)), ("empty", (0, 0, 0, 0))])
def test_a_target_that_is_lost(
    frames: list[str], monkeypatch: pytest.MonkeyPatch, when_lost: str, box: tuple[float, ...]
) -> None:
    lost = Tracked(box=np.array([4.0, 8, 12, 10]), score=0.25, flag=Flag.NOT_FOUND)
    monkeypatch.setattr(FirstBox, "advance", lambda self, targets, frames: [lost for _ in targets])
    tracker = first_box(when_lost=when_lost)
    tracker.init(frames[0], [((4.0, 8.0, 12.0, 10.0), {})])
    assert tracker.update(frames[1]) == [(box, {"confidence": 0.25})]


@pytest.mark.parametrize(
    ("frame", "region", "words"),
    [
        ("none.jpg", (4.0, 8.0, 12.0, 10.0), "none.jpg"),
        ({"depth": "a.png", "ir": "b.png"}, (4.0, 8.0, 12.0, 10.0), r"\['depth', 'ir'\]"),
        (None, (400.0, 8.0, 12.0, 10.0), "outside the image"),
        (None, (3.0, 4.0), "a point"),
    ],
)
def test_errors_that_the_toolkit_shows(
    frames: list[str], frame: object, region: tuple[float, ...], words: str
) -> None:
    # Its worker reports these kinds; any other ends it, and the toolkit waits for its timeout.
    with pytest.raises((RuntimeError, TypeError, ValueError, ImportError, AttributeError), match=words):
        first_box().init(frame or frames[0], [(region, {})])  # type: ignore[arg-type]


def test_an_error_of_another_kind_becomes_one_that_is_shown(
    frames: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = first_box()

    def fail(self: Follower, frame: object, new: object = ()) -> None:
        raise KeyError("lost a key")

    monkeypatch.setattr(Follower, "go_on", fail)
    with pytest.raises(RuntimeError, match="KeyError: 'lost a key'"):
        tracker.update(frames[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": "one"}, "arg_seed is a whole number"),
        ({"compat": "maybe"}, "arg_compat is true or false"),
        ({"polygon": "area"}, "rule for polygons"),
        ({"when_lost": "nothing"}, "lost target"),
        ({"weights": "best"}, "choice of weights"),
    ],
)
def test_arguments_that_mean_nothing(options: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        first_box(**options)


def test_texts_of_an_ini_file_are_understood() -> None:
    tracker = first_box(seed="3", compat="True", polygon="union", when_lost="empty", checkpoint="")
    assert tracker._follower.options == FollowerOptions(polygon="union", when_lost="empty")
