"""The check of pictures with boxes: every fault by name, and videos left to the check of videos."""

import json
import shutil
from pathlib import Path

import pytest

from ltr.dataset.tools.command import main
from ltr.dataset.tools.layouts import check_dataset
from ltr.dataset.tools.pictures import holds_pictures
from tests.ebm.tasks.detection.sets import content_of, draw, write_set


def kinds(path: Path, *, deep: bool = False, notes: bool = False) -> dict[str, str]:
    report = check_dataset(path, deep=deep)
    return {found.kind: found.sequence for found in report.findings if found.note == notes}


def test_a_whole_set_has_notes_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    categories = [*content_of()["categories"], {"id": 30, "name": "cow"}]
    file = write_set(tmp_path, categories=categories)
    assert main(["check", f"folder:{file}", "--deep"]) == 0
    assert "2 pictures, 3 objects" in capsys.readouterr().out
    assert kinds(file, notes=True) == {"crowds": "-", "categories without objects": "-"}


def test_every_fault_is_named(tmp_path: Path) -> None:
    images = [
        *content_of()["images"],
        *({"id": k, "file_name": f"{k}.jpg", "width": 60, "height": 40} for k in range(4)),
    ]
    rows = [
        *content_of()["annotations"],
        {"id": 4, "image_id": 7, "category_id": 10, "bbox": [float("nan"), 1, 2, 3]},
        {"id": 5, "image_id": 7, "category_id": 10, "bbox": [5, 5, -2, 3]},
        {"id": 6, "image_id": 7, "category_id": 10, "bbox": [60, 5, 2, 3]},
        {"id": 7, "image_id": 7, "category_id": 99, "bbox": [5, 5, 2, 3]},
    ]
    file = write_set(tmp_path, images=images, annotations=rows)
    draw(tmp_path / "train/1.jpg", 61, 40)
    whole = draw(tmp_path / "train/2.jpg", 60, 40).read_bytes()
    (tmp_path / "train/2.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "train/3.jpg").touch()
    assert kinds(file) == {
        "boxes that are not finite": "-",
        "boxes without area": "-",
        "boxes outside their picture": "-",
        "objects of unknown categories": "-",
        "missing image": "0.jpg",
        "image of another size": "1.jpg",
        "truncated image": "2.jpg",
        "empty image": "3.jpg",
    }


def test_videos_are_none(tmp_path: Path) -> None:
    for change in ("video_id", "frame_id"):
        images = [{**image, change: 1} for image in content_of()["images"]]
        assert not holds_pictures(write_set(tmp_path / change, images=images))
    rows = [{**row, "track_id": 1} for row in content_of()["annotations"]]
    assert not holds_pictures(write_set(tmp_path / "tracks", annotations=rows))
    assert holds_pictures(write_set(tmp_path / "plain"))
    (tmp_path / "other.json").write_text(json.dumps([1]))
    assert not holds_pictures(tmp_path / "other.json")


def test_every_split_of_yolo_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("yaml")
    for split, row in (("train", "0 .5 .5 .2 .2"), ("val", "0 75 75 20 20")):
        draw(tmp_path / "images" / split / f"{split}.jpg", 100, 100)
        (tmp_path / "labels" / split).mkdir(parents=True)
        (tmp_path / "labels" / split / f"{split}.txt").write_text(row)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    assert main(["check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "2 pictures, 1 object" in out
    assert "rows that are no class and shares of the picture" in out
    assert main(["check", str(tmp_path), "--split", "train"]) == 0


@pytest.mark.parametrize("name", ["coco_mix", "voc2007_5cls"])
def test_real_photos_are_whole(test_data: Path, name: str) -> None:
    report = check_dataset(test_data / f"train/photos/{name}/annotations/instances_val.json")
    assert not report.faults
    assert report.counted == ("picture", "object")
    assert report.sequences in (150, 400)


def test_a_split_of_a_folder_of_coco_is_of_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*content_of()["annotations"], {"id": 9, "image_id": 7, "category_id": 10, "bbox": [5, 5, -2, 3]}]
    write_set(tmp_path, "train")
    file = write_set(tmp_path, "val", annotations=rows)
    assert main(["check", str(tmp_path), "--split", "train"]) == 0
    assert "2 pictures, 3 objects" in capsys.readouterr().out
    assert main(["check", str(tmp_path), "--split", "val"]) == 1
    capsys.readouterr()
    assert main(["check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "4 pictures, 6 objects" in out
    assert "boxes without area" in out
    assert "1 of val, first: " in out
    assert main(["check", str(file), "--split", "val"]) == 2
    out = tmp_path.parent / f"{tmp_path.name}_yolo"
    assert main(["convert", str(tmp_path), "--split", "val", "--to", "yolo", "--out", str(out)]) == 1
    assert "left out: 1 boxes without area" in capsys.readouterr().out
    again = tmp_path.parent / f"{tmp_path.name}_again"
    assert main(["convert", str(out), "--out", str(again)]) == 0
    assert (again / "annotations" / "instances_val.json").is_file()


def test_a_split_without_pictures_is_named_and_the_others_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train2017", "val2017"):
        write_set(tmp_path, split)
    shutil.rmtree(tmp_path / "train2017")
    assert main(["check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "unusable split" in out
    assert "train2017: " in out
    assert "2 pictures, 3 objects" in out
    assert main(["check", str(tmp_path), "--split", "val2017"]) == 0


def test_splits_as_other_tools_export_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "valid"):
        file = write_set(tmp_path, split)
        file.rename(tmp_path / split / "_annotations.coco.json")
    assert main(["check", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "4 pictures, 6 objects" in out
    assert "crowds: 1 of train, not trained on, 1 of valid, not trained on" in out


def test_what_trackers_pack_of_a_folder_of_coco_is_checked_as_they_read_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        write_set(tmp_path / "coco", split)
    (tmp_path / "coco/train/b.jpg").write_bytes(b"")
    command = ["pack", str(tmp_path / "coco"), "--out", str(tmp_path / "packed"), "--no-progress"]
    assert main(command) == 2
    assert "1 sequence cannot be read: b.jpg, object 3" in capsys.readouterr().err
    assert main([*command, "--skip-broken"]) == 0
    assert "left out: b.jpg, object 3" in capsys.readouterr().out
