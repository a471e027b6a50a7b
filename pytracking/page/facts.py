"""What the page says beside the picture, as JSON."""

import math
from dataclasses import dataclass
from typing import Any

from pytracking.evaluation.drawing import PALETTE, TargetColours
from pytracking.evaluation.video_frames import Frame
from pytracking.evaluation.video_tables import Rows
from pytracking.page.snapshots import Point
from pytracking.tracker.common.several import TargetId

__all__ = ["PageOptions", "facts_of", "point_of"]


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What the page is about.

    Attributes:
        title: the video and the tracker.
        port: 0 for any that is free.
        count: frames of the video; None if it is not known.
        live: whether frames come by themselves, so that targets are chosen on a moving picture.
        with_ids: whether targets have ids, so that others can be added.
        whole_ids: whether an output takes whole numbers alone as ids.
    """

    title: str
    port: int = 0
    count: int | None = None
    live: bool = False
    with_ids: bool = False
    whole_ids: bool = False


def facts_of(options: PageOptions, frame: Frame | None, rows: Rows, colours: TargetColours) -> dict[str, Any]:
    """What is said of a frame and its targets."""
    return {
        "title": options.title,
        "count": options.count,
        "live": options.live,
        "with_ids": options.with_ids,
        "frame": None if frame is None else frame.number,
        "time": None if frame is None else _number(frame.time),
        "palette": PALETTE,
        "targets": [
            {
                "id": target,
                "name": _name(target),
                "box": [round(float(side), 2) for side in row.box],
                "score": _number(row.score),
                "state": row.state,
                "colour": colours.of(target, row.state),
            }
            for target, row in rows.items()
        ],
    }


def point_of(frame: Frame, rows: Rows) -> Point:
    """A frame's point of the score curve."""
    return frame.number, {_name(target): _number(row.score) for target, row in rows.items()}


def _name(target: TargetId | None) -> str:
    return "" if target is None else str(target)


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
