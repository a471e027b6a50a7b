"""The report on real sequences: what it reads, and the table."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import InputError
from tests.ltr.layouts import moving_boxes, write_image, write_rows


@pytest.fixture
def script(beside_the_scripts: None) -> Any:
    return importlib.import_module("real_sequences")


def test_a_tracker_is_named_with_its_weights_or_without(script: Any) -> None:
    assert script.Asked.parse("a b=atom/x:/w/f.pt") == ("a b", "atom", "x", Path("/w/f.pt"))
    assert script.Asked.parse("l=dimp/x").checkpoint is None
    for wrong in ("atom/x", "l=atom", "=atom/x", "l=/x"):
        with pytest.raises(InputError, match="LABEL=TRACKER/PARAMETER"):
            script.Asked.parse(wrong)


def test_polygons_count_as_the_boxes_around_them(script: Any, tmp_path: Path) -> None:
    folder = tmp_path / "book"
    for t in range(3):
        write_image(folder / f"color/{t:08d}.jpg", t)
    (folder / "groundtruth.txt").write_text("1,2,5,1,6,8,2,9\n" * 3)
    video = script.vot_video(folder)
    assert video.ground_truth.tolist() == [[1, 1, 5, 8]] * 3
    assert len(video) == 3


def test_the_first_box_alone_is_scored(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for t in range(4):
        write_image(tmp_path / f"own/clip/img/{t}.jpg", t)
    write_rows(tmp_path / "own/clip/groundtruth_rect.txt", moving_boxes(4))
    (tmp_path / "out").mkdir()
    assert script.main(["--videos", str(tmp_path / "own"), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "| AUC, percent | frames | first box |" in printed
    assert "| clip | 4 |" in printed
    assert (tmp_path / "out/sequences.csv").read_text().startswith("sequence,tracker,frames,auc")
    assert script.main(["--out", str(tmp_path)]) == 2
    wrong = ["--videos", str(tmp_path / "own"), "--out", str(tmp_path / "out"), "--opencv", "/usr/bin/false"]
    assert script.main(wrong) == 2
