"""One HTML file with every frame of a run: boxes, score maps, refinement, density; needs no server."""

import base64
import json
from html import escape
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from ebm.density.corners import Corner
from ebm.exceptions import InputError
from pytracking.evaluation.watching import Seen
from pytracking.tracker.base import Tracked
from pytracking.tracker.common.glimpse import Glimpse
from pytracking.tracker.common.several import TargetId

__all__ = ["DebugPage"]

_LONGEST = 640  # px of a frame's longer side on the page
_QUALITY = 80  # of its JPEG
_POINTS = 24  # of a corner's density, along each axis
_CORNERS: tuple[Corner, Corner] = ("top-left", "bottom-right")


class DebugPage:
    """Writes the page frame by frame: whatever ends the run, what is there can be opened.

    A `Watcher`. Nothing is written before the first frame.

    Args:
        path: of the page.
        title: its heading, plain text.
        every: keep every how many frames; the first is always kept.
        with_density: also draw the density of two corners, where the tracker has one.

    Raises:
        InputError: from `see`, if the file cannot be written.
    """

    def __init__(self, path: Path, title: str, *, every: int = 1, with_density: bool = True) -> None:
        self._path, self._title, self._every = path, title, every
        self._with_density = with_density
        self._file: TextIO | None = None
        self.frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.write("</body>\n</html>\n")
            self._file.close()

    def see(self, seen: Seen) -> None:
        """Add a frame."""
        if seen.number % self._every and self._file is not None:
            return
        height, width = seen.image.shape[:2]
        targets = [self._target(name, each, seen.glimpses.get(name)) for name, each in seen.found.items()]
        frame = {"n": seen.number, "width": width, "height": height, "targets": targets}
        frame["image"] = _jpeg(_shrunk(seen.image))
        text = json.dumps(frame, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        self._write(f'<script type="application/json" class="frame">{text}</script>\n')
        self.frames += 1

    def _write(self, text: str) -> None:
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8")
                self._file.write(self._head())
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise InputError(f"The page {self._path} cannot be written: {error.strerror}.") from error

    def _head(self) -> str:
        template = files("pytracking.evaluation").joinpath("debug_page.html").read_text(encoding="utf-8")
        note = "" if self._every == 1 else f"One frame of {self._every} was kept."
        return template.replace("@TITLE@", escape(self._title)).replace("@NOTE@", note)

    def _target(self, name: TargetId, tracked: Tracked, glimpse: Glimpse | None) -> dict[str, Any]:
        target: dict[str, Any] = {
            "id": "" if name is None else str(name),
            "box": _rounded(tracked.box),
            "score": round(tracked.score, 4),
            "state": tracked.state,
            "flag": tracked.flag.value,
            "path": [],
            "remembered": None,
        }
        if glimpse is not None:
            target |= _seen(glimpse)
            density = self._density(tracked)
            target |= {} if density is None else {"density": density}
        return target

    def _density(self, tracked: Tracked) -> dict[str, Any] | None:
        """Two corners' density, or None where the tracker has none."""
        if not self._with_density:
            return None
        try:
            density = tracked.density
        except InputError:
            return None
        deviations = np.sqrt(np.diagonal(np.asarray(density.box_covariance("samples"))))
        corners = []
        for corner in _CORNERS:
            grid = density.corner_density(corner, _POINTS)
            x, y = (axis.points[0].numpy() for axis in grid.axes)
            widths = np.outer(*(axis.widths[0].numpy() for axis in grid.axes))
            heights = grid.log_masses[0].exp().numpy() / widths
            corners.append({"x": _rounded(x), "y": _rounded(y), "data": _scaled(heights, 0.0)[0]})
        return {
            "corners": corners,
            "confidence": round(float(density.confidence), 4),
            "deviations": _rounded(deviations),
        }


def _seen(glimpse: Glimpse) -> dict[str, Any]:
    """What a glimpse adds to its target on the page."""
    height, width = glimpse.view.crop_size
    data, low, high = _scaled(glimpse.scores)
    rows, columns = glimpse.scores.shape
    energies = [[round(float(e), 5) if np.isfinite(e) else None for e in row] for row in glimpse.energies]
    return {
        "crop": _jpeg(glimpse.crop),
        "cropBox": _rounded(glimpse.view.image_boxes(np.array([[0.0, 0.0, width, height]]))[0]),
        "map": {"rows": rows, "columns": columns, "low": low, "high": high, "data": data},
        "mapBox": _rounded(glimpse.map_box),
        "path": [[_rounded(box) for box in step] for step in glimpse.path],
        "energies": energies,
        "remembered": glimpse.remembered,
        "learnt": glimpse.learnt,
    }


def _scaled(values: NDArray[Any], low: float | None = None) -> tuple[str, float, float]:
    """Bytes from 0 at `low`, or the least value, to 255 at the greatest, in base64; and these two numbers."""
    known = np.nan_to_num(np.asarray(values, dtype=np.float64), posinf=0.0, neginf=0.0)
    least = float(known.min()) if low is None else low
    greatest = float(known.max())
    share = (known - least) / (greatest - least) if greatest > least else np.zeros_like(known)
    data = np.rint(255 * share.clip(0, 1)).astype(np.uint8)
    return base64.b64encode(data.tobytes()).decode(), round(least, 5), round(greatest, 5)


def _rounded(values: NDArray[Any]) -> list[float]:
    """To a hundredth of a pixel; what is not finite, which no picture shows, is 0."""
    return [round(float(v), 2) if np.isfinite(v) else 0.0 for v in values]


def _shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = _LONGEST / max(image.shape[:2])
    if factor >= 1:
        return image
    width, height = (max(1, round(n * factor)) for n in (image.shape[1], image.shape[0]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(image: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return base64.b64encode(data.tobytes()).decode()
