"""A light detector small enough for tests, with random weights, and pictures for it."""

from pathlib import Path

import torch

from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.light import LightRecipe, build_light
from tests.ebm.tasks.detection.sets import draw, image_of, set_of

SMALL = LightRecipe(channels=8, hidden=16, short_side=64, long_side=96, canonical_size=32.0)
NAMES = ("cat", "dog")
FEW = ["--iterations", "2", "--threads", "1"]


def small_detector(seed: int = 0) -> FasterRCNNDetector:
    """A detector of two classes whose every hypothesis has a probability above the threshold."""
    torch.manual_seed(seed)
    model, _ = build_light(SMALL, NAMES, "random")
    return FasterRCNNDetector(model, ("", *NAMES), SMALL.rule)


def small_set(folder: Path, count: int = 4) -> DetectionSet:
    """Pictures of noise with two boxes each, half of them upright."""
    images = []
    for k in range(count):
        size = (96, 64) if k % 2 else (64, 96)
        path = draw(folder / f"{k}.png", *size, seed=k)
        boxes = [[4.0 + k, 6, 40, 50], [20, 10, 60, 40.0 + k]]
        images.append(image_of(k + 1, boxes, [0, 1], size=size, path=path))
    return set_of(*images, names=NAMES)
