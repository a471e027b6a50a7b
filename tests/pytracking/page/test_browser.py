"""The page in headless Chromium, with real mouse and key events; `.ci/page` brings what it needs."""

import csv
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tornado", reason="the extra 'page' is not installed")
pytest.importorskip("playwright", reason="playwright is not installed; .ci/page brings it")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from pytracking.cli import main
from pytracking.page import server as server_module
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames
from tests.pytracking.page.visitor import PATIENCE, Beside
from tests.pytracking.page.watched import Run

Open = Callable[..., Page]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZE = (240, 320)


def textured(count: int) -> list[np.ndarray | None]:
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (*SIZE, 3), dtype=np.uint8)
    return [np.roll(image, number, axis=1) for number in range(count)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        named = os.environ.get("EBMTRACK_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        path = named or (own if Path(own).exists() else None)
        if path is None:
            pytest.skip("no Chromium is installed; .ci/page says how to get one")
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens pages; at the end no script of theirs has failed."""
    faults: list[str] = []
    contexts = []

    def visit(url: str, width: int = 1100, height: int = 720, scheme: Any = "light") -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not faults


def phase(page: Page, name: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-phase", name)


def draw(page: Page, box: tuple[float, float, float, float]) -> None:
    """Draw a box, px of the picture, with the mouse."""
    place = page.locator("#picture").bounding_box()
    assert place is not None
    scale = place["width"] / SIZE[1]
    x, y, w, h = (side * scale for side in box)
    page.mouse.move(place["x"] + x, place["y"] + y)
    page.mouse.down()
    page.mouse.move(place["x"] + x + w / 2, place["y"] + y + h / 3)
    page.mouse.move(place["x"] + x + w, place["y"] + y + h)
    page.mouse.up()


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


def box_of(row: dict[str, str]) -> list[float]:
    return [float(row[key]) for key in "xywh"]


def test_a_video_is_tracked_with_the_mouse(
    tmp_path: Path, opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_frames(tmp_path / "walk", boxes_of(30), size=SIZE)
    out = tmp_path / "out.mp4"
    command = [
        "video",
        "first_box",
        "default",
        str(tmp_path / "walk"),
        "--select",
        "--show",
        "--out",
        str(out),
    ]
    run = Beside(lambda: main(command))
    said = ""
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", said)):
        said += capsys.readouterr().out
    page = opened(found.group())
    phase(page, "choose")
    expect(page.locator("#start")).to_be_disabled()
    draw(page, (40, 60, 80, 50))
    draw(page, (200, 100, 40, 40))
    draw(page, (10, 10, 20, 20))
    page.keyboard.press("Delete")  # the last one, which is chosen
    expect(page.locator("#targets li")).to_have_count(2)
    page.locator("#targets input").nth(1).fill("car")
    page.locator("#picture").click(position={"x": 5, "y": 5})
    page.get_by_role("button", name="Start paused").click()
    phase(page, "track")
    expect(page.locator("#chip")).to_have_text("paused")
    expect(page.locator("#where")).to_contain_text("frame 0 / 29")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#where")).to_contain_text("frame 1 / 29")
    draw(page, (60, 80, 70, 40))  # nearest to target 1
    expect(page.locator("#pendingfor")).to_have_value("=1")
    page.keyboard.press("ArrowDown")  # one pixel, not one frame
    page.keyboard.press("Enter")
    expect(page.locator("#targets .numbers").first).to_have_text("70 × 40 at 60, 81")
    draw(page, (150, 150, 30, 30))
    page.locator("#pendingfor").select_option("new")
    page.locator("#apply").click()
    expect(page.locator("#targets li")).to_have_count(3)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#where")).to_contain_text("frame 2 / 29")
    page.locator("#targets li", has_text="car").get_by_role("button", name="Remove").click()
    expect(page.locator("#targets li")).to_have_count(2)
    page.keyboard.press("Space")
    phase(page, "done")
    expect(page.locator("#note")).to_contain_text("30 frames tracked.")
    assert run.result() == 0
    rows = rows_of(out.with_suffix(".csv"))
    assert [row["id"] for row in rows[:7]] == ["1", "car", "1", "car", "2", "1", "2"]
    assert np.allclose(box_of(rows[0]), (40, 60, 80, 50), atol=1)
    assert np.allclose(box_of(rows[2]), (60, 81, 70, 40), atol=1)


def test_two_targets_with_one_id_do_not_start(tmp_path: Path, opened: Open) -> None:
    run = Run(tmp_path, textured(3))
    page = opened(run.url)
    phase(page, "choose")
    draw(page, (40, 60, 80, 50))
    draw(page, (200, 100, 40, 40))
    second = page.locator("#targets input").nth(1)
    second.fill("1")
    expect(second).to_have_class("wrong")
    expect(page.locator("#start")).to_be_disabled()
    second.fill("a,b")  # the server says why
    page.locator("#start").click()
    expect(page.locator("#note.error")).to_contain_text("without blanks, commas and quotes")
    second.fill("b")
    page.locator("#start").click()
    phase(page, "done")
    assert run.result().tracked == 3
    assert [row[1] for row in run.rows()] == ["1", "b"] * 3


def test_a_box_on_a_moving_picture_and_stop(tmp_path: Path, opened: Open) -> None:
    run = Run(tmp_path, textured(3000), live=True, count=None, pace=0.02)
    page = opened(run.url)
    phase(page, "preview")
    draw(page, (40, 60, 80, 50))
    phase(page, "choose")
    page.keyboard.press("Space")  # let it go on
    phase(page, "preview")
    draw(page, (50, 60, 80, 50))
    phase(page, "choose")
    expect(page.locator("#targets li")).to_have_count(1)
    page.keyboard.press("Enter")
    phase(page, "track")
    draw(page, (100, 60, 80, 50))  # pauses
    expect(page.locator("#chip")).to_have_text("paused")
    expect(page.locator("#pending")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#pending")).to_be_hidden()
    page.keyboard.press("q")
    expect(page.locator("#stop")).to_contain_text("Once more")
    page.keyboard.press("q")
    phase(page, "done")
    assert run.result().stopped
    assert np.allclose([row[2] for row in run.rows()], 50, atol=1)


def test_a_browser_that_is_closed_or_cut_off(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server_module, "_RELOADING", 0.05)
    run = Run(tmp_path, textured(40), {1: (40, 60, 80, 50)}, pace=0.02)
    page = opened(run.url)
    phase(page, "track")
    page.close()
    assert run.result().tracked == 40
    assert "the page was closed; tracking goes on" in capsys.readouterr().err
    other = Run(tmp_path, textured(4000), {1: (40, 60, 80, 50)}, pace=0.02)
    page = opened(other.url)
    phase(page, "track")
    other.server_dies()
    expect(page.locator("#chip")).to_have_text("connection lost")
    expect(page.locator("#note.error")).to_contain_text("the run has ended, or the tunnel is cut")
    expect(page.locator("#pause")).to_be_disabled()


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (800, "dark"), (360, "dark")])
def test_nothing_lies_over_anything_else(tmp_path: Path, opened: Open, width: int, scheme: str) -> None:
    run = Run(
        tmp_path,
        textured(500),
        {"a-target-with-a-very-long-name": (40, 60, 80, 50), 2: (9, 9, 40, 40)},
        pace=0.02,
    )
    page = opened(run.url, width=width, height=760, scheme=scheme)
    phase(page, "track")
    draw(page, (100, 60, 80, 50))
    expect(page.locator("#pending")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    places = [
        page.locator(part).bounding_box()
        for part in ("header", "#note", "#stage", "#bar", "#pending", "#scores")
    ]
    for number, one in enumerate(places):
        assert one is not None
        assert one["x"] >= 0
        assert one["x"] + one["width"] <= width
        for other in places[number + 1 :]:
            assert other is not None
            apart = (
                one["x"] + one["width"] <= other["x"] + 0.5
                or other["x"] + other["width"] <= one["x"] + 0.5
                or one["y"] + one["height"] <= other["y"] + 0.5
                or other["y"] + other["height"] <= one["y"] + 0.5
            )
            assert apart, (one, other)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 200) == (scheme == "dark")
    page.keyboard.press("Escape")
    page.locator("#stop").click()
    page.locator("#stop").click()
    phase(page, "done")
    run.result()
