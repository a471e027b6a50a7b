"""Augmentations of one crop: small functions, their random decisions taken by the caller.

They work on the crop rather than on the frame it was cut from: the crop is 10 to 50 times smaller, and
flipping or greying commutes with cropping.
"""

import cv2
import numpy as np
import numpy.typing as npt

from ebm.exceptions import DomainError

__all__ = ["EXACT_MIRROR", "PUBLISHED_MIRROR", "draw_gain", "flip_boxes", "flip_image", "to_grey"]

Image = npt.NDArray[np.uint8]

# Where a mirror puts the left edge of a box: at width - margin - (x + w). The published transform mirrors
# pixel indices (margin 1) and applies that to edges, which moves every mirrored box one pixel to the left
# of its target. Mirrored edges (margin 0) are exact, and only they give the same box whether one flips the
# frame or the crop.
PUBLISHED_MIRROR = 1.0
EXACT_MIRROR = 0.0


def flip_image(image: Image, out: Image | None = None) -> Image:
    """The mirror image, left and right swapped.

    Args:
        image: ``[H, W, C]``.
        out: where to put it, of the same shape; None: a new array.

    Returns:
        ``[H, W, C]``. Not a view with negative strides: whoever copies that later pays thrice.
    """
    return np.asarray(cv2.flip(image, 1, dst=out), dtype=np.uint8)


def flip_boxes(
    boxes: npt.NDArray[np.float32], width: float, margin: float = PUBLISHED_MIRROR
) -> npt.NDArray[np.float32]:
    """Boxes of the mirror image.

    Args:
        boxes: ``[..., 4]`` xywh, px.
        width: width of the image, px.
        margin: `PUBLISHED_MIRROR` or `EXACT_MIRROR`, px.

    Returns:
        ``[..., 4]`` xywh, px; flipping twice gives the boxes back.
    """
    flipped = boxes.copy()
    flipped[..., 0] = width - margin - (boxes[..., 0] + boxes[..., 2])
    return flipped


def to_grey(image: Image) -> Image:
    """The image without colour, ``[H, W, 3]`` with equal channels (ITU-R 601 weights)."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def draw_gain(rng: np.random.Generator, jitter: float) -> float:
    """A brightness factor, uniform in ``[max(0, 1 - jitter), 1 + jitter]``.

    It is only drawn here: multiplying needs floats, so it happens after the bytes have reached the device.

    Raises:
        DomainError: if `jitter` is negative.
    """
    if jitter < 0:
        raise DomainError(f"brightness jitter must not be negative, got {jitter}.")
    return float(rng.uniform(max(0.0, 1.0 - jitter), 1.0 + jitter)) if jitter else 1.0
