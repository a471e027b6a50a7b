"""Writers of benchmarks in the layouts that they are distributed in: tiny, a few sequences of few frames."""

from pathlib import Path

import numpy as np

from pytracking.evaluation.places import official_table
from tests.pytracking.evaluation.tiny import boxes_of

__all__ = [
    "link_images",
    "write_boxes",
    "write_got10k_split",
    "write_nfs",
    "write_table_rows",
    "write_trackingnet",
]


def link_images(folder: Path, names: list[str]) -> None:
    """Files of these names; readers look at names and sizes only."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"\xff\xd8\xff\xd9")


def write_boxes(file: Path, boxes: np.ndarray, separator: str = ",") -> None:
    """A line of numbers for each row."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(separator.join(f"{value:g}" for value in row) + "\n" for row in boxes))


def write_table_rows(
    root: Path, table: str, names: list[str], images: str, annotation: str, digits: int
) -> None:
    """Sequences of a table with the frames that it says; patterns as in ``places.json``."""
    for name in names:
        row = official_table(table)[name]
        words = {"name": name, "bare": name.partition("_")[2] or name, "folder": row["folder"]}
        words["annotation"] = row.get("annotation", "")
        start, end = row["start"], row["end"] or row["start"] + 9
        files = [f"{number:0{digits}d}.jpg" for number in range(start, end + 1)]
        link_images(root / images.format(**words), files)
        write_boxes(root / annotation.format(**words), boxes_of(end - start + 1))


def write_nfs(root: Path, name: str, every: int) -> None:
    """A sequence in NFS's own layout: rows at 30 fps (`every` 1) or 240 (8), images at 30 fps."""
    row = official_table("nfs")[f"nfs_{name}"]
    frames = row["end"]
    link_images(root / name / "30" / name, [f"{number:05d}.jpg" for number in range(1, frames + 1)])
    lines = []
    for number in range((frames - 1) * every + 1):
        x, y = 4 + number, 8
        lines.append(f'0 {x} {y} {x + 12} {y + 10} {number + 1} 0 0 {int(number % every > 0)} "thing"\n')
    (root / name / "30" / f"{name}.txt").write_text("".join(lines))


def write_got10k_split(root: Path, split: str, count: int, frames: int = 6) -> list[str]:
    """Sequences of GOT-10k; of the test split with their first box alone."""
    names = [f"GOT-10k_{split.title()}_{number:06d}" for number in range(1, count + 1)]
    for name in names:
        folder = root / name
        link_images(folder, [f"{number:08d}.jpg" for number in range(1, frames + 1)])
        boxes = boxes_of(frames)
        write_boxes(folder / "groundtruth.txt", boxes if split == "val" else boxes[:1])
        meta = "[METAINFO]\nurl: none\nobject_class: dog\nresolution: (64, 48)\n"
        (folder / "meta_info.ini").write_text(meta)
        if split == "val":
            (folder / "cover.label").write_text("8\n" * (frames - 1) + "0\n")
            (folder / "absence.label").write_text("0\n" * frames)
    (root / "list.txt").write_text("\n".join(names) + "\n")
    return names


def write_trackingnet(root: Path, names: list[str], frames: int = 12) -> None:
    """Videos of TrackingNet's test set: one row of annotation each."""
    for name in names:
        link_images(root / "TEST/frames" / name, [f"{number}.jpg" for number in range(frames)])
        write_boxes(root / "TEST/anno" / f"{name}.txt", boxes_of(1))
