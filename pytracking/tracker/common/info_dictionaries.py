"""PyTracking's dictionaries: what its runners hand to a tracker, and what they take from it."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from ebm.exceptions import InputError
from pytracking.tracker.base import Tracked

__all__ = ["as_output", "boxes_to_add", "boxes_to_start", "is_info"]

Boxes = Mapping[Hashable, ArrayLike]

_KEYS = ("init_bbox", "init_object_ids", "init_mask")


def is_info(value: Any) -> bool:
    """Whether what a tracker is started with is an ``info`` dictionary, not a box and not ``{id: box}``."""
    return isinstance(value, Mapping) and any(key in value for key in _KEYS)


def boxes_to_start(info: Mapping[Any, Any]) -> ArrayLike | Boxes:
    """The box of one object, or ``{id: box}``, in the order of ``init_object_ids``.

    Raises:
        InputError: if there is no box, or one id has none or is there twice.
    """
    box = info.get("init_bbox")
    if box is None:
        raise InputError(
            f"info has no init_bbox; it has {', '.join(map(str, info))}. A tracker of boxes starts with one."
        )
    if not isinstance(box, Mapping):
        found: ArrayLike = box
        return found
    ids = info.get("init_object_ids")
    return _of_ids(box, list(box) if ids is None else ids)


def boxes_to_add(info: Mapping[Any, Any] | None) -> Boxes:
    """Objects that begin in a later frame.

    Raises:
        InputError: if one id has no box, or is there twice.
    """
    ids = (info or {}).get("init_object_ids")
    if info is None or not ids:
        return {}
    box = info.get("init_bbox")
    if not isinstance(box, Mapping):
        raise InputError(
            f"info has init_object_ids {list(ids)}; its init_bbox must be {{id: box}}, got {box!r}."
        )
    return _of_ids(box, ids)


def _of_ids(boxes: Boxes, ids: Any) -> Boxes:
    wanted = list(ids)
    twice = [target for target in wanted if wanted.count(target) > 1]
    if twice:
        raise InputError(f"init_object_ids has {twice[0]!r} more than once: {wanted}.")
    missing = [target for target in wanted if target not in boxes]
    if missing:
        raise InputError(f"init_bbox has no box of object {missing[0]!r}; it has {list(boxes)}.")
    return {target: boxes[target] for target in wanted}


def as_output(answer: Any, seconds: float) -> dict[str, Any]:
    """What a runner records of a frame.

    Args:
        answer: `Tracked`, or ``{id: Tracked}``.
        seconds: the frame took; several objects share them evenly.

    Returns:
        ``target_bbox`` (list x, y, w, h, px), ``object_presence_score`` (in [0, 1]) and ``time``; of several
        objects each is an ordered dictionary by id.
    """
    if isinstance(answer, Tracked):
        return {
            "target_bbox": answer.box.tolist(),
            "object_presence_score": answer.score,
            "time": seconds,
        }
    share = seconds / max(1, len(answer))
    return {
        "target_bbox": OrderedDict((target, found.box.tolist()) for target, found in answer.items()),
        "object_presence_score": OrderedDict((target, found.score) for target, found in answer.items()),
        "time": OrderedDict((target, share) for target in answer),
    }
