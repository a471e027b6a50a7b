"""Sequences to evaluate on that need no image files."""

from pathlib import Path

import numpy as np

from pytracking.evaluation.data import Sequence


class Unfiled:
    """What a source says of itself that has no files: sources of one label are runs of one tracker."""

    label: str
    remark = ""

    @property
    def tracker(self) -> str:
        return self.label

    def place(self, sequence: Sequence) -> str:
        return f"{self.label}, sequence {sequence.name}"

    def made_elsewhere(self, sequence: Sequence) -> bool:
        return False


def without_images(name: str, dataset: str, boxes: np.ndarray, visible: np.ndarray | None = None) -> Sequence:
    """A sequence to evaluate on; the image files need not exist."""
    frames = tuple(Path(f"{number:08d}.jpg") for number in range(1, len(boxes) + 1))
    return Sequence(name, dataset, frames, boxes, visible)
