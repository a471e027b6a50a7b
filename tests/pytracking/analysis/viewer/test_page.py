"""The page of an evaluation: whole in one file, as small as asked, and alive in a browser."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import EBMError
from pytracking.analysis.extract import Evaluation, evaluate
from pytracking.analysis.sources import BoxSource, FirstBoxSource, FolderSource
from pytracking.analysis.viewer.page import PageOptions, write_page
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder, SequenceResult
from tests.pytracking.evaluation.tiny import otb_layout, write_otb

LENGTHS = {"Deer": 9, "Dog1": 14}
SET_FRAME = """() => {
  const frame = document.getElementById("frame");
  frame.value = 7;
  frame.dispatchEvent(new Event("input"));
}"""
COUNT_ORANGE = """() => {
  const canvas = document.querySelector("canvas");
  const d = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let n = 0;
  for (let i = 0; i < d.length; i += 4) n += d[i] > 200 && d[i + 1] > 70 && d[i + 1] < 120 && d[i + 2] < 40;
  return n;
}"""
Made = tuple[Evaluation, list[Sequence], list[BoxSource]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    layout = otb_layout(write_otb(tmp_path / "otb", LENGTHS))
    sequences = [layout.read(name) for name in LENGTHS]
    folder = ResultFolder(tmp_path / "ours")
    for item in sequences:
        ones = np.ones(len(item))
        folder.write(
            item, SequenceResult(item.ground_truth + 0.5 * ones[:, None], ones, ones, ("ok",) * len(item))
        )
    sources: list[BoxSource] = [FirstBoxSource(), FolderSource("ours </script>", folder)]
    return evaluate(sequences, sources), sequences, sources


def meta_of(page: Path) -> dict:
    found = re.search(
        r'<script type="application/json" id="meta">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert found
    return json.loads(found[1])


def test_without_plotly_the_extra_is_named(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(EBMError, match=r"ebmtrack\[report\]"):
        write_page(*made, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_the_page_holds_everything(made: Made, tmp_path: Path) -> None:
    pytest.importorskip(
        "plotly", reason="plotly is not installed: pip install 'ebmtrack[report]'; .ci/report"
    )
    page = tmp_path / "page.html"
    size = write_page(*made, page)
    assert size == len(page.read_text())
    assert size < 3e6
    meta = meta_of(page)
    assert meta["order"] == ["ours </script>", "first_box"]
    assert meta["pictures"] == [list(range(9)), list(range(14))]  # small enough for all of them
    assert meta["sizes"] == [[64, 48]] * 2
    assert meta["step"] == 1
    assert not re.findall(r'(?:src|href)="(?!data:)', page.read_text().split('id="meta"')[0])


def test_pictures_give_way_to_the_size_and_a_page_too_large_is_refused(made: Made, tmp_path: Path) -> None:
    pytest.importorskip(
        "plotly", reason="plotly is not installed: pip install 'ebmtrack[report]'; .ci/report"
    )
    full = write_page(*made, tmp_path / "full.html")
    small = write_page(*made, tmp_path / "small.html", PageOptions(megabytes=full / 1e6 - 0.005 + 0.105))
    assert small < full
    assert sum(map(len, meta_of(tmp_path / "small.html")["pictures"])) < 23
    with pytest.raises(EBMError, match="more than the 1 MB"):
        write_page(*made, tmp_path / "tiny.html", PageOptions(megabytes=1.0))
    write_page(*made, tmp_path / "linked.html", PageOptions(link_frames=True))
    files = meta_of(tmp_path / "linked.html")["files"]
    assert files[0]["before"] == (tmp_path / "otb/Deer/img").resolve().as_uri() + "/"
    assert (files[0]["first"], files[0]["digits"], files[0]["after"]) == (1, 4, ".jpg")


def test_the_page_lives_in_a_browser(made: Made, tmp_path: Path) -> None:
    pytest.importorskip("plotly", reason="plotly is not installed; .ci/report")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; .ci/report")
    page = tmp_path / "page.html"
    write_page(*made, page)
    browser_path = os.environ.get("EBMTRACK_CHROMIUM") or shutil.which("chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_page(viewport={"width": 1400, "height": 1000})
        view.set_default_timeout(300_000)
        problems: list[str] = []
        view.on("pageerror", lambda error: problems.append(str(error)))
        asked: list[str] = []
        view.on(
            "request", lambda request: asked.append(request.url) if request.url.startswith("http") else None
        )
        view.goto(page.as_uri(), wait_until="commit")
        view.wait_for_function("window.reportReady")
        assert view.locator("#sequences tbody tr").count() == 2
        view.click("#sequences th:nth-child(2) button")  # by frames, most first
        assert view.locator("#sequences tbody tr td").first.inner_text() == "Dog1"
        view.click("#sequences tbody tr:first-child")
        assert view.inner_text("#name") == "Dog1: overlap over time"
        assert view.locator("#overlap .scatterlayer .trace").count() == 2
        view.fill("#filter", "dee")
        assert view.locator("#sequences tbody tr").count() == 1
        view.evaluate(SET_FRAME)
        assert view.inner_text("#number") == "frame 8 of 14"
        view.wait_for_function(f"({COUNT_ORANGE})() > 50")  # the outline of the best tracker's box
        view.click("#play")
        view.wait_for_function("document.getElementById('number').textContent === 'frame 14 of 14'")
        view.screenshot(path=os.environ.get("EBMTRACK_SCREENSHOT", str(tmp_path / "page.png")))
        assert (problems, asked) == ([], [])
        browser.close()
