"""The visualiser on a real server, seen and steered in a real browser; `.ci/visdom` sets both up."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from pytracking.evaluation.visdom_watcher import VisdomWatcher
from pytracking.evaluation.watching import look
from pytracking.utils.visdom import Visdom
from tests.pytracking.tracker.test_several import BOXES, build, frame

visdom = pytest.importorskip("visdom")
playwright = pytest.importorskip("playwright.sync_api")
BUILT = Path(visdom.__file__).parent / "static" / "version.built"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    not BUILT.is_file() or CHROMIUM is None, reason="visdom's page has no scripts, or there is no Chromium"
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    folder = tmp_path_factory.mktemp("visdom")
    command = [sys.executable, "-m", "visdom.server", "-port", str(number), "-bind_local"]
    server = subprocess.Popen([*command, "-env_path", str(folder)], env={**os.environ, "PYTHONPATH": ""})
    try:
        _wait(lambda: _answers(number))
        yield number
    finally:
        server.terminate()
        server.wait(20)


def test_blocks_pause_and_step_in_a_browser(port: int) -> None:
    shown = Visdom(debug=1, visdom_info={"server": "127.0.0.1", "port": port})
    watcher = VisdomWatcher(shown)
    tracker = build("dimp", changes={"target_not_found_threshold": -1e9})
    tracker.watched = True
    seen: list[int] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.goto(shown.address)
        look(watcher, 0, frame(0), tracker, tracker.initialize(frame(0), BOXES[1]))
        look(watcher, 1, frame(1), tracker, tracker.track(frame(1)))
        page.wait_for_selector("text=samples in memory")
        assert page.get_by_text("Final Boxes").count() == 0, "of level 3"

        boxes = page.locator(".window", has_text="Block List").locator("input[type=checkbox]")
        assert boxes.count() == 4
        boxes.nth(2).click()  # Status, Score Map, Refinement, Highest f
        page.wait_for_selector("text=Final Boxes")

        page.locator(".window", has=page.get_by_text("Tracking", exact=True)).first.click()
        page.keyboard.press("Space")
        _wait(lambda: shown.paused)
        thread = Thread(target=_go_on, args=(watcher, tracker, seen), daemon=True)
        thread.start()
        _wait(lambda: len(seen) == 1)
        page.keyboard.press("ArrowRight")
        _wait(lambda: len(seen) == 2)
        assert thread.is_alive()
        page.keyboard.press("Space")
        thread.join(30)
        assert seen == [2, 3, 4]
        browser.close()


def _go_on(watcher: VisdomWatcher, tracker: Any, seen: list[int]) -> None:
    for number in (2, 3, 4):
        tracked = tracker.track(frame(number))
        seen.append(number)
        look(watcher, number, frame(number), tracker, tracked)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _wait(reached: Any) -> None:
    import time

    for _ in range(600):
        if reached():
            return
        time.sleep(0.1)
    pytest.fail("it did not come to that within a minute")
