"""Videos of a bright rectangle, under the names of the benchmarks."""

import functools
from pathlib import Path

import numpy as np
import torch

import ltr

SPLITS = {"vottrain": "got10k_vot_train_split.txt", "votval": "got10k_vot_val_split.txt"}


@functools.cache
def background():
    return np.random.default_rng(0).integers(0, 60, (240, 320, 3), dtype=np.uint8)


class Generated:
    name = "generated"

    def __init__(self, root=None, image_loader=None, split=None):
        self.root = root

    def get_name(self):
        return self.name

    def get_frames(self, seq_id, frame_ids, anno=None):
        frames, boxes = [], []
        for index in frame_ids:
            frame = background().copy()
            x, y, w, h = 100 + 3 * index, 80 + 2 * index, 40, 30
            frame[y : y + h, x : x + w] = (200, 180, 60)
            frames.append(frame)
            boxes.append(torch.tensor([x, y, w, h], dtype=torch.float32))
        return frames, boxes


class Lasot(Generated):
    name = "lasot"


class Got10k(Generated):
    name = "got10k"

    def __init__(self, root=None, image_loader=None, split=None, seq_ids=None):
        names = (Path(root) / "list.txt").read_text().split()
        if split is not None:
            file = Path(ltr.__file__).parent / "data_specs" / SPLITS[split]
            seq_ids = [int(line) for line in file.read_text().split()]
        self.sequences = [names[i] for i in seq_ids]  # IndexError where the list is shorter than the split


class MSCOCOSeq(Generated):
    name = "coco"


class TrackingNet(Generated):
    name = "trackingnet"

    def __init__(self, root=None, image_loader=None, set_ids=None):
        self.set_ids = set_ids
