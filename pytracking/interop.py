"""Results in the objects that other packages draw, count and annotate with."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm.exceptions import MissingPackageError

if TYPE_CHECKING:
    from pytracking.tracker.base import Tracked

__all__ = ["to_supervision"]


def to_supervision(found: "Tracked | Mapping[Hashable, Tracked]") -> Any:
    """Boxes of a frame as ``supervision.Detections``, which its annotators, zones and counters take.

    Args:
        found: what `track` returned, of one target or ``{id: Tracked}``.

    Returns:
        Corners x1, y1, x2, y2, px, x2 = x + w; `confidence` is the score, `tracker_id` the id if all ids are
        whole numbers; ``data`` has the ``state`` of every target and, of several, its ``id`` as text. Lost
        targets are among them: ``detections[detections.data["state"] != "lost"]`` leaves them out.

    Raises:
        MissingPackageError: if supervision is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise MissingPackageError(
            f"supervision is needed for to_supervision() and cannot be imported ({error}): pip install "
            "supervision. It brings opencv-python; where that stands beside opencv-python-headless, remove "
            "the latter.",
            name="supervision",
        ) from error

    several = isinstance(found, Mapping)
    tracked = list(found.values()) if isinstance(found, Mapping) else [found]
    names = list(found) if isinstance(found, Mapping) else []
    boxes = np.array([each.box for each in tracked], dtype=np.float64).reshape(-1, 4)
    data: dict[str, Any] = {"state": np.array([each.state for each in tracked], dtype=str)}
    if several:
        data["id"] = np.array([str(name) for name in names], dtype=str)
    numbered = several and all(isinstance(name, int) for name in names)
    return supervision.Detections(
        xyxy=np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1).astype(np.float32),
        confidence=np.array([each.score for each in tracked], dtype=np.float32),
        class_id=np.zeros(len(tracked), dtype=int),
        tracker_id=np.array(names, dtype=int) if numbered else None,
        data=data,
    )
