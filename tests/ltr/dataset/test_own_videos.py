"""A user's own videos, without code: folders, a CSV table, a COCO-like JSON file."""

import json
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError, UnknownNameError
from ebm.images.listing import natural_key
from ltr.data.image_loader import read_image
from ltr.data.video import VideoDataset
from ltr.dataset import open_dataset
from ltr.dataset.annotations import make_annotation
from ltr.dataset.listed import ListedSequence, ListedVideos
from ltr.dataset.opening import detect_kind, open_path, read_places
from ltr.dataset.own_folders import FolderVideos
from ltr.dataset.own_tables import open_csv, open_json
from tests.ltr.layouts import (
    moving_boxes,
    write_coco,
    write_got10k,
    write_image,
    write_lasot,
    write_rows,
    write_trackingnet,
)


def images(folder: Path, count: int, suffix: str = ".jpg") -> None:
    for t in range(count):
        write_image(folder / f"frame{t}{suffix}", t)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    images(tmp_path / "walk", 12)
    write_rows(tmp_path / "walk/groundtruth.txt", moving_boxes(12), "\t")
    images(tmp_path / "run/img", 11, ".PNG")
    write_rows(tmp_path / "run/boxes.txt", moving_boxes(11))
    (tmp_path / "run/hidden.txt").write_text("0\n" * 10 + "1\n")
    images(tmp_path / "fly/frames", 3)
    write_rows(tmp_path / "fly.txt", moving_boxes(3))
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_folders_of_videos(folders: Path) -> None:
    dataset = FolderVideos(folders)
    assert isinstance(dataset, VideoDataset)
    assert dataset.names == ["fly", "run", "walk"]
    assert [len(dataset.annotation(index)) for index in range(3)] == [3, 11, 12]
    assert dataset.frame_path(2, 10).name == "frame10.jpg"  # as numbers, not as letters
    assert np.flatnonzero(~dataset.annotation(1).visible).tolist() == [10]
    np.testing.assert_array_equal(dataset.annotation(2).boxes, moving_boxes(12))
    for index in range(3):
        assert read_image(dataset.frame_path(index, 2)).shape == (64, 96, 3)
    assert dataset.prepare() == {}
    assert FolderVideos(folders, ["walk"]).names == ["walk"]
    with pytest.raises(InputError, match="lacks 1 of 1 sequences: wlak. Nearest to 'wlak': 'walk'"):
        FolderVideos(folders, ["wlak"])


def test_folders_that_hold_no_videos(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"holds no videos: expected folders <video>/ .*ffmpeg"):
        FolderVideos(tmp_path / "none")
    with pytest.raises(InputError, match=r"is one video; give the folder that holds it"):
        FolderVideos(folders / "run")
    with pytest.raises(InputError, match="there is no folder"):
        FolderVideos(tmp_path / "nowhere")


def test_a_folder_with_more_boxes_than_images(folders: Path) -> None:
    write_rows(folders / "walk/groundtruth.txt", moving_boxes(13))
    broken = FolderVideos(folders).prepare()
    assert "walk: 12 frames (images)" in broken[2]


def write_table(folder: Path, lines: list[str], header: str = "sequence,frame,x,y,w,h,visible") -> Path:
    file = folder / "annotations.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def test_a_table(tmp_path: Path) -> None:
    images(tmp_path / "walk", 12)
    images(tmp_path / "run/img", 4)
    file = write_table(
        tmp_path,
        ["walk,0,1,2,30,40,1", "walk,frame11.jpg,5,6,7,8,0", "", "run,3,1.5,1,10,10,1"],
    )
    for dataset in (open_csv(file), open_path(tmp_path), open_dataset(f"folder:{tmp_path}")):
        assert isinstance(dataset, VideoDataset)
        assert dataset.is_video
        assert [dataset.sequence_name(k) for k in range(len(dataset))] == ["walk", "run"]
    walk = dataset.annotation(0)
    assert np.flatnonzero(walk.valid).tolist() == [0, 11]  # images without a line have no target
    assert np.flatnonzero(walk.visible).tolist() == [0]
    np.testing.assert_array_equal(walk.boxes[11], [5, 6, 7, 8])
    assert dataset.annotation(1).boxes[3, 0] == 1.5
    assert dataset.frame_path(1, 3) == tmp_path / "run/img/frame3.jpg"
    assert read_places(file) == [file, tmp_path / "run", tmp_path / "walk"]
    assert read_places(tmp_path) == [tmp_path, tmp_path / "run", tmp_path / "walk"]
    assert read_places(tmp_path / "run") == [tmp_path / "run"]
    file = write_table(tmp_path, ["walk,2,1,2,3,4"], "Video; Image; X; Y; Width; Height".replace("; ", ","))
    assert open_csv(file).annotation(0).visible[2]


def test_places_name_each_folder_once_and_every_image_beside_the_file(tmp_path: Path) -> None:
    files = ["a/img/0.jpg", "a/img/1.jpg", "a/2.jpg", "./b/0.jpg", "0.jpg", "./1.jpg", "./2.jpg", "/c/0.jpg"]
    annotation = make_annotation(np.array([[0.0, 0.0, 9.0, 9.0]] * len(files)))
    dataset = ListedVideos("own", tmp_path, [ListedSequence("all", files, annotation)])
    inside = [tmp_path / name for name in ("0.jpg", "1.jpg", "2.jpg", "a", "b")]
    assert dataset.places() == [Path("/c"), *inside]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("walk,99,1,2,3,4,1", r"line 3: no image '99' among the 3 in"),
        ("walk,frame9.jpg,1,2,3,4,1", "line 3: no image 'frame9.jpg'"),
        ("walk,1,1,2,x,4,1", "line 3: could not convert"),
        ("walk,1,1,2", "line 3: too few columns"),
        ("walk,1,1,2,3,4,yes", "line 3: visible is 0 or 1, not 'yes'"),
        ("walk,0,1,2,3,4,1", "line 3: frame '0' has a second box"),
        ("walk,1,1_0,2,3,4,1", "line 3: could not convert"),
        ("walk,1,12,5,30,0,40,2,50,1", "line 3: 10 columns, the first line names 7; numbers with decimal"),
        (f'walk,1,1,2,3,4,"{"x" * 200_000}"', "line 3: field larger than field limit"),
        ("x" * 5000 + ",1,1,2,3,4,1", "line 3: .*File name too long"),
        ("fly,0,1,2,3,4,1", "line 3: no folder of frames at .*fly"),
    ],
)
def test_a_table_with_a_wrong_line(tmp_path: Path, line: str, message: str) -> None:
    images(tmp_path / "walk", 3)
    file = write_table(tmp_path, ["walk,0,1,2,3,4,1", line])
    with pytest.raises(InputError, match=message):
        open_csv(file)


def test_a_table_without_a_column(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: no column w, h; there is sequence, frame, x, y"):
        open_csv(write_table(tmp_path, [], "sequence,frame,x,y"))
    with pytest.raises(InputError, match="no sequences"):
        open_csv(write_table(tmp_path, []))


def write_json_file(folder: Path, content: dict) -> Path:
    file = folder / "annotations.json"
    file.write_text(json.dumps(content))
    return file


def tracks(folder: Path) -> dict:
    images(folder / "images/a", 6)
    images(folder / "images/b", 3)
    entries = [
        {"id": 10 * video + t, "file_name": f"{name}/frame{t}.jpg", "video_id": video, "frame_id": t}
        for video, (name, count) in enumerate((("a", 6), ("b", 3)))
        for t in range(count)
    ]
    boxes = [
        {"id": 1, "image_id": 1, "bbox": [1, 2, 30, 20], "track_id": 7, "category_id": 3},
        {"id": 2, "image_id": 4, "bbox": [3, 2, 30, 20], "track_id": 7, "category_id": 3, "occluded": 1},
        {"id": 3, "image_id": 1, "bbox": [5, 5, 9, 9], "track_id": 8, "category_id": 9},
        {"id": 4, "image_id": 12, "bbox": [5, 5, 9, 9], "track_id": 1, "visible": 1},
        {"id": 5, "image_id": 12, "bbox": [0, 0, 90, 90], "iscrowd": 1},
    ]
    return {
        "images": entries[::-1],  # in any order
        "videos": [{"id": 0, "name": "first"}, {"id": 1, "name": "second"}],
        "annotations": boxes,
        "categories": [{"id": 3, "name": "dog"}],
    }


def test_a_json_file_of_tracks(tmp_path: Path) -> None:
    dataset = open_json(write_json_file(tmp_path, tracks(tmp_path)))
    assert dataset.is_video
    assert dataset.names == ["first#7", "first#8", "second#1"]
    first = dataset.annotation(0)
    assert first.valid.tolist() == [True, False, False, True]  # from its first box to its last
    assert first.visible.tolist() == [True, False, False, False]
    assert dataset.frame_path(0, 3) == tmp_path / "images/a/frame4.jpg"
    assert [dataset.class_name(k) for k in range(3)] == ["dog", None, None]


def test_a_json_file_of_single_images(tmp_path: Path) -> None:
    images(tmp_path, 2)
    content = {
        "images": [{"id": t, "file_name": f"frame{t}.jpg"} for t in range(2)],
        "annotations": [
            {"id": 1, "image_id": 0, "bbox": [1, 2, 30, 20]},
            {"id": 2, "image_id": 0, "bbox": [1, 2, 20, 20]},
            {"id": 3, "image_id": 1, "bbox": [1, 2, 0, 20]},
        ],
    }
    dataset = open_json(write_json_file(tmp_path, content))
    assert not dataset.is_video
    assert dataset.names == ["frame0.jpg, object 1", "frame0.jpg, object 2"]
    assert dataset.frame_path(1, 5) == tmp_path / "frame0.jpg"


def test_json_files_that_are_none(tmp_path: Path) -> None:
    content = tracks(tmp_path)
    content["annotations"][2]["track_id"] = 7
    with pytest.raises(InputError, match="first#7: image 1 has two boxes. Give every object"):
        open_json(write_json_file(tmp_path, content))
    with pytest.raises(InputError, match="no JSON file in the manner of COCO .KeyError"):
        open_json(write_json_file(tmp_path, {"images": [{"id": 1}], "annotations": []}))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match="line 1: not valid JSON"):
        open_path(tmp_path / "bad.json")
    content = tracks(tmp_path)
    content["images"] = [{**entry, "file_name": f"x/{entry['file_name']}"} for entry in content["images"]]
    with pytest.raises(InputError, match=r"its first image, x/a/frame1.jpg, is in none of"):
        open_json(write_json_file(tmp_path, content))


def test_layouts_are_recognised(tmp_path: Path, folders: Path) -> None:
    assert detect_kind(folders) == "folder"
    assert detect_kind(write_lasot(tmp_path / "l", frames=1)) == "lasot"
    assert detect_kind(write_got10k(tmp_path / "g", frames=1)) == "got10k"
    assert detect_kind(write_trackingnet(tmp_path / "t", frames=1)) == "trackingnet"
    assert detect_kind(write_coco(tmp_path / "c")) == "coco"
    with pytest.raises(UnknownNameError, match="did you mean 'lasot'"):
        open_dataset("lasto", tmp_path)
    with pytest.raises(InputError, match="is no folder of videos"):
        open_path(folders / "fly.txt")


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["a10b2", "a9b10", "a9b9", "b1", "a"]
    assert sorted(names, key=natural_key) == ["a", "a9b9", "a9b10", "a10b2", "b1"]


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("annotations", {"bbox": [1, "1_0", 3, 4]}, "has the bbox .*1_0"),
        ("annotations", {"bbox": [1, True, 3, 4]}, "has the bbox .*True"),
        ("annotations", {"bbox": [[1, 2], [3, 4]]}, "must be four numbers x, y, w, h"),
        ("images", {"frame_id": float("nan")}, "a frame_id is no number"),
        ("images", {"frame_id": "x"}, "could not convert"),
    ],
)
def test_json_files_with_odd_numbers(
    tmp_path: Path, part: str, change: dict[str, object], message: str
) -> None:
    content = tracks(tmp_path)
    content[part][0] |= change
    with pytest.raises(InputError, match=message):
        open_json(write_json_file(tmp_path, content))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": ' + "9" * 5000 + "}"])
def test_json_that_python_gives_up_on(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match="bad.json: not JSON that can be read"):
        open_path(tmp_path / "bad.json")


def test_json_numbers_too_large_and_flags_as_text(tmp_path: Path) -> None:
    content = tracks(tmp_path)
    content["annotations"][0] |= {"bbox": [10**400, 2, 3, 4]}
    content["annotations"][2] |= {"visible": "0"}
    annotations = [open_json(write_json_file(tmp_path, content)).annotation(index) for index in range(2)]
    assert not annotations[0].valid[0]
    assert sum(int(a.visible.sum()) for a in annotations) < sum(int(a.valid.sum()) for a in annotations)


def test_a_json_beside_the_folder_of_its_split_is_opened(tmp_path: Path) -> None:
    """COCO's own layout: ``annotations/instances_train.json`` and ``train/``."""
    write_image(tmp_path / "train/a.jpg", 0)
    file = tmp_path / "annotations/instances_train.json"
    file.parent.mkdir()
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12], "iscrowd": 0}
    file.write_text(json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [box]}))
    dataset = open_path(file)
    assert dataset.frame_path(0, 0) == tmp_path / "train/a.jpg"
    assert tmp_path / "train" in [place.parent for place in read_places(file)] + read_places(file)
