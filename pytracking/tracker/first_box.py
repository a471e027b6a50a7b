"""The tracker that repeats its first box: the floor every other tracker is measured against."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm.exceptions import InputError
from pytracking.tracker.base import Flag, Tracked
from pytracking.tracker.common.inputs import check_box, check_image

__all__ = ["FirstBox"]


class FirstBox:
    """Answers every frame with the first box, score 1 and state ok."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._box: NDArray[np.float64] | None = None

    def initialize(self, image: ArrayLike, box: ArrayLike) -> None:
        """Remember `box` x, y, w, h, px.

        Raises:
            InputError: if the image is no uint8 picture.
            DomainError: if the box is not finite, has no area or lies outside the image.
        """
        self._box = check_box(box, check_image(image))

    def track(self, image: ArrayLike) -> Tracked:
        """The first box again.

        Raises:
            InputError: if the image is no uint8 picture or the tracker was not initialised.
        """
        check_image(image)
        if self._box is None:
            raise InputError(
                "The tracker has no target yet; call initialize(image, box) before track(image)."
            )
        return Tracked(box=self._box.copy(), score=1.0, flag=Flag.NORMAL)
