"""Checks at the trackers' door: frames and initial boxes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm.exceptions import DomainError, InputError

__all__ = ["check_box", "check_image"]


def check_image(image: ArrayLike) -> NDArray[np.uint8]:
    """`image` as uint8 RGB ``[H, W, 3]``; grey ``[H, W]`` or ``[H, W, 1]`` is expanded.

    Raises:
        InputError: naming dtype, shape and remedy.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise InputError(_wrong_dtype(array))
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        hint = " Drop the alpha channel: image[..., :3]." if array.ndim == 3 and array.shape[2] == 4 else ""
        if array.ndim == 3 and array.shape[0] in (1, 3):
            hint = " Channels come last: image.transpose(1, 2, 0)."
        raise InputError(f"An image is [H, W, 3] RGB or [H, W] grey; got shape {array.shape}.{hint}")
    if min(array.shape[:2]) < 2:
        raise InputError(f"An image has at least 2 x 2 pixels; got shape {array.shape}.")
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array


def _wrong_dtype(array: NDArray[np.generic]) -> str:
    text = f"An image is uint8 with values 0 to 255; got {array.dtype} of shape {array.shape}"
    if array.size and np.issubdtype(array.dtype, np.floating):
        finite = np.isfinite(array)
        if not finite.all():
            return f"{text}, {int((~finite).sum())} of its values NaN or infinite. Check where it was read."
        top = float(array.max())
        scaled = "(image * 255).round().astype('uint8')" if top <= 1 else "image.round().astype('uint8')"
        return f"{text} and largest value {top:g}. Convert it: {scaled}."
    return f"{text}. Convert it with .astype('uint8') after scaling its values to 0..255."


def check_box(box: ArrayLike, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """`box` as float64 x, y, w, h ``[4]``, px.

    Raises:
        DomainError: if it is not four finite numbers, has no area, or does not meet the image.
    """
    try:
        values = np.asarray(box, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DomainError(f"A box is four numbers x, y, w, h; got {box!r}.") from error
    if values.size != 4:
        raise DomainError(f"A box is four numbers x, y, w, h; got {values.size}: {box!r}.")
    text = "[" + ", ".join(f"{v:g}" for v in values) + "]"
    if not np.isfinite(values).all():
        raise DomainError(
            f"The initial box {text} is not finite; start on a frame in which the target is marked."
        )
    x, y, w, h = values
    if w <= 0 or h <= 0:
        raise DomainError(
            f"The initial box {text} has no area (w = {w:g}, h = {h:g}); "
            "boxes are x, y, width, height, not corners."
        )
    height, width = image.shape[:2]
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise DomainError(
            f"The initial box {text} lies outside the image of {width} x {height} px; "
            "boxes are x, y, width, height in pixels of the image as it is shown, turned upright."
        )
    return values
