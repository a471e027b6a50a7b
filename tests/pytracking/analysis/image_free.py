"""Sequences to evaluate on that need no image files."""

from pathlib import Path

import numpy as np

from pytracking.evaluation.data import Sequence


def without_images(name: str, dataset: str, boxes: np.ndarray, visible: np.ndarray | None = None) -> Sequence:
    """A sequence to evaluate on; the image files need not exist."""
    frames = tuple(Path(f"{number:08d}.jpg") for number in range(1, len(boxes) + 1))
    return Sequence(name, dataset, frames, boxes, visible)
