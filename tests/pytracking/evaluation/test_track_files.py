"""COCO-style JSON and crops of a tracked video."""

import json
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.evaluation.track_files import CocoFile, CropFolder
from pytracking.evaluation.video_frames import Frame
from pytracking.evaluation.video_tables import UNREADABLE, Row, Rows


def picture(number: int) -> Frame:
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    image[10:20, 5:25] = (250, 20, 20)
    return Frame(number=number, time=number / 25, image=image)


def row(state: str = "ok", box: tuple[float, ...] = (5, 10, 20, 10), score: float = 0.5) -> Row:
    return Row(np.array(box, dtype=np.float64), score, state)


def written(path: Path, frames: list[tuple[Frame, Rows]]) -> dict:
    with ExitStack() as stack:
        table = CocoFile(path, "clip.mp4", stack)
        for frame, rows in frames:
            table.add(frame, rows)
        assert not path.exists()
    return json.loads(path.read_text())


def test_json_has_images_and_tracks(tmp_path: Path) -> None:
    gone = Frame(number=1, time=0.04, image=None)
    frames = [
        (picture(0), {3: row(), 7: row("uncertain", (1, 2, 3, 4))}),
        (gone, {3: row(UNREADABLE, score=float("nan")), 7: row(UNREADABLE, score=float("nan"))}),
        (picture(2), {3: row("lost"), 7: row()}),
    ]
    content = written(tmp_path / "new" / "tracks.json", frames)
    assert [image["frame"] for image in content["images"]] == [0, 1, 2]
    assert content["images"][1] == {
        "id": 2, "video_id": 1, "file_name": "clip_000001.jpg", "width": 60, "height": 40, "frame": 1,
        "time": 0.04,
    }  # fmt: skip
    assert [(a["image_id"], a["track_id"], a["bbox"]) for a in content["annotations"]] == [
        (1, 3, [5, 10, 20, 10]),
        (1, 7, [1, 2, 3, 4]),
        (3, 7, [5, 10, 20, 10]),
    ]
    assert [a["id"] for a in content["annotations"]] == [1, 2, 3]
    assert content["annotations"][1]["area"] == 12
    assert "name" not in content["annotations"][0]


def test_names_are_numbered(tmp_path: Path) -> None:
    content = written(tmp_path / "a.json", [(picture(0), {"car": row(), 1: row()})])
    assert [(a["track_id"], a["name"]) for a in content["annotations"]] == [(1, "car"), (2, "1")]
    content = written(tmp_path / "b.json", [(picture(0), {None: row()})])
    assert content["annotations"][0]["track_id"] == 1
    assert "name" not in content["annotations"][0]


def test_a_run_that_fails_leaves_what_it_had_and_none_nothing(tmp_path: Path) -> None:
    stack = ExitStack()
    table = CocoFile(tmp_path / "a.json", "clip.mp4", stack)
    table.add(picture(0), {None: row()})
    stack.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert len(json.loads((tmp_path / "a.json").read_text())["annotations"]) == 1
    with ExitStack() as stack:
        CocoFile(tmp_path / "none.json", "clip.mp4", stack)
    assert not (tmp_path / "none.json").exists()


def test_crops_are_cut_to_the_box_and_the_frame(tmp_path: Path) -> None:
    crops = CropFolder(tmp_path / "crops", "clip.mp4")
    crops.add(picture(4), {None: row()})
    crops.add(picture(5), {None: row(box=(-10, 30, 20, 30))})
    crops.add(picture(6), {None: row(box=(100, 100, 5, 5))})
    crops.add(picture(7), {None: row("lost")})
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == [
        "clip_000004.jpg",
        "clip_000005.jpg",
    ]
    assert crops.written == 2
    cut = cv2.imread(str(tmp_path / "crops/clip_000004.jpg"))[..., ::-1]
    assert cut.shape == (10, 20, 3)
    assert np.abs(cut.reshape(-1, 3).mean(axis=0) - (250, 20, 20)).max() < 4
    assert cv2.imread(str(tmp_path / "crops/clip_000005.jpg")).shape == (10, 10, 3)


def test_every_id_has_a_folder_of_its_own(tmp_path: Path) -> None:
    crops = CropFolder(tmp_path, "clip.mp4", margin=0.5)
    crops.add(picture(0), {1: row(), "a/b": row(), "a_b": row(), "..": row()})
    folders = sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*.jpg"))
    assert folders == ["1", "__", "a_b", "a_b_"]
    assert cv2.imread(str(tmp_path / "1/clip_000000.jpg")).shape == (20, 35, 3)


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        CropFolder(tmp_path / "file", "clip.mp4").add(picture(0), {None: row()})
