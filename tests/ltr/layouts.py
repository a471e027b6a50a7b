"""Tiny datasets in the layouts of the real ones, for tests."""

import json
from pathlib import Path

import cv2
import numpy as np

__all__ = ["write_coco", "write_got10k", "write_image", "write_lasot", "write_trackingnet"]


def write_image(file: Path, seed: int = 0, size: tuple[int, int] = (96, 64)) -> None:
    """A smooth random picture of `size` (width, height)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    assert cv2.imwrite(str(file), cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))


def moving_boxes(frames: int) -> np.ndarray:
    """``[frames, 4]`` boxes that stay inside 96 x 64 px."""
    t = np.arange(frames)
    return np.stack((10 + t % 40, 8 + t % 20, 24 + t % 5, 18 + t % 3), axis=1).astype(np.float64)


def write_rows(file: Path, rows: np.ndarray, separator: str = ",") -> None:
    """One line a row."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [separator.join(f"{value:g}" for value in row) for row in np.atleast_2d(rows)]
    file.write_text("\n".join(lines) + "\n")


def write_lasot(root: Path, names: tuple[str, ...] = ("cat-1", "cat-2", "dog-7"), frames: int = 24) -> Path:
    """LaSOT: <class>/<name>/{img, groundtruth.txt, full_occlusion.txt, out_of_view.txt}."""
    for seed, name in enumerate(names):
        folder = root / name.rpartition("-")[0] / name
        for t in range(frames):
            write_image(folder / "img" / f"{t + 1:08d}.jpg", seed * 100 + t)
        write_rows(folder / "groundtruth.txt", moving_boxes(frames))
        (folder / "full_occlusion.txt").write_text(",".join("1" if t == 5 else "0" for t in range(frames)))
        (folder / "out_of_view.txt").write_text(",".join("1" if t == 6 else "0" for t in range(frames)))
    return root


def write_got10k(root: Path, count: int = 3, frames: int = 24) -> Path:
    """GOT-10k's train folder: list.txt, <name>/{*.jpg, groundtruth.txt, absence.label, cover.label}."""
    names = [f"GOT-10k_Train_{k + 1:06d}" for k in range(count)]
    for seed, name in enumerate(names):
        for t in range(frames):
            write_image(root / name / f"{t + 1:08d}.jpg", 1000 + seed * 100 + t)
        write_rows(root / name / "groundtruth.txt", moving_boxes(frames))
        (root / name / "absence.label").write_text("".join(f"{int(t == 3)}\n" for t in range(frames)))
        (root / name / "cover.label").write_text(
            "".join(f"{0 if t == 4 else 4 + t % 5}\n" for t in range(frames))
        )
    (root / "list.txt").write_text("\n".join(names) + "\n")
    return root


def write_trackingnet(root: Path, sets: tuple[int, ...] = (0, 10), frames: int = 24) -> Path:
    """TrackingNet: TRAIN_<n>/{anno/<video>.txt, frames/<video>/<frame>.jpg}, two videos a set."""
    for number in sets:
        for video in (f"aa{number}_1", f"bb{number}_0"):
            for t in range(frames):
                write_image(root / f"TRAIN_{number}" / "frames" / video / f"{t}.jpg", 2000 + number * 100 + t)
            write_rows(root / f"TRAIN_{number}" / "anno" / f"{video}.txt", moving_boxes(frames))
    return root


def write_coco(root: Path, version: str = "2017", images: int = 3) -> Path:
    """COCO: three good objects an image, one crowd and one object without area in all."""
    good = [[4, 5, 30, 20], [40, 10, 20.5, 30], [0, 0, 96, 64]]
    entries = [{"id": 10 + k, "file_name": f"{k:012d}.jpg", "width": 96, "height": 64} for k in range(images)]
    objects = [
        {"id": 100 + 10 * k + j, "image_id": 10 + k, "bbox": box, "iscrowd": 0, "category_id": 1}
        for k in range(images)
        for j, box in enumerate(good)
    ]
    objects.append({"id": 1, "image_id": 10, "bbox": [1, 1, 50, 50], "iscrowd": 1, "category_id": 1})
    objects.append({"id": 2, "image_id": 10, "bbox": [1, 1, 0, 50], "iscrowd": 0, "category_id": 1})
    for entry in entries:
        write_image(root / "images" / f"train{version}" / str(entry["file_name"]), int(str(entry["id"])))
    file = root / "annotations" / f"instances_train{version}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images": entries, "annotations": objects, "categories": []}))
    return root
