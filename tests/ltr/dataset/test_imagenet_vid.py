"""ImageNet VID: tracks out of XML files, parsed once."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError
from ltr.data.image_loader import read_image
from ltr.data.video import VideoDataset
from ltr.dataset import ImagenetVID, imagenet_vid
from ltr.dataset.tools.command import main
from tests.ltr.layouts import write_image

VIDEO = "ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000003"


def entry(track: int, box: tuple[int, int, int, int], occluded: int = 0, kind: str = "n02691156") -> str:
    x0, y0, x1, y1 = box
    return (
        f"<object><trackid>{track}</trackid><name>{kind}</name><bndbox><xmax>{x1}</xmax><xmin>{x0}</xmin>"
        f"<ymax>{y1}</ymax><ymin>{y0}</ymin></bndbox><occluded>{occluded}</occluded><generated>0</generated></object>"
    )


def write_frame(root: Path, frame: int, objects: list[str], video: str = VIDEO) -> None:
    file = root / "Annotations/VID/train" / video / f"{frame:06d}.xml"
    file.parent.mkdir(parents=True, exist_ok=True)
    size = "<size><width>96</width><height>64</height></size>"
    file.write_text(f"<annotation><folder>x</folder>{size}{''.join(objects)}</annotation>")
    write_image(root / "Data/VID/train" / video / f"{frame:06d}.JPEG", frame)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EBMTRACK_CACHE", str(tmp_path / "cache"))
    for frame in range(8):
        objects = [entry(0, (10, 10, 30 + frame, 40), occluded=int(frame == 2))]
        if frame in (3, 4, 6, 7):  # a gap at 5: what comes after it is not used
            objects.append(entry(1, (0, 0, 90, 60), kind="n02084071"))
        write_frame(tmp_path, frame, objects)
    return tmp_path


def test_tracks(root: Path) -> None:
    dataset = ImagenetVID(root)
    assert isinstance(dataset, VideoDataset)
    assert dataset.names == ["ILSVRC2015_train_00000003#0", "ILSVRC2015_train_00000003#1"]
    first, second = dataset.annotation(0), dataset.annotation(1)
    np.testing.assert_array_equal(first.boxes[:, 2], 20 + np.arange(8))
    assert np.flatnonzero(~first.visible).tolist() == [2]
    assert (len(second), dataset.class_name(1)) == (2, "n02084071")
    assert dataset.frame_path(1, 1) == root / "Data/VID/train" / VIDEO / "000004.JPEG"
    assert read_image(dataset.frame_path(1, 1)).shape == (64, 96, 3)


def test_videos_without_images_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = VIDEO.replace("03", "04")
    for frame in range(8):
        write_frame(root, frame, [entry(0, (10, 10, 30, 40))], other)
    assert len(ImagenetVID(root)) == 3
    shutil.rmtree(root / "Data/VID/train" / other)
    with pytest.raises(InputError, match=f"lacks 1 of 2 sequences: {other}"):
        ImagenetVID(root)
    dataset = ImagenetVID(root, allow_missing=True)
    assert len(dataset) == 2
    assert [skipped.names for skipped in dataset.skipped] == [(other,)]
    assert main(["check", "imagenetvid", "--root", str(root)]) == 1
    assert f"{other}  missing sequence" in capsys.readouterr().out
    assert main(["check", "imagenetvid", "--root", str(root), "--split", "train"]) == 2
    assert "imagenetvid has no splits" in capsys.readouterr().err


def test_filters(root: Path) -> None:
    assert len(ImagenetVID(root, min_length=3)) == 1
    assert ImagenetVID(root, max_target_area=0.5).names == ["ILSVRC2015_train_00000003#0"]
    with pytest.raises(InputError, match="none of the objects of 1 videos has 30 frames"):
        ImagenetVID(root, min_length=30)
    with pytest.raises(DomainError):
        ImagenetVID(root, max_target_area=0)


def test_files_are_parsed_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_frame(root, 0, [entry(5, (1, 1, 9, 9))], VIDEO[:-1] + "4")
    first = ImagenetVID(root)
    parsed: list[str] = []
    parse = imagenet_vid.parse_video
    monkeypatch.setattr(
        imagenet_vid, "parse_video", lambda folder, video: parsed.append(video) or parse(folder, video)
    )
    second = ImagenetVID(root)
    assert parsed == []
    assert second.names == first.names
    for index in range(3):
        np.testing.assert_array_equal(second.annotation(index).boxes, first.annotation(index).boxes)
        assert second.frame_path(index, 0) == first.frame_path(index, 0)
        assert second.class_name(index) == first.class_name(index)
    write_frame(root, 3, [entry(0, (10, 10, 20, 20))])  # edited in place
    third = ImagenetVID(root)
    assert parsed == [VIDEO]
    assert third.annotation(0).boxes[3, 2] == 10


def test_broken_files(root: Path) -> None:
    file = root / "Annotations/VID/train" / VIDEO / "000002.xml"
    file.write_text("<annotation><object>")
    with pytest.raises(InputError, match=r"000002.xml is no annotation of ImageNet VID"):
        ImagenetVID(root)
    with pytest.raises(InputError, match="no annotations at"):
        ImagenetVID(root / "Data")


def test_long_names_of_classes_are_whole(root: Path) -> None:
    for frame in range(8):
        write_frame(root, frame, [entry(0, (10, 10, 30, 40), kind="giant anteater of Brazil")])
    assert ImagenetVID(root).class_name(0) == "giant anteater of Brazil"


@pytest.mark.parametrize(
    "change",
    [
        ("<trackid>0", f"<trackid>{'9' * 30}"),
        ("<xmin>10", "<xmin>1_0"),
        ("<annotation>", '<?xml version="1.0" encoding="x"?><annotation>'),
    ],
)
def test_odd_xml_is_named(root: Path, change: tuple[str, str]) -> None:
    file = root / "Annotations/VID/train" / VIDEO / "000000.xml"
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(InputError, match="000000.xml is no annotation"):
        ImagenetVID(root)
