"""Small benchmark folders: a bright square that moves over a dark image."""

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from pytracking.evaluation.table_layout import TableLayout

__all__ = ["boxes_of", "draw_frames", "otb_layout", "write_lasot", "write_otb"]


def otb_layout(root: Path, tag: str = "otb") -> TableLayout:
    """A folder in OTB's layout."""
    return TableLayout(root, tag, "otb")


def boxes_of(frames: int, start: float = 4.0) -> np.ndarray:
    """A box that moves right by two pixels a frame: xywh, ``[T, 4]``."""
    steps = np.arange(frames)[:, None] * (2.0, 0, 0, 0)
    return np.array((start, 8.0, 12.0, 10.0)) + steps


def draw_frames(folder: Path, boxes: np.ndarray, digits: int = 4, size: tuple[int, int] = (48, 64)) -> None:
    """Write 0001.jpg, 0002.jpg... with the square at its boxes."""
    folder.mkdir(parents=True)
    for number, (x, y, w, h) in enumerate(boxes.astype(int), start=1):
        image = np.full((*size, 3), 40, dtype=np.uint8)
        image[y : y + h, x : x + w] = (30, 120, 220)
        assert cv2.imwrite(str(folder / f"{number:0{digits}d}.jpg"), image)


def write_otb(root: Path, lengths: Mapping[str, int], *, generated: bool = True) -> Path:
    """An OTB folder with these sequences; `generated` adds the list that makes it complete."""
    for name, frames in lengths.items():
        boxes = boxes_of(frames)
        draw_frames(root / name / "img", boxes)
        np.savetxt(root / name / "groundtruth_rect.txt", boxes, fmt="%.2f", delimiter=",")
    if generated:
        index = {"generator": 1, "layout": "otb", "sequences": list(lengths)}
        (root / "generated.json").write_text(json.dumps(index))
    return root


def write_lasot(root: Path, lengths: Mapping[str, int], *, generated: bool = True) -> Path:
    """A LaSOT folder with these sequences (``class-k``); the target is hidden on the last frame."""
    for name, frames in lengths.items():
        folder = root / name.rpartition("-")[0] / name
        boxes = boxes_of(frames)
        draw_frames(folder / "img", boxes, digits=8)
        np.savetxt(folder / "groundtruth.txt", boxes, fmt="%d", delimiter=",")
        hidden = ",".join(["0"] * (frames - 1) + ["1"])
        (folder / "full_occlusion.txt").write_text(hidden + "\n")
        (folder / "out_of_view.txt").write_text(",".join(["0"] * frames) + "\n")
    if generated:
        index = {"generator": 1, "layout": "lasot", "sequences": list(lengths)}
        (root / "generated.json").write_text(json.dumps(index))
    return root
