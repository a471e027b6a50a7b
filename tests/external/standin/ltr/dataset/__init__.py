"""Videos of a bright rectangle, under the names of the benchmarks."""

import functools

import numpy as np
import torch


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


class MSCOCOSeq(Generated):
    name = "coco"


class TrackingNet(Generated):
    name = "trackingnet"

    def __init__(self, root=None, image_loader=None, set_ids=None):
        self.set_ids = set_ids
