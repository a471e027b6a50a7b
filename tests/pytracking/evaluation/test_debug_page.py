"""The page of a run: every frame on it, safe against names, whole also when the run was not."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.evaluation.debug_page import DebugPage
from pytracking.evaluation.watching import look
from pytracking.run_video import main
from pytracking.tracker.first_box import FirstBox
from tests.pytracking.tracker.test_several import BOXES, build, frame

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(HTMLParser):
    """Frames and texts of a page, read as a browser would."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.frames: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self._in_frame = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_frame = tag == "script" and ("class", "frame") in attrs

    def handle_data(self, data: str) -> None:
        if self._in_frame:
            self.frames.append(json.loads(data))
            self._in_frame = False
        else:
            self.texts.append(data)


def write(path: Path, boxes: Mapping[Any, Any] | Any, frames: int = 3, **options: Any) -> None:
    tracker = build("dimp", changes={"target_not_found_threshold": -1e9})
    tracker.watched = True
    with DebugPage(path, "<b>a & b</b></script>", **options) as page:
        look(page, 0, frame(0), tracker, tracker.initialize(frame(0), boxes))
        for time in range(1, frames):
            look(page, time, frame(time), tracker, tracker.track(frame(time)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "new" / "look.html"
    write(path, {1: BOXES[1], "</script><i>": BOXES["car"]})
    return path


def test_every_frame_and_target_is_on_it(page: Path) -> None:
    frames = Page(page).frames
    assert [each["n"] for each in frames] == [0, 1, 2]
    assert (frames[0]["width"], frames[0]["height"]) == (320, 240)
    for each in frames:
        assert [target["id"] for target in each["targets"]] == ["1", "</script><i>"]
    begun, tracked = frames[0]["targets"][0], frames[1]["targets"][0]
    assert begun["box"] == list(BOXES[1])
    assert "crop" not in begun
    assert tracked["map"]["high"] >= tracked["map"]["low"]
    x, y, w, h = tracked["cropBox"]
    mx, my, mw, mh = tracked["mapBox"]
    assert abs(mx + mw / 2 - x - w / 2) <= mw / tracked["map"]["columns"], "the map lies over the crop"
    assert abs(my + mh / 2 - y - h / 2) <= mh / tracked["map"]["rows"]
    assert len(tracked["path"]) == len(tracked["energies"]) > 1
    assert len(tracked["density"]["corners"]) == 2
    assert all(deviation > 0 for deviation in tracked["density"]["deviations"])


def test_names_are_text(page: Path) -> None:
    found = Page(page)
    assert found.texts.count("<b>a & b</b></script>") == 2, "title and heading"


def test_what_a_killed_run_leaves_is_read_up_to_there(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    cut = tmp_path / "cut.html"
    cut.write_text(text[: text.rindex("</script>") - 100], encoding="utf-8")
    assert seen_by_chromium(cut) == "frame 1, 2 of 2 kept"


def test_a_browser_shows_it(page: Path) -> None:
    assert seen_by_chromium(page, "#2") == "frame 2, 3 of 3 kept"


def seen_by_chromium(page: Path, place: str = "#99") -> str:
    """What the page says of the frame shown, in a real browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    done = subprocess.run(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000",
            "--dump-dom", page.as_uri() + place,
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found = re.search(r'<span id="where"[^>]*>([^<]*)</span>', done.stdout)
    assert found, done.stderr
    assert '<table><tbody id="facts"><tr><td>state</td>' in done.stdout, "it was drawn to its end"
    return found[1]


def test_frames_are_left_out_and_densities_too(tmp_path: Path) -> None:
    write(tmp_path / "few.html", BOXES[1], every=2, with_density=False)
    found = Page(tmp_path / "few.html")
    assert [each["n"] for each in found.frames] == [0, 2]
    assert "density" not in found.frames[1]["targets"][0]
    assert any("One frame of 2 was kept." in text for text in found.texts)


def test_a_tracker_without_anything_to_see(tmp_path: Path) -> None:
    tracker = FirstBox()
    with DebugPage(tmp_path / "first.html", "first box") as page:
        look(page, 0, frame(0), tracker, tracker.initialize(frame(0), BOXES[1]))
        look(page, 1, frame(1), tracker, tracker.track(frame(1)))
    (target,) = Page(tmp_path / "first.html").frames[1]["targets"]
    assert target["box"] == list(BOXES[1])
    assert "density" not in target


def test_nothing_is_written_before_a_frame_and_a_folder_is_refused(tmp_path: Path) -> None:
    with DebugPage(tmp_path / "none.html", "none"):
        pass
    assert not list(tmp_path.iterdir())
    tracker = FirstBox()
    answer = tracker.initialize(frame(0), BOXES[1])
    with pytest.raises(InputError, match="cannot be written"), DebugPage(tmp_path, "folder") as page:
        look(page, 0, frame(0), tracker, answer)


def test_a_large_frame_is_shrunk_and_its_boxes_stay(tmp_path: Path) -> None:
    import base64

    import cv2

    image = np.zeros((900, 1600, 3), dtype=np.uint8)
    tracker = FirstBox()
    with DebugPage(tmp_path / "large.html", "large") as page:
        look(page, 0, image, tracker, tracker.initialize(image, (1000.0, 600, 50, 60)))
    (only,) = Page(tmp_path / "large.html").frames
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(only["image"]), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (360, 640, 3)
    assert (only["width"], only["targets"][0]["box"]) == (1600, [1000.0, 600.0, 50.0, 60.0])


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    folder = tmp_path / "frames"
    folder.mkdir()
    for time in range(3):
        assert cv2.imwrite(str(folder / f"{time}.png"), frame(time)[..., ::-1])
    outputs = ["--out", str(tmp_path / "out.mp4"), "--debug-page", str(tmp_path / "look.html")]
    code = main(["first_box", "default", str(folder), "--box", "60,80,30,36", *outputs])
    assert code == 0
    assert f"Page: {tmp_path / 'look.html'}" in capsys.readouterr().out
    assert len(Page(tmp_path / "look.html").frames) == 3
    code = main(["first_box", "default", str(folder), "--box", "60,80,30,36", *outputs[:3], outputs[1]])
    assert code == 2, "the page would be the video"
