"""The report on confidence: how a target is hidden, fits on the other videos, and a whole run."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytracking.evaluation.data import Sequence
from tests.ltr.layouts import moving_boxes, write_image, write_rows


@pytest.fixture
def script(beside_the_scripts: None) -> Any:
    return importlib.import_module("real_confidence")


def test_what_lies_beside_a_box_fills_the_frame_and_shows_nothing_of_it(script: Any) -> None:
    image = np.full((40, 60, 3), 90, np.uint8)
    image[:, :20] = np.arange(20, dtype=np.uint8)[None, :, None]
    image[10:30, 25:45] = 255
    found = script.beside(image, np.array([25.0, 10.0, 20.0, 20.0]))
    assert found.shape == image.shape
    assert found.max() == 90
    np.testing.assert_array_equal(found[:, :20], image[:, :20])  # the strip to the left is the largest
    np.testing.assert_array_equal(found[:, 24:44], found[:, 4:24][:, ::-1])


def test_the_middle_quarter_is_without_target(script: Any) -> None:
    video = Sequence("clip", "otb", tuple(Path(f"{t}.jpg") for t in range(24)), np.ones((24, 4)))
    away = script.without_target(video)
    assert away.name == "clip without"
    assert np.flatnonzero(~away.target_visible).tolist() == list(range(9, 15))


def test_a_video_is_judged_by_weights_of_the_others(script: Any) -> None:
    generator = np.random.default_rng(0)

    report = importlib.import_module("confidence_report")

    def rows(name: str, sign: int) -> list[Any]:
        energy = generator.normal(0, 3, 60)
        return [
            report.Row(name, k, True, 0.9 if sign * e > 0 else 0.1, 0.5, e, "ok")
            for k, e in enumerate(energy)
        ]

    both = rows("a", 1) + rows("b", -1)  # what is a good sign in one is a bad one in the other
    sure = report.cross_validated(both)
    good = np.array([row.iou >= 0.5 for row in both])
    assert sure[good].mean() < 0.2
    assert sure[~good].mean() > 0.8


def test_a_run_fits_and_reports(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        for t in range(8):
            write_image(tmp_path / f"own/{name}/img/{t}.jpg", t)
        write_rows(tmp_path / f"own/{name}/groundtruth_rect.txt", moving_boxes(8))
    argv = [
        "--videos",
        str(tmp_path / "own"),
        "--only",
        "one",
        "--only",
        "two",
        "--stride",
        "1",
        "--frames",
        "8",
    ]
    assert script.main([*argv, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "28 frames of 2 videos, 4 without target" in printed
    assert "cross-validated" in printed
    fitted = json.loads((tmp_path / "out/calibration.json").read_text())
    assert len(fitted["confidence_weights"]) == 3
    assert (tmp_path / "out/calibration.png").read_bytes()[:4] == b"\x89PNG"
    assert len((tmp_path / "out/frames.csv").read_text().splitlines()) == 29
