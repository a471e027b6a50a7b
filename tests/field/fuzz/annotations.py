"""Annotations in every layout, and tables of one's own, as targets."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ltr.data.video import VideoDataset
from ltr.dataset import LaSOT
from ltr.dataset.opening import open_path
from tests.field.fuzz import oracles
from tests.field.fuzz.damage import JSON, TEXT
from tests.field.fuzz.target import Target
from tests.ltr.dataset.test_imagenet_vid import VIDEO, entry, write_frame
from tests.ltr.layouts import (
    write_coco,
    write_got10k,
    write_image,
    write_lasot,
    write_rows,
    write_trackingnet,
)
from tests.pytracking.evaluation.tiny import otb_layout, write_otb

__all__ = ["FRAMES", "ROWS", "TARGETS", "opened"]

FRAMES = 4
ROWS = np.array([(10, 8, 24, 18.5), (11, 9, 25, 19), (12, 10, 26.25, 18), (13, 11, 27, 19)])
_Sequences = dict[str, tuple[np.ndarray, np.ndarray]]  # name -> boxes, visible


def opened(
    place: str = ".", reader: Callable[[Path], VideoDataset] = open_path
) -> Callable[[Path], _Sequences]:
    def read(folder: Path) -> _Sequences:
        with mock.patch.dict(os.environ, {"EBMTRACK_CACHE": str(folder / "cache")}):
            dataset = reader(folder / place)
            return {
                dataset.sequence_name(i): (dataset.annotation(i).boxes, dataset.annotation(i).visible)
                for i in range(len(dataset))
            }

    return read


def _same(found: np.ndarray, expected: Any, what: str) -> str:
    with np.errstate(over="ignore"):
        expected = np.asarray(expected, dtype=found.dtype)
    equal = found.shape == expected.shape and np.array_equal(found, expected, equal_nan=True)
    return "" if equal else f"{what} reads {found.tolist()}, the file says {expected.tolist()}"[:600]


def _sequence(
    name: str, found: tuple[np.ndarray, np.ndarray], boxes: Path, hidden: Mapping[Path, int]
) -> str:
    """What is wrong with one sequence; `hidden`: files of flags, and the highest number in them."""
    rows = oracles.rows(boxes)
    if rows is None:
        return f"{name} was read as {found[0].tolist()}, its file is not plain"[:600]
    visible = np.isfinite(rows).all(axis=1) & (rows[:, 2:] > 0).all(axis=1)
    for file, highest in hidden.items():
        flags = oracles.flags(file, highest)
        if flags is None or len(flags) != len(rows):
            return f"{name}: {file.name} was read, and is not plain"
        visible &= flags == 0 if highest == 1 else flags > 0
    with np.errstate(over="ignore"):  # what float32 cannot hold is no box
        visible &= np.isfinite(rows.astype(np.float32)).all(axis=1)
        visible &= (rows[:, 2:].astype(np.float32) > 0).all(axis=1)
    return _same(found[0], rows, name) or _same(found[1], visible, f"{name}, visible")


def _layout(
    boxes: Callable[[Path, str], Path], hidden: Mapping[str, int] | None = None
) -> Callable[[Path, _Sequences, Any, str], str]:
    def judge(folder: Path, found: _Sequences, before: _Sequences, said: str) -> str:
        for name, sequence in found.items():
            file = boxes(folder, name)
            flags = {file.parent / flag: highest for flag, highest in (hidden or {}).items()}
            wrong = _sequence(name, sequence, file, {f: top for f, top in flags.items() if f.is_file()})
            if wrong:
                return wrong
        return "" if found.keys() <= before.keys() else f"unknown sequences {sorted(found)}"[:300]

    return judge


def _write_own(folder: Path) -> None:
    for name in ("walk", "run"):
        for t in range(FRAMES):
            write_image(folder / name / "img" / f"{t}.jpg", t)


def _write_folders(folder: Path) -> None:
    _write_own(folder)
    write_rows(folder / "walk/groundtruth.txt", ROWS, "\t")
    write_rows(folder / "run/groundtruth.txt", ROWS)
    (folder / "run/hidden.txt").write_text("0\n0\n1\n0\n")


def _write_csv(folder: Path) -> None:
    _write_own(folder)
    lines = [
        f"{name},{t},{','.join(f'{v:g}' for v in row)}"
        for name in ("walk", "run")
        for t, row in enumerate(ROWS)
    ]
    (folder / "annotations.csv").write_text("\n".join(["sequence,frame,x,y,w,h", *lines]) + "\n")


def _judge_csv(folder: Path, found: _Sequences, _: Any, __: str) -> str:
    table = oracles.own_table(folder / "annotations.csv")
    if table is None:
        return f"a table that is not plain was read as { ({k: v[0].tolist() for k, v in found.items()}) }"[
            :600
        ]
    rows = [row for name in found for row in found[name][0] if not np.isnan(row).all()]
    wanted = [row for name in found for key, row in table.items() if key[0] == name]
    wanted = [row for row in wanted if not np.isnan(row).all()]
    with np.errstate(over="ignore"):  # in the order after rounding, in which neighbours may be equal
        ordered = [sorted(map(tuple, np.float32(some).tolist())) for some in (rows, wanted)]
    return _same(np.float32(ordered[0]), ordered[1], "the table")


def _write_json(folder: Path, videos: bool = True) -> None:
    _write_own(folder)
    images = [
        {
            "id": t + 1,
            "file_name": f"walk/img/{t}.jpg",
            **({"video": "walk", "frame_id": t} if videos else {}),
        }
        for t in range(FRAMES)
    ]
    objects = [
        {"id": t + 10, "image_id": t + 1, "bbox": row.tolist(), "category_id": 3, "visible": 1}
        for t, row in enumerate(ROWS)
    ]
    content = {"images": images, "annotations": objects, "categories": [{"id": 3, "name": "cat"}]}
    (folder / "annotations.json").write_text(json.dumps(content, indent=1))


def _judge_json(name: str) -> Callable[[Path, _Sequences, Any, str], str]:
    def judge(folder: Path, found: _Sequences, _: Any, __: str) -> str:
        boxes = oracles.own_json(folder / name)
        if boxes is None:
            return f"a file that is not plain was read as {[s[0].tolist() for s in found.values()]}"[:600]
        with np.errstate(over="ignore"):
            there = {tuple(row) for row in np.array(boxes, dtype=np.float32).tolist()}
        odd = [
            row
            for boxes, _ in found.values()
            for row in boxes.tolist()
            if tuple(row) not in there and np.isfinite(row).all()
        ]
        return f"boxes {odd} are not in the file"[:400] if odd else ""

    return judge


def _write_vid(folder: Path) -> None:
    for frame in range(3):
        write_frame(folder, frame, [entry(0, (10, 10, 30 + frame, 40)), entry(1, (0, 0, 90, 60))])


def _judge_vid(folder: Path, found: _Sequences, _: Any, __: str) -> str:
    read = [oracles.tracks(file) for file in sorted((folder / "Annotations/VID/train" / VIDEO).iterdir())]
    if any(corners is None for corners in read):
        return "XML that is not plain was read"
    corners = np.array([c for one in read for c in one or []]).reshape(-1, 4)
    with np.errstate(invalid="ignore", over="ignore"):
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).astype(np.float32)
    there = {tuple(row) for row in boxes.tolist()}
    odd = [row for rows, _ in found.values() for row in rows.tolist() if tuple(row) not in there]
    return f"boxes {odd} are not in the files" if [row for row in odd if np.isfinite(row).all()] else ""


def _read_otb(folder: Path) -> _Sequences:
    sequence = otb_layout(folder).read("Walking")
    return {"Walking": (sequence.ground_truth, np.isfinite(sequence.ground_truth).all(axis=1))}


def _judge_otb(folder: Path, found: _Sequences, _: Any, __: str) -> str:
    rows = oracles.rows(folder / "Walking/groundtruth_rect.txt")
    return "not plain, and read" if rows is None else _same(found["Walking"][0], rows, "Walking")


def _lasot(folder: Path) -> LaSOT:
    return LaSOT(folder, ("cat-1", "cat-2"))


def _lasot_boxes(folder: Path, name: str) -> Path:
    return folder / "cat" / name / "groundtruth.txt"


_LASOT = {"full_occlusion.txt": 1, "out_of_view.txt": 1}
_GOT = {"absence.label": 1, "cover.label": 8}
TARGETS = (
    Target(
        "annotations/lasot",
        lambda folder: write_lasot(folder, ("cat-1", "cat-2"), FRAMES),
        *(opened(reader=_lasot), _layout(_lasot_boxes, _LASOT), "**/*.txt", TEXT),
    ),
    Target(
        "annotations/got10k",
        lambda folder: write_got10k(folder, 2, FRAMES),
        opened(),
        _layout(lambda folder, name: folder / name / "groundtruth.txt", _GOT),
        *("**/*[tl]", TEXT),
    ),
    Target(
        "annotations/trackingnet",
        lambda folder: write_trackingnet(folder, (0,), FRAMES),
        opened(),
        _layout(lambda folder, name: folder / "TRAIN_0/anno" / f"{Path(name).name}.txt"),
        *("**/*.txt", TEXT),
    ),
    Target(
        "annotations/otb", lambda f: write_otb(f, {"Walking": 4}), _read_otb, _judge_otb, "**/*.txt", TEXT
    ),
    Target(
        "annotations/own folders",
        _write_folders,
        opened(),
        _layout(lambda folder, name: folder / name / "groundtruth.txt", {"hidden.txt": 1}),
        *("**/*.txt", TEXT),
    ),
    Target("annotations/own csv", _write_csv, opened(), _judge_csv, "*.csv", TEXT),
    Target("annotations/own json", _write_json, opened(), _judge_json("annotations.json"), "*.json", JSON),
    Target(
        "annotations/own json, single",
        lambda folder: _write_json(folder, videos=False),
        *(opened(), _judge_json("annotations.json"), "*.json", JSON),
    ),
    Target(
        "annotations/coco",
        write_coco,
        opened(),
        _judge_json("annotations/instances_train2017.json"),
        *("**/*.json", JSON),
    ),
    Target("annotations/voc", _write_vid, opened(), _judge_vid, "**/*.xml", TEXT),
)
