"""A small folder of a user's files under many names, and what a command has changed in it."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ltr.admin.checkpoint_io import write_checkpoint
from ltr.admin.exported import write_export
from ltr.admin.model_constructor import NetConstructor
from pytracking.evaluation.video_io import VideoWriter, open_video
from tests.ebm.tasks.detection.sets import content_of, draw
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames, write_otb

__all__ = ["NAMES", "RUN", "Tree", "build_tree"]

RUN = "checkpoints/ltr/dimp/dimp_nce_plus_small"
FILES = ("clip.mp4", "frames/0001.jpg", "frames/0003.jpg", "otb/Walk/groundtruth_rect.txt")
FILES += ("otb/Walk/img/0002.jpg", "results/Walk.txt", "table.csv", "net/X_ep0001.safetensors")
FILES += ("net/X_ep0001.json", "net/X_ep0001.pth.tar", "notes.txt", "ws/RUN/resnet.pth")
FILES += ("coco/train.json", "coco/found.json", "coco/pictures/a.jpg")
FILES = tuple(name.replace("RUN", RUN) for name in FILES)
FOLDERS = ("ws", "frames", "otb", "otb/Walk/img", "results", "net", "out", "coco", "coco/pictures", ".")
LINKS = ("to_clip.mp4", "to_frames", "to_frame.csv", "hard_frame.csv", "hard_clip.mp4", "to_nothing.mp4")
LINKS += (
    "to_found.json",
    "to_picture.json",
    "coco/scores.csv",
    "to_otb",
    "to_frames/0002.jpg",
    "loop",
    "to_net/X_ep0001.json",
)
SPELLINGS = ("./clip.mp4", "out/../clip.mp4", "frames/../frames/0001.jpg", "otb/./Walk", "out//../frames")
MISSING = ("new.mp4", "new.csv", "new", "out/new.mp4", "out/deep/er.mp4", "frames/new.mp4", "frames/9.jpg")
MISSING += ("otb/new", "otb/Walk/img/new.csv", "to_frames/new.csv", "clip.mp4/below.mp4", "new.mp4/new.csv")
NAMES = (*FILES, *FOLDERS, *LINKS, *SPELLINGS, *MISSING)

Inode = tuple[int, int]


def build_tree(root: Path) -> Path:
    """The folder, without its hard links, which copying loses."""
    draw_frames(root / "frames", boxes_of(3), size=(32, 48))
    with VideoWriter(root / "clip.mp4", 10) as writer:
        for frame in open_video(root / "frames").frames():
            writer.add(frame)
    write_otb(root / "otb", {"Walk": 3})
    for folder in ("results", "net", "out", f"ws/{RUN}"):
        (root / folder).mkdir(parents=True)
    (root / f"ws/{RUN}/resnet.pth").write_bytes(b"weights of the user's")
    fields = {"net_type": "X", "epoch": 1, "net": {"weight": torch.zeros(3)}, "net_info": {}}
    fields["constructor"] = NetConstructor("dimpnet_small", "ltr.models.tracking.dimpnet", (), {})
    write_checkpoint(root / "net/X_ep0001.pth.tar", fields)
    write_export(root / "net", fields, "X_ep0001.pth.tar")
    shutil.copy(root / "otb/Walk/groundtruth_rect.txt", root / "results/Walk.txt")
    _write_coco(root / "coco")
    (root / "table.csv").write_text("a table of the user's\n")
    (root / "notes.txt").write_text("notes\n")
    for name, target in (
        ("to_clip.mp4", "clip.mp4"),
        ("to_frames", "frames"),
        ("to_frame.csv", "frames/0001.jpg"),
        ("to_nothing.mp4", "frames/nothing.mp4"),
        ("to_otb", "otb"),
        ("to_found.json", "coco/found.json"),
        ("coco/scores.csv", "found.json"),
        ("to_picture.json", "coco/pictures/a.jpg"),
        ("to_net", "net"),
        ("loop", "loop"),
    ):
        (root / name).symlink_to(target)
    return root


def _write_coco(folder: Path) -> None:
    """Two pictures with boxes, and what a detector has found in them."""
    for seed, name in enumerate(("a.jpg", "b.jpg")):
        draw(folder / "pictures" / name, 40, 30, seed)
    images = [
        {"id": k, "file_name": f"pictures/{name}.jpg", "width": 40, "height": 30}
        for k, name in ((7, "a"), (8, "b"))
    ]
    (folder / "train.json").write_text(json.dumps(content_of(images=images)))
    row = {"image_id": 7, "category_id": 20, "bbox": [5, 6, 10, 12], "score": 0.9}
    (folder / "found.json").write_text(json.dumps([row]))


def _inodes(path: Path) -> Iterator[Inode]:
    """Every file that is read where `path` is read: itself, or all below it, through links."""
    if path.is_dir():
        for folder, _, files in os.walk(path, followlinks=True):
            for file in files:
                yield from _inodes(Path(folder) / file)
        return
    with contextlib.suppress(OSError):
        found = path.stat()
        yield found.st_dev, found.st_ino


@dataclass(frozen=True)
class Entry:
    """A file or link before a command ran: what it holds, and which file it leads to."""

    content: str
    leads_to: frozenset[Inode]


class Tree:
    """A fresh copy of the folder, looked at before and after."""

    def __init__(self, template: Path, root: Path) -> None:
        shutil.copytree(template, root, symlinks=True)
        os.link(root / "frames/0002.jpg", root / "hard_frame.csv")
        os.link(root / "clip.mp4", root / "hard_clip.mp4")
        self.root = root
        self.before = self._entries()

    def _entries(self) -> dict[str, Entry]:
        found = {}
        for folder, folders, files in os.walk(self.root):
            for name in [*files, *(sub for sub in folders if Path(folder, sub).is_symlink())]:
                path = Path(folder) / name
                data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
                text = f"{path.is_symlink()} {hashlib.sha256(data).hexdigest()}"
                found[str(path.relative_to(self.root))] = Entry(text, frozenset(_inodes(path)))
        return found

    def changed(self) -> list[str]:
        """Files and links that were there and are gone, or hold something else."""
        after = self._entries()
        return [
            name
            for name, entry in self.before.items()
            if name not in after or after[name].content != entry.content
        ]

    def added(self) -> list[str]:
        """Files that were not there."""
        return sorted(self._entries().keys() - self.before.keys())

    def read(self, inputs: Iterable[str]) -> set[Inode]:
        """The files that are read where these names are given; ask before the command runs."""
        return {inode for name in inputs for inode in _inodes(self.root / name)}

    def place(self, name: str) -> str:
        """Where a name is, below the root, without the links on the way to it."""
        path = Path(os.path.abspath(self.root / name))
        return os.path.relpath(Path(os.path.realpath(path.parent)) / path.name, os.path.realpath(self.root))

    def target(self, name: str) -> str:
        """Where what a name leads to is, below the root."""
        return os.path.relpath(os.path.realpath(self.root / name), os.path.realpath(self.root))
