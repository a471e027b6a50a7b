"""The command that draws how sure a tracker is of its box in one frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking.cli import main
from pytracking.demo import untrained
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames, write_otb


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    draw_frames(tmp_path / "walk", boxes_of(3), size=(49, 65))
    return tmp_path / "walk"


def run(weights: Path, *arguments: object) -> int:
    return main(["density", "dimp", "nce_plus_small", "--checkpoint", str(weights), *map(str, arguments)])


def test_a_folder_an_image_and_a_sequence(
    images: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, table = tmp_path / "d.png", tmp_path / "d.csv"
    box = ("--box", "4,8,12,10")
    assert run(weights, images, *box, "--frame", 2, "--out", out, "--csv", table) == 0
    said = capsys.readouterr().out
    assert "confidence  0." in said
    assert "deviations  " in said
    assert f"picture     {out}" in said
    assert cv2.imread(str(out)).shape[1] == 1480
    numbers = np.genfromtxt(table, delimiter=",", names=True)
    x, y = np.unique(numbers["x"]), np.unique(numbers["y"])
    mass = np.trapezoid(np.trapezoid(numbers["density"].reshape(len(x), len(y)), y, axis=1), x)
    assert mass == pytest.approx(1.0, abs=1e-6)
    assert 0 < numbers["inside_05"].sum() < numbers["inside_095"].sum() < len(numbers)
    single = sorted(images.iterdir())[0]
    assert run(weights, single, *box, "--out", out, "--corner", "top-left") == 0
    root = write_otb(tmp_path / "otb", {"Walk": 3, "Run": 3})
    chosen = ("Walk", "--dataset", "otb", "--root", root, "--allow-missing")
    assert run(weights, *chosen, "--frame", 1, "--out", out) == 0
    assert "box         " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["walk", "--box", "4,8,12,10", "--frame", "3"], "has 3 frames"),
        (["walk"], "--box"),
        (["Swim", "--dataset", "otb", "--root", "."], "Swim"),
        (["walk", "--box", "4,8,12,10", "--corner", "bottom"], "did you mean 'bottom-"),
        (["walk", "--box", "400,8,12,10"], "outside the image"),
        (["walk", "--box", "4,8,12,10", "--out", "walk/d.png"], "lies in the source"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    arguments: list[str],
    words: str,
    images: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(weights, *arguments) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.png")) or words == "lies in the source"
    assert sorted(path.name for path in images.iterdir()) == sorted(f"{n:04d}.jpg" for n in (1, 2, 3))


def test_a_tracker_without_an_energy_is_refused(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d.png"
    arguments = ["density", "first_box", "default", str(images), "--box", "4,8,12,10", "--out", str(out)]
    assert main(arguments) == 2
    assert "no energy over boxes" in capsys.readouterr().err
    assert not out.exists()


def test_a_video_with_ellipses_has_deviations_in_its_table(
    images: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--box", "4,8,12,10", "--out", str(tmp_path / "o.mp4"), "--draw", "box,density"]
    named = ["video", "dimp", "nce_plus_small", str(images), "--checkpoint", str(weights)]
    assert main([*named, *place]) == 0
    table = np.genfromtxt(tmp_path / "o.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert table.dtype.names[-4:] == ("sd_x", "sd_y", "sd_w", "sd_h")
    assert np.isnan(table["sd_x"][0])  # a given box has none
    assert all(np.isnan(table["sd_w"]) | (table["sd_w"] > 0))
    (tmp_path / "o.mp4").unlink()
    assert main(["video", "first_box", "default", str(images), *place]) == 2
    assert "no energy over boxes" in capsys.readouterr().err
    assert not (tmp_path / "o.mp4").exists()
