"""The readers of videos on tiny folders in the real layouts, and on damaged folders."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ltr.dataset
from ebm.exceptions import InputError, UnknownNameError
from ltr.data.image_loader import read_image
from ltr.dataset import Got10k, LaSOT, MSCOCOSeq, TrackingNet
from ltr.dataset.base import VideoDataset
from ltr.dataset.lasot import lasot_names
from tests.ltr.layouts import (
    moving_boxes,
    write_coco,
    write_got10k,
    write_image,
    write_lasot,
    write_rows,
    write_trackingnet,
)

NAMES = ("cat-1", "cat-2", "dog-7")

VIDEO_READERS: dict[str, Callable[[Path], VideoDataset]] = {
    "lasot": lambda root: LaSOT(write_lasot(root), NAMES),
    "got10k": lambda root: Got10k(write_got10k(root)),
    "trackingnet": lambda root: TrackingNet(write_trackingnet(root)),
}
FIRST = {  # annotation file and frame folder of each reader's first sequence
    "lasot": ("cat/cat-1/groundtruth.txt", "cat/cat-1/img", "00000003.jpg"),
    "got10k": ("GOT-10k_Train_000001/groundtruth.txt", "GOT-10k_Train_000001", "00000003.jpg"),
    "trackingnet": ("TRAIN_0/anno/aa0_1.txt", "TRAIN_0/frames/aa0_1", "2.jpg"),
}
video_readers = pytest.mark.parametrize("name", VIDEO_READERS)


@video_readers
def test_video_readers_agree_on_the_contract(tmp_path: Path, name: str) -> None:
    dataset = VIDEO_READERS[name](tmp_path)
    assert isinstance(dataset, VideoDataset)
    assert dataset.name == name
    assert dataset.is_video
    for index in range(len(dataset)):
        annotation = dataset.annotation(index)
        np.testing.assert_array_equal(annotation.boxes, moving_boxes(24))
        assert annotation.valid.all()
        for frame in (0, 23):
            assert read_image(dataset.frame_path(index, frame)).shape == (64, 96, 3)
        assert not dataset.frame_path(index, 24).exists()
    assert len({dataset.sequence_name(index) for index in range(len(dataset))}) == len(dataset)


@video_readers
def test_annotations_are_parsed_once(tmp_path: Path, name: str) -> None:
    dataset = VIDEO_READERS[name](tmp_path)
    before = dataset.annotation(0)
    shutil.rmtree(tmp_path)
    assert np.array_equal(dataset.annotation(0).boxes, before.boxes)


@video_readers
@pytest.mark.parametrize("lines", [23, 25])
def test_more_or_fewer_lines_than_frames(tmp_path: Path, name: str, lines: int) -> None:
    dataset = VIDEO_READERS[name](tmp_path)
    write_rows(tmp_path / FIRST[name][0], moving_boxes(lines))
    with pytest.raises(InputError, match=f"24 frames .* but {lines} lines") as caught:
        dataset.annotation(0)
    assert dataset.sequence_name(0) in str(caught.value)
    assert str(tmp_path / FIRST[name][0]) in str(caught.value)


@video_readers
def test_a_frame_without_a_usable_box_is_marked_not_fatal(tmp_path: Path, name: str) -> None:
    dataset = VIDEO_READERS[name](tmp_path)
    rows = moving_boxes(24)
    rows[3], rows[9, 2] = np.nan, 0
    write_rows(tmp_path / FIRST[name][0], rows)
    annotation = dataset.annotation(0)
    assert np.flatnonzero(~annotation.valid).tolist() == [3, 9]
    assert not annotation.visible[[3, 9]].any()


@video_readers
def test_missing_annotation_frame_and_folder(tmp_path: Path, name: str) -> None:
    dataset = VIDEO_READERS[name](tmp_path)
    annotation, folder, frame = (tmp_path / FIRST[name][0], tmp_path / FIRST[name][1], FIRST[name][2])
    (folder / frame).unlink()
    with pytest.raises(InputError, match="23 frames .* but 24 lines"):
        dataset.annotation(0)
    annotation.unlink()
    with pytest.raises(InputError, match=r"cannot be read"):
        dataset.annotation(0)
    write_rows(annotation, moving_boxes(24))
    if name != "got10k":  # there the frames lie beside the annotation
        shutil.rmtree(folder)
        with pytest.raises(InputError, match="no folder of frames"):
            dataset.annotation(0)


def test_lasot_flags_and_their_absence(tmp_path: Path) -> None:
    dataset = LaSOT(write_lasot(tmp_path), NAMES)
    assert np.flatnonzero(~dataset.annotation(0).visible).tolist() == [5, 6]
    (tmp_path / "cat/cat-2/full_occlusion.txt").unlink()
    assert np.flatnonzero(~dataset.annotation(1).visible).tolist() == [6]
    (tmp_path / "dog/dog-7/out_of_view.txt").write_text("0,1")
    with pytest.raises(InputError, match="dog-7: 2 entries in .*, but 24 boxes"):
        dataset.annotation(2)


def test_lasot_train_names_are_the_official_ones() -> None:
    train, test = lasot_names("train"), lasot_names("test")
    assert (len(train), len(test)) == (1120, 280)
    assert not set(train) & set(test)
    assert {"airplane-1", "zebra-17"} <= set(test)
    with pytest.raises(UnknownNameError, match="did you mean 'train'"):
        lasot_names("trian")


def test_lasot_with_a_part_of_its_sequences(tmp_path: Path) -> None:
    write_lasot(tmp_path, ("airplane-2", "airplane-3"), frames=2)
    with pytest.raises(InputError, match=r"lacks 1118 of 1120 sequences: airplane-4, .* and 1113 more"):
        LaSOT(tmp_path, "train")
    assert LaSOT(tmp_path, ["airplane-3"]).names == ["airplane-3"]
    with pytest.raises(InputError, match="lacks 1 of 1 sequences: airplane-33.*Nearest to 'airplane-33'"):
        LaSOT(tmp_path, ["airplane-33"])


def test_a_generated_root_has_its_own_list(tmp_path: Path) -> None:
    write_lasot(tmp_path / "lasot", NAMES)
    listing = {"generator": "test", "layout": "lasot", "sequences": [{"name": "cat-2"}, {"name": "dog-7"}]}
    (tmp_path / "lasot" / "generated.json").write_text(json.dumps(listing))
    assert LaSOT(tmp_path / "lasot", "train").names == ["cat-2", "dog-7"]
    write_got10k(tmp_path / "got10k")
    (tmp_path / "got10k" / "generated.json").write_text('{"sequences": ["GOT-10k_Train_000002"]}')
    assert Got10k(tmp_path / "got10k").names == ["GOT-10k_Train_000002"]
    write_trackingnet(tmp_path / "trackingnet")
    (tmp_path / "trackingnet" / "generated.json").write_text('{"sequences": ["bb0_0", "TRAIN_10/aa10_1"]}')
    assert TrackingNet(tmp_path / "trackingnet", range(4)).names == ["TRAIN_0/bb0_0", "TRAIN_10/aa10_1"]
    for listed in ("[]", "1e300", '"bb0_0"', "[3]"):
        (tmp_path / "trackingnet" / "generated.json").write_text(f'{{"sequences": {listed}}}')
        with pytest.raises(InputError, match="lists no sequences"):
            TrackingNet(tmp_path / "trackingnet")


def test_got10k_labels_and_their_absence(tmp_path: Path) -> None:
    dataset = Got10k(write_got10k(tmp_path))
    first = dataset.annotation(0)
    assert np.flatnonzero(~first.visible).tolist() == [3, 4]
    assert first.visible_ratio is not None
    np.testing.assert_allclose(first.visible_ratio[[0, 4, 8]], [0.5, 0, 0.875])
    for side in ("absence.label", "cover.label"):
        (tmp_path / "GOT-10k_Train_000002" / side).unlink()
    second = dataset.annotation(1)
    assert second.visible.all()
    assert second.visible_ratio is None


def test_got10k_splits(tmp_path: Path) -> None:
    root = write_got10k(tmp_path / "got" / "train")
    one, two, three = (f"GOT-10k_Train_00000{k}" for k in (1, 2, 3))
    assert Got10k(root.parent).names == [one, two, three]
    (tmp_path / "names.txt").write_text(f"# mine\n{three}\n{one}\n")
    assert Got10k(root, tmp_path / "names.txt").names == [three, one]
    (tmp_path / "numbers.txt").write_text("2\n0\n")
    assert Got10k(root, str(tmp_path / "numbers.txt")).names == [three, one]
    assert Got10k(root, exclude=[two]).names == [one, three]
    assert Got10k(root, [two]).names == [two]
    (tmp_path / "numbers.txt").write_text("7\n")
    with pytest.raises(InputError, match=r"sequence number 7 .*has 3"):
        Got10k(root, tmp_path / "numbers.txt")
    with pytest.raises(InputError, match="list of sequences .*nothing.txt cannot be read"):
        Got10k(root, tmp_path / "nothing.txt")
    with pytest.raises(InputError, match="no sequences"):
        Got10k(root, exclude=[one, two, three])
    (root / "list.txt").unlink()
    assert Got10k(root).names == [one, two, three]


def test_trackingnet_sets(tmp_path: Path) -> None:
    write_trackingnet(tmp_path, (0, 2, 10), frames=2)
    assert TrackingNet(tmp_path).names[-1] == "TRAIN_10/bb10_0"
    assert TrackingNet(tmp_path, [2]).names == ["TRAIN_2/aa2_1", "TRAIN_2/bb2_0"]
    with pytest.raises(InputError, match="lacks TRAIN_1, TRAIN_3; it has TRAIN_0, TRAIN_2, TRAIN_10"):
        TrackingNet(tmp_path, range(4))
    shutil.rmtree(tmp_path / "TRAIN_2" / "anno")
    with pytest.raises(InputError, match="no annotations at"):
        TrackingNet(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="TRAIN_<n>"):
        TrackingNet(tmp_path / "empty")


def test_roots_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMTRACK_GOT10K", str(write_got10k(tmp_path)))
    assert len(Got10k()) == 3
    with pytest.raises(InputError, match=r"/nowhere \(argument\); there is no such folder"):
        Got10k("/nowhere")


def test_the_package_has_these_readers_and_no_others() -> None:
    assert {getattr(ltr.dataset, name).__name__ for name in ltr.dataset.__all__} == set(ltr.dataset.__all__)
    with pytest.raises(AttributeError):
        ltr.dataset.Imaginary  # noqa: B018


def test_frame_size_may_change_within_a_sequence(tmp_path: Path) -> None:
    dataset = Got10k(write_got10k(tmp_path))
    write_image(dataset.frame_path(0, 3), size=(48, 40))
    assert read_image(dataset.frame_path(0, 3)).shape == (40, 48, 3)
    assert len(dataset.annotation(0)) == 24


def test_got10k_partitions_hold_every_sequence_once(tmp_path: Path) -> None:
    root = write_got10k(tmp_path, count=20, frames=1)
    train, val = Got10k(root, "train").names, Got10k(root, "val").names
    assert (len(train), len(val)) == (17, 3)
    assert sorted(train + val) == Got10k(root).names
    shuffled = (root / "list.txt").read_text().split()[::-1]
    (root / "list.txt").write_text("\n".join(shuffled))
    assert set(Got10k(root, "val").names) == set(val)  # by name, wherever it stands in the list


def test_got10k_prohibited_sequences_are_excluded_by_name(tmp_path: Path) -> None:
    root = write_got10k(tmp_path / "train", count=20, frames=1)
    with pytest.raises(
        InputError, match="the VOT challenge forbids, by name, and need their list. Get it from"
    ):
        Got10k(root, "vottrain")
    train, val = Got10k(root, "train").names, Got10k(root, "val").names
    banned = [train[0], train[5], val[1]]
    (tmp_path / "list0_prohibited_1000.txt").write_text("\n".join(banned))
    assert Got10k(root, "vottrain").names == [name for name in train if name not in banned]
    assert Got10k(tmp_path, "votval").names == [val[0], val[2]]
    (tmp_path / "mine.txt").write_text(train[1])
    assert Got10k(root, "vottrain", prohibited=tmp_path / "mine.txt").names == [train[0], *train[2:]]
    (tmp_path / "list0_prohibited_1000.txt").rename(
        root / "got10k_vot_exclude.txt"
    )  # PyTracking's name of it
    assert Got10k(root, "vottrain").names == [name for name in train if name not in banned]
    (root / "got10k_vot_exclude.txt").write_text("<!DOCTYPE html>\n")  # what a dead link gives
    with pytest.raises(InputError, match="'<!DOCTYPE html>' is not a name like GOT-10k_Train_000001"):
        Got10k(root, "vottrain")
    with pytest.raises(UnknownNameError, match="did you mean 'vottrain'"):
        Got10k(root, "vot-train")


def test_missing_sequences_only_when_asked_for(tmp_path: Path) -> None:
    dataset = LaSOT(write_lasot(tmp_path), ["cat-1", "cat-9", "dog-7"], allow_missing=True)
    assert dataset.names == ["cat-1", "dog-7"]
    assert dataset.missing == ("cat-9",)
    with pytest.raises(InputError, match="allow sequences to be missing"):
        LaSOT(tmp_path, ["cat-1", "cat-9", "dog-7"])
    with pytest.raises(InputError, match="named more than once: cat-1"):
        LaSOT(tmp_path, ["cat-1", "cat-1"])


def test_classes(tmp_path: Path) -> None:
    assert LaSOT(write_lasot(tmp_path / "l"), NAMES).class_name(2) == "dog"
    got = Got10k(write_got10k(tmp_path / "g"))
    assert got.class_name(0) is None
    (tmp_path / "g/GOT-10k_Train_000002/meta_info.ini").write_text("[METAINFO]\nobject_class: bear\n")
    assert got.class_name(1) == "bear"
    write_trackingnet(tmp_path / "t", (0,))
    assert TrackingNet(tmp_path / "t").class_name(0) is None
    (tmp_path / "t/classmap.txt").write_text("aa0_1\tboat\n\n")
    mapped = TrackingNet(tmp_path / "t")
    assert [mapped.class_name(0), mapped.class_name(1)] == ["boat", None]
    assert len(mapped.annotation(1)) == 24  # a video without a class is still data
    (tmp_path / "t/classmap.txt").write_text("aa0_1 boat\n")
    with pytest.raises(InputError, match="classmap.txt, line 1: expected video<TAB>class"):
        TrackingNet(tmp_path / "t")
    coco = MSCOCOSeq(write_coco(tmp_path / "c"))
    assert coco.class_name(0) is None
    file = tmp_path / "c/annotations/instances_train2017.json"
    file.write_text(file.read_text().replace('"categories": []', '"categories": [{"id": 1, "name": "cup"}]'))
    assert MSCOCOSeq(tmp_path / "c").class_name(0) == "cup"


@pytest.mark.parametrize("place", ["3", "9" * 5000])
def test_positions_beyond_the_list_of_got10k(tmp_path: Path, place: str) -> None:
    root = write_got10k(tmp_path / "got", 3, 2)
    (tmp_path / "split.txt").write_text(f"0\n{place}\n")
    with pytest.raises(InputError, match=f"asks for sequence number {place[:40]} .counted from 0., but this"):
        Got10k(root, split=tmp_path / "split.txt")
