"""First-frame augmentation: transforms of the expanded crop, each cut back to the network's crop size."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pytracking.features.preprocessing import Pixels
from pytracking.libs.arrays import Array, like
from pytracking.libs.draws import Generator, uniform

__all__ = [
    "Transform",
    "blur",
    "crop_around_center",
    "dropout_channels",
    "flip_horizontal",
    "rescale",
    "rotate",
]

Operation = Callable[[Pixels], Pixels]


def _unchanged(image: Pixels) -> Pixels:
    return image


@dataclass(frozen=True, kw_only=True)
class Transform:
    """One way to alter the first frame.

    Attributes:
        kind: its name: identity, translation, flip, blur, scale or rotate.
        shift: (dy, dx), crop px, by which the content moves towards the bottom right.
        operation: what is done to the expanded crop before it is cut.
    """

    kind: str
    shift: tuple[int, int] = (0, 0)
    operation: Operation = field(default=_unchanged, compare=False)

    def __call__(self, image: Pixels, output_size: tuple[int, int]) -> Pixels:
        """Apply to ``[h, w, 3]``; returns ``[*output_size, 3]``."""
        return crop_around_center(self.operation(image), output_size, self.shift)


def crop_around_center(
    image: Pixels, output_size: tuple[int, int], shift: tuple[int, int] = (0, 0)
) -> Pixels:
    """Cut or replicate-pad to `output_size` (h, w) around the centre; content moves by `shift` (dy, dx)."""
    indices = []
    for axis in (0, 1):
        have, want = image.shape[axis], output_size[axis]
        before = math.floor((want - have) / 2) + shift[axis]
        indices.append(np.clip(np.arange(want) - before, 0, have - 1))
    return np.ascontiguousarray(image[indices[0]][:, indices[1]])


def flip_horizontal(image: Pixels) -> Pixels:
    """Mirror the columns."""
    return np.ascontiguousarray(image[:, ::-1])


def blur(sigma: tuple[float, float]) -> Operation:
    """Separable Gaussian of `sigma` (y, x) px, half-width ``ceil(2 sigma)``, zero outside the image."""

    def kernel(std: float) -> NDArray[np.float64]:
        offsets = np.arange(-math.ceil(2 * std), math.ceil(2 * std) + 1)
        weights = np.exp(-(offsets**2) / (2 * std**2))
        return weights / weights.sum()

    rows, columns = kernel(sigma[0]), kernel(sigma[1])

    def operation(image: Pixels) -> Pixels:
        blurred = cv2.sepFilter2D(image, -1, columns, rows, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, dtype=np.float32)

    return operation


def rotate(degrees: float) -> Operation:
    """Rotation about the image centre, bilinear, border repeated."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])

    def operation(image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        center = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix = np.concatenate((turn, (center - turn @ center)[:, None]), axis=1)
        turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(turned, dtype=np.float32)

    return operation


def rescale(factor: float) -> Operation:
    """Shrink the content by `factor`; the side keeps its parity, so that the centre stays."""

    def operation(image: Pixels) -> Pixels:
        sides = []
        for side in image.shape[:2]:
            new = round(side / factor)
            sides.append(new + (new - side) % 2)
        return np.asarray(cv2.resize(image, (sides[1], sides[0])), dtype=np.float32)

    return operation


def dropout_channels(features: Array, copies: int, probability: float, generator: Generator) -> Array:
    """Copies of one sample with whole channels dropped.

    Args:
        features: ``[1, C, h, w]``.
        copies: number of samples to make.
        probability: chance of a channel to be zeroed; survivors are scaled by 1 / (1 - probability).
        generator: what the mask is drawn from, torch's on the CPU or `Draws`.

    Returns:
        ``[copies, C, h, w]``.
    """
    keep = uniform(generator, copies, features.shape[1], single=True) >= probability
    return features * like(keep / (1 - probability), features)[:, :, None, None]
