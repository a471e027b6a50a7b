"""The page: everything that it shows in one file, so that it opens without a network and can be passed on."""

import base64
import html
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.files import write_atomic
from pytracking.analysis.aligned import aligned_tracks, overlap_over_time, shown_truth
from pytracking.analysis.attributes import attributes_of
from pytracking.analysis.extract import Evaluation
from pytracking.analysis.sources import BoxSource
from pytracking.analysis.viewer.blobs import box_bytes, overlap_bytes, packed
from pytracking.analysis.viewer.pictures import Pictures, file_pattern, frame_size, take_pictures
from pytracking.evaluation import data

__all__ = ["PageOptions", "require_plotly", "write_page"]

_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)  # a box every so many frames
_BOX_SHARE = 0.6  # of what overlap leaves room for
_CODE = ("tracks.js", "table.js", "stage.js", "viewer.js")
_ROOM = 120_000  # bytes of markup and code


@dataclass(frozen=True)
class PageOptions:
    """How large the page may be, and where its pictures come from.

    Args:
        megabytes: of the file, at most.
        link_frames: load the data set's own image files, on this machine alone, instead of small copies.
    """

    megabytes: float = 14.0
    link_frames: bool = False


@dataclass
class _Content:
    """What goes into the page."""

    meta: dict[str, Any] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)


def write_page(
    evaluation: Evaluation,
    sequences: Sequence[data.Sequence],
    sources: Sequence[BoxSource],
    path: Path,
    options: PageOptions = PageOptions(),
) -> int:
    """Write the page of an evaluation.

    Args:
        evaluation: of these sequences and sources.
        sequences: in which those of the evaluation are.
        sources: of runs; the first of each tracker is played back.
        path: of the HTML file.
        options: its size and pictures.

    Returns: bytes written.

    Raises:
        MissingPackageError: if plotly is not installed.
        InputError: if the page cannot be made as small as asked.
    """
    library = _plotly()
    by_name = {sequence.name: sequence for sequence in sequences}
    used = [by_name[name] for name in evaluation.sequences]
    runs = [next(s for s in sources if s.label == tracker.label) for tracker in evaluation.ranked()]
    budget = int(options.megabytes * 1e6) - len(library) - _ROOM
    content = _content(evaluation, used, runs, budget, options)
    text = _assembled(evaluation, content, library)
    if len(text) > options.megabytes * 1e6:
        raise InputError(
            f"The page takes {len(text) / 1e6:.1f} MB, more than the {options.megabytes:g} MB that it may; "
            "evaluate fewer sequences or trackers, or allow it more."
        )
    write_atomic(path, text)
    return len(text)


def require_plotly() -> None:
    """Make sure that `write_page` has what it draws with.

    Raises:
        MissingPackageError: if plotly is not installed.
    """
    try:
        import plotly.offline  # noqa: F401
    except ImportError as error:
        raise explain_missing("the page of an evaluation", "plotly") from error


def _plotly() -> str:
    """The library that draws, deflated, in base64."""
    require_plotly()
    from plotly.offline import get_plotlyjs

    return base64.b64encode(zlib.compress(get_plotlyjs().encode(), 9)).decode("ascii")


def _content(
    evaluation: Evaluation,
    used: Sequence[data.Sequence],
    runs: Sequence[BoxSource],
    budget: int,
    options: PageOptions,
) -> _Content:
    """Overlap first, then boxes as densely as fit, then pictures with what is left."""
    tracks = [aligned_tracks(runs, item) for item in used]
    over_time = [overlap_over_time(boxes, shown_truth(item)) for item, boxes in zip(used, tracks)]
    overlap = packed([overlap_bytes(values) for values in over_time])
    with_truth = [np.concatenate([item.ground_truth[None], boxes]) for item, boxes in zip(used, tracks)]
    scales = [_scale(boxes) for boxes in with_truth]
    step, boxes = _fitting(with_truth, scales, int((budget - len(overlap)) * _BOX_SHARE))
    left = budget - len(overlap) - len(boxes)
    pictures = {} if options.link_frames else take_pictures(used, max(0, left))
    meta = evaluation.to_json() | {
        "title": evaluation.title,
        "order": [tracker.label for tracker in evaluation.ranked()],
        "step": step,
        "attributes": attributes_of(evaluation.dataset),
        "frame_counts": [len(item) for item in used],
        "scales": scales,
        "sizes": [_size(item, pictures.get(item.name), boxes) for item, boxes in zip(used, with_truth)],
        "pictures": [_shown(pictures.get(item.name)) for item in used],
        "files": [file_pattern(item) if options.link_frames else None for item in used],
    }
    images = [image for item in used for image in pictures.get(item.name, Pictures()).images]
    return _Content(meta, {"overlap": overlap, "boxes": boxes, "images": " ".join(images)})


def _scale(boxes: np.ndarray) -> float:
    """Steps a pixel: quarters, fewer where coordinates are large."""
    largest = float(np.nanmax(np.abs(boxes), initial=1.0))
    return float(min(4.0, 30_000 / min(largest, 30_000)))


def _fitting(tracks: Sequence[np.ndarray], scales: Sequence[float], budget: int) -> tuple[int, str]:
    """The smallest step with which the boxes take no more than `budget` bytes, and these."""
    total, sample = sum(boxes.shape[1] for boxes in tracks), tracks[:: max(1, len(tracks) // 12)]
    rate = total / max(1, sum(boxes.shape[1] for boxes in sample))
    made = ""
    for step in _STEPS:
        if step < _STEPS[-1] and rate > 2:
            guess = rate * len(packed([box_bytes(boxes, step, 4.0) for boxes in sample], 1))
            if guess > 1.1 * budget:
                continue
        made = packed([box_bytes(boxes, step, scale) for boxes, scale in zip(tracks, scales, strict=True)])
        if len(made) <= budget:
            return step, made
    return _STEPS[-1], made


def _size(sequence: data.Sequence, pictures: Pictures | None, boxes: np.ndarray) -> list[int]:
    """Width and height of the video; what the boxes need where there is no image."""
    if pictures is not None and pictures.size[0]:
        return list(pictures.size)
    size = frame_size(sequence)
    if size is not None:
        return list(size)
    far = np.nanmax(np.abs(boxes[0, :, :2] + boxes[0, :, 2:]), axis=0, initial=32)
    return [int(value) + 16 for value in far]


def _shown(pictures: Pictures | None) -> list[int]:
    return list(pictures.frames) if pictures is not None else []


def _assembled(evaluation: Evaluation, content: _Content, library: str) -> str:
    """The file: markup, style and code of `static`, with what they need beside them."""
    static = files("pytracking.analysis.viewer") / "static"

    def part(name: str) -> str:
        return (static / name).read_text(encoding="utf-8")

    meta = json.dumps(content.meta, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    blocks = {"plotly": library, **content.blobs}
    scripts = "\n".join(
        f'<script type="text/plain" id="data-{name}">{text}</script>' for name, text in blocks.items()
    )
    page = part("viewer.html")
    for mark, value in (
        ("{{title}}", html.escape(evaluation.title)),
        ("{{style}}", part("viewer.css")),
        ("{{meta}}", meta),
        ("{{blobs}}", scripts),
        ("{{code}}", "\n".join(part(name) for name in _CODE)),
    ):
        page = page.replace(mark, value)
    return page
