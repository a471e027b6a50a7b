"""What a person asks for on the page, read from its messages and checked."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ebm.exceptions import InputError
from pytracking.evaluation.box_file import parse_id
from pytracking.tracker.common.several import TargetId

__all__ = ["Box", "Wish", "read_wish"]

Box = tuple[float, float, float, float]
Kind = Literal["start", "hold", "pause", "go", "step", "stop", "place", "add", "remove", "opened", "gone"]

_TOLD = ("opened", "gone")  # by the server itself
_ASKED: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind not in _TOLD)
_WITH_BOX = {"place", "add"}
_LONGEST = 40  # letters of an id


@dataclass(frozen=True)
class Wish:
    """One thing that is asked for.

    Attributes:
        do: ``start`` with `boxes`; ``hold`` the picture of a camera, let it ``go`` on; ``pause`` (from the
            first frame on, if targets are still being chosen), ``step``, ``stop``; ``place`` a target at a
            box, ``add`` or ``remove`` one. The server tells ``opened`` and ``gone``: the first page was
            opened, the last one closed.
        boxes: x, y, w, h, px, by id.
        target: whom it is about; None is the one target without id.
        frame: number of the frame on which the boxes were drawn.
        keep_memory: of ``place``: go on with what was learnt of the target.
    """

    do: Kind
    boxes: Mapping[TargetId, Box] = field(default_factory=dict)
    target: TargetId | None = None
    frame: int | None = None
    keep_memory: bool = True


def read_wish(text: str | bytes) -> Wish:
    """A message of the page.

    Raises:
        InputError: if it is none: what is wrong, for the person who sent it.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"A message of the page cannot be read: {error}.") from error
    asked = message.get("do") if isinstance(message, dict) else None
    do = next((kind for kind in _ASKED if kind == asked), None)
    if do is None:
        raise InputError(f"A message of the page asks for nothing that is known: {str(text)[:80]!r}.")
    frame = message.get("frame")
    target = None if message.get("id") is None else _target(message["id"])
    boxes: dict[TargetId, Box] = {}
    if do == "start":
        boxes = _boxes(message.get("boxes"))
    elif do in _WITH_BOX:
        boxes = {target: _box(message.get("box"), target)}
    return Wish(
        do=do,
        boxes=boxes,
        target=target,
        frame=frame if isinstance(frame, int) else None,
        keep_memory=message.get("keep_memory") is not False,
    )


def _boxes(listed: Any) -> dict[TargetId, Box]:
    if not isinstance(listed, list) or not listed:
        raise InputError("Draw a box around every target first.")
    found: dict[TargetId, Box] = {}
    for each in listed:
        if not isinstance(each, dict):
            raise InputError("A message of the page holds a target that is none.")
        target = _target(each.get("id"))
        if target in found:
            raise InputError(f"Two targets have the id {target}; ids differ.")
        found[target] = _box(each.get("box"), target)
    return found


def _target(value: Any) -> TargetId:
    """An id that the outputs can hold: their columns are parted by commas."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not text or len(text) > _LONGEST or re.search(r'[\s,"]|[^\x20-\U0010ffff]', text):
        raise InputError(
            f"{str(value)[:_LONGEST]!r} is no id: take 1 to {_LONGEST} letters or digits, without blanks, "
            "commas and quotes."
        )
    return parse_id(text)


def _box(value: Any, target: TargetId | None) -> Box:
    who = "The box" if target is None else f"The box of target {target}"
    listed = value if isinstance(value, list) and len(value) == 4 else []
    plain = [each for each in listed if isinstance(each, int | float) and not isinstance(each, bool)]
    try:
        x, y, w, h = (float(number) for number in plain)
        if not math.isfinite(x + y + w + h):
            raise ValueError("not finite")
    except (ValueError, OverflowError) as error:
        raise InputError(f"{who} is not x, y, w, h: draw it again.") from error
    if w <= 0 or h <= 0:
        raise InputError(f"{who} has no area ({w:g} x {h:g} px): draw it again.")
    return x, y, w, h
