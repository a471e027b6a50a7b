"""Runs that are chosen, watched and steered on the page, without a browser."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tornado", reason="the extra 'page' is not installed")

from ebm.exceptions import InputError
from pytracking.evaluation.video_frames import Frame
from pytracking.evaluation.video_run import VideoSink, track_video
from pytracking.evaluation.video_tables import csv_table
from pytracking.evaluation.video_writer import VideoWriter
from pytracking.page import server as server_module
from pytracking.page.facts import PageOptions
from pytracking.page.screen import PageScreen
from pytracking.tracker.first_box import FirstBox
from tests.pytracking.page.visitor import ListSource, Visitor, pictures
from tests.pytracking.page.watched import Run

BOX = [4.0, 8.0, 12.0, 10.0]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_RELOADING", 0.05)


def start(page: Visitor, *targets: tuple[str, list[float]]) -> None:
    page.phase("choose")
    page.ask("start", boxes=[{"id": target, "box": box} for target, box in targets])


def at(frame: int, *, paused: bool = True) -> Callable[[dict[str, Any]], bool]:
    return lambda facts: (
        facts.get("frame") == frame and facts["paused"] is paused and facts["phase"] == "track"
    )


def test_targets_are_chosen_moved_added_and_removed(tmp_path: Path) -> None:
    run = Run(tmp_path, pictures(6))
    page = Visitor(run.url)
    page.phase("choose")
    page.ask("pause")  # before anything is tracked: it is paused on the first frame
    page.ask("start", boxes=[{"id": "1", "box": BOX}, {"id": "car", "box": [30, 8, 12, 10]}])
    facts, here = page.until(at(0)), 0
    assert [target["name"] for target in facts["targets"]] == ["1", "car"]
    assert facts["targets"][0]["colour"] != facts["targets"][1]["colour"]
    colour = facts["targets"][1]["colour"]
    page.ask("place", id=1, box=[20, 20, 9, 9], frame=here)
    page.until(lambda facts: facts["targets"][0]["box"] == [20, 20, 9, 9])
    page.ask("step")
    page.until(at(here + 1))
    page.ask("add", id="7", box=[1, 1, 5, 5], frame=here + 1)
    page.until(lambda facts: len(facts["targets"]) == 3)
    page.ask("remove", id=1, frame=here + 1)
    facts = page.until(lambda facts: len(facts["targets"]) == 2)
    assert [(target["name"], target["colour"] == colour) for target in facts["targets"]] == [
        ("car", True),
        ("7", False),
    ]
    page.ask("stop")
    assert page.phase("done")["note"]["text"] == "That was all."
    found = run.result()
    assert (found.stopped, found.complete, found.last) == (True, True, here + 1)
    assert "stopped on the page" in found.notes("clip")[0]
    assert run.rows()[-4:] == [
        (str(here), "1", 20.0, "ok"),  # the frame on which it was placed has the box that was drawn
        (str(here), "car", 30.0, "ok"),
        (str(here + 1), "car", 30.0, "ok"),
        (str(here + 1), "7", 1.0, "ok"),
    ]
    page.close()


@pytest.mark.parametrize(
    ("target", "box", "words"),
    [
        ("1", [70, 8, 12, 10], "lies outside the image of 64 x 48 px"),
        ("1", [-20, 8, 12, 10], "lies outside the image"),
        ("1", [4, 8, 0, 10], "has no area"),
        ("1", [None, 8, 12, 10], "is not x, y, w, h"),
        ("car", BOX, "--mot takes whole numbers"),
    ],
)
def test_boxes_that_are_refused_are_drawn_again(
    tmp_path: Path, target: str, box: list[float], words: str
) -> None:
    run = Run(tmp_path, pictures(2), whole_ids=True)
    page = Visitor(run.url)
    start(page, (target, box))
    page.noted(words)
    page.ask("start", boxes=[{"id": "3", "box": BOX}])
    page.phase("done")
    assert run.result().tracked == 2
    assert run.rows() == [("0", "3", 4.0, "ok"), ("1", "3", 4.0, "ok")]
    page.close()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"do": "place", "id": 9, "box": BOX}, "There is no target 9"),
        ({"do": "place", "id": 1, "box": [99, 8, 12, 10]}, "lies outside the image"),
        ({"do": "place", "id": 1, "box": BOX, "frame": 77}, "drawn on frame 77, and this is frame"),
        ({"do": "add", "id": 1, "box": BOX}, "There is a target 1 already"),
        ({"do": "remove", "id": 9}, "There is no target 9"),
        ({"do": "add", "id": None, "box": BOX}, "Give the new target an id"),
    ],
)
def test_edits_that_are_refused_change_nothing(tmp_path: Path, wish: dict[str, Any], words: str) -> None:
    run = Run(tmp_path, pictures(300), {1: tuple(BOX), 2: tuple(BOX)}, pace=0.02)
    page = Visitor(run.url)
    page.ask("pause")
    page.until(lambda facts: facts.get("paused"))
    page.ask(**wish)
    facts = page.noted(words)
    assert facts["note"]["error"]
    assert [target["box"] for target in facts["targets"]] == [BOX, BOX]
    page.ask("stop")
    page.phase("done")
    assert {row[2] for row in run.rows()} == {BOX[0]}
    assert run.result().stopped
    page.close()


def test_frames_that_cannot_be_read(tmp_path: Path) -> None:
    run = Run(tmp_path, [None, *pictures(2), None, *pictures(1)])
    page = Visitor(run.url)
    facts = page.phase("choose")
    assert facts["frame"] == 1  # the first one that can
    page.ask("pause")
    page.ask("start", boxes=[{"id": "1", "box": BOX}])
    facts = page.until(at(1))
    for frame in (2, 3):
        page.ask("step")
        facts = page.until(at(frame))
    assert facts["targets"][0]["state"] == "unreadable"
    assert facts["targets"][0]["score"] is None
    page.ask("place", id=1, box=[20, 20, 9, 9], frame=3)
    page.noted("Frame 3 cannot be read")
    page.ask("go")
    page.phase("done")
    assert run.result().unreadable == [0, 3]
    assert [row[3] for row in run.rows()] == ["unreadable", "ok", "ok", "unreadable", "ok"]
    page.close()


def test_a_page_that_is_closed_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path, pictures(4))
    page = Visitor(run.url)
    page.phase("choose")
    page.close()  # while targets are chosen: it is waited for
    said = ""
    while "the page was closed; open it again to choose targets: http://127.0.0.1" not in said:
        said += capsys.readouterr().err
    page = Visitor(run.url)
    page.phase("choose")
    page.ask("pause")
    page.ask("start", boxes=[{"id": "1", "box": BOX}])
    page.until(at(0))
    page.close()  # while it is paused: that stays
    while "the page was closed; paused as it is; to go on, open http" not in said:
        said += capsys.readouterr().err
    page = Visitor(run.url)
    facts = page.until(lambda facts: facts["paused"])
    assert len(facts["points"]) == facts["frame"] + 1
    page.ask("go")
    page.close()
    assert run.result().tracked == 4


def test_a_page_that_is_closed_while_tracking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = PageScreen(PageOptions(title="clip"))
    with page:
        visitor = Visitor(page.url)
        visitor.phase("waiting")
        visitor.close()
        said, turns = "", 0
        image = np.zeros((8, 8, 3), np.uint8)
        while "the page was closed; tracking goes on. To see it, open http://127.0.0.1" not in said:
            _, going = page.turn(image, Frame(turns, 0.0, image), {}, lambda wish, rows: rows)
            assert going
            turns += 1
            said += capsys.readouterr().err


def test_a_choice_that_is_ended(tmp_path: Path) -> None:
    run = Run(tmp_path, pictures(2))
    page = Visitor(run.url)
    page.phase("choose")
    page.ask("stop")
    assert "no target was chosen" in page.phase("done")["note"]["text"]
    with pytest.raises(InputError, match="The choice was ended on the page"):
        run.result()
    assert not list(tmp_path.iterdir())
    page.close()


def test_without_show_the_page_ends_with_the_choice(tmp_path: Path) -> None:
    run = Run(tmp_path, pictures(3), shown=False)
    page = Visitor(run.url)
    start(page, ("1", BOX))
    assert "Taken: 1 target." in page.phase("done")["note"]["text"]
    assert page.next() is None  # closed
    assert run.result().tracked == 3
    page.close()


def test_targets_on_a_moving_picture(tmp_path: Path) -> None:
    run = Run(tmp_path, pictures(2000), live=True, count=None, pace=0.02)
    page = Visitor(run.url)
    page.phase("preview")
    page.ask("hold")
    held = page.phase("choose")["frame"]
    page.ask("go")
    page.phase("preview")
    page.ask("hold")
    again = page.phase("choose")["frame"]
    assert again > held
    page.ask("start", boxes=[{"id": "1", "box": BOX}])
    page.phase("track")
    page.ask("stop")
    found = run.result()
    assert run.rows()[0][0] == "0"  # frames count from the one that was held
    assert found.dropped == 0
    page.close()


def test_a_camera_that_ends_before_targets_are_chosen(tmp_path: Path) -> None:
    run = Run(tmp_path, pictures(2), live=True)
    with pytest.raises(InputError, match="The pictures ended before targets were chosen"):
        run.result()


def test_one_box_without_an_id_is_placed(tmp_path: Path) -> None:
    run = Run(tmp_path, pictures(300), tuple(BOX), with_ids=False, pace=0.02)
    page = Visitor(run.url)
    page.ask("pause")
    facts = page.until(lambda facts: facts.get("paused"))
    page.ask("place", id=None, box=[20, 20, 9, 9], frame=facts["frame"])
    page.until(lambda facts: facts["targets"][0]["box"] == [20, 20, 9, 9])
    page.ask("stop")
    page.phase("done")
    assert run.rows()[-1] == (str(run.result().last), "None", 20.0, "ok")
    page.close()


def test_ctrl_c_while_paused_keeps_the_frame(tmp_path: Path) -> None:
    class Interrupted(PageScreen):
        def turn(self, image: Any, frame: Any, rows: Any, edit: Any) -> Any:
            if frame.number == 2:
                raise KeyboardInterrupt
            return rows, True

    table = tmp_path / "out.csv"

    def interrupted() -> None:
        with Interrupted(PageOptions(title="clip")) as page, ExitStack() as files:
            tables = [csv_table(table, files, with_ids=False)]
            sink = VideoSink(VideoWriter(tmp_path / "o.mp4", 10), tables, files)
            track_video(FirstBox(), ListSource(pictures(9)), tuple(BOX), "clip", sink, page)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == ["frame", "0", "1", "2"]
    assert (tmp_path / "o.mp4").exists()
