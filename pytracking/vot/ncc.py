"""The classical reference of VOT, normalised cross-correlation, by OpenCV's template matching.

This file is copied into the workspace of a check and runs in the toolkit's own Python: it imports nothing of
EBMTrack. It speaks the Python API (``NCC``) and, started as a program, TraX.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

__all__ = ["NCC", "main"]

_SEARCH = 2.0  # sides of the searched window, in sides of the target


class _Target:
    """A template that is looked for around its last place."""

    def __init__(self, image: np.ndarray, box: Sequence[float]) -> None:
        height, width = image.shape[:2]
        left, top = (max(0, round(value)) for value in box[:2])
        right, bottom = round(box[0] + box[2]), round(box[1] + box[3])
        left, top = min(left, width - 2), min(top, height - 2)
        self.template = image[top : max(bottom, top + 2), left : max(right, left + 2)]
        self.size = box[2], box[3]
        self.place = left, top

    def find(self, image: np.ndarray) -> tuple[float, float, float, float]:
        high, wide = self.template.shape
        left = max(0, round(self.place[0] - (_SEARCH - 1) / 2 * wide))
        top = max(0, round(self.place[1] - (_SEARCH - 1) / 2 * high))
        window = image[top : top + round(_SEARCH * high), left : left + round(_SEARCH * wide)]
        if window.shape[0] >= high and window.shape[1] >= wide:
            scores = cv2.matchTemplate(window, self.template, cv2.TM_CCOEFF_NORMED)
            row, column = np.unravel_index(int(scores.argmax()), scores.shape)
            self.place = left + int(column), top + int(row)
        return float(self.place[0]), float(self.place[1]), float(self.size[0]), float(self.size[1])


class NCC:
    """The reference, for the toolkit's Python API."""

    multiobject = True

    def __init__(self) -> None:
        self._targets: list[_Target] = []

    def init(self, frame: Any, new: Any, properties: Any = None) -> list[Any]:
        """Begin anew with the objects of a frame."""
        self._targets = []
        return self.update(frame, new)

    def update(self, frame: Any, new: Any = (), properties: Any = None) -> list[Any]:
        """Find the objects in the next frame; those that begin in it are where they are said to be."""
        path = frame if isinstance(frame, str) else next(iter(frame.values()))
        image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise RuntimeError(f"{path} cannot be read")
        answers: list[Any] = [(target.find(image), {}) for target in self._targets]
        boxes = [_bounds(region) for region, _ in new or ()]
        self._targets += [_Target(image, box) for box in boxes]
        return answers + [(box, {}) for box in boxes]


def _bounds(region: Any) -> tuple[float, float, float, float]:
    """The box around a region of the Python API."""
    if isinstance(region, tuple) and len(region) == 4:
        return tuple(map(float, region))  # type: ignore[return-value]
    points = np.asarray(region, dtype=float)
    (x, y), (w, h) = points.min(axis=0), np.ptp(points, axis=0)
    return float(x), float(y), float(w), float(h)


def main() -> None:
    """Answer a TraX client."""
    import trax

    tracker = NCC()
    server = trax.Server([trax.Region.RECTANGLE], [trax.Image.PATH], tracker_name="NCC", multiobject=True)
    while True:
        request = server.wait()
        if request.type not in (trax.TraxStatus.INITIALIZE, trax.TraxStatus.FRAME):
            server.quit()
            return
        first = request.type == trax.TraxStatus.INITIALIZE
        new: list[Any] = [(region.bounds(), {}) for region, _ in request.objects or ()]
        answers = (tracker.init if first else tracker.update)(request.image["color"].path(), new)
        server.status([(trax.Rectangle.create(*box), {}) for box, _ in answers])


if __name__ == "__main__":
    main()
