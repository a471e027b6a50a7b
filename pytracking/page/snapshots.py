"""What the page shows at one moment, and how it goes over the wire."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np

__all__ = ["Phase", "Point", "Snapshot", "encode_picture", "message"]

Phase = Literal["waiting", "preview", "choose", "track", "done"]
Point = tuple[int, Mapping[str, float | None]]  # frame, and the score of every target by the name of its id

_LONGEST_SIDE = 1600  # px; a larger picture is sent smaller, boxes stay in its own pixels
_QUALITY = 88


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A picture with what belongs to it.

    Attributes:
        phase: what is going on.
        image: uint8 RGB ``[H, W, 3]``, which nobody changes later; None before the first one.
        picture: number of `image`, by which a page knows whether it has it.
        facts: all else that is shown, as JSON.
    """

    phase: Phase
    image: np.ndarray | None = field(repr=False)
    picture: int
    facts: Mapping[str, Any]


def encode_picture(image: np.ndarray) -> bytes:
    """A JPEG of a picture, no larger than a screen.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
    """
    height, width = image.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return coded.tobytes()


def message(shown: Snapshot, points: Sequence[Point], first: int, picture: bytes) -> bytes:
    """Length of the JSON (4 bytes, big end first), the JSON, and a JPEG or nothing.

    Args:
        shown: what is sent.
        points: of the score curve, those the page does not have yet.
        first: the place of the first of them in the curve; 0 where the curve begins anew.
        picture: JPEG of its image; empty if the page has it.
    """
    image = shown.image
    facts = {
        **shown.facts,
        "phase": shown.phase,
        "picture": shown.picture,
        "size": None if image is None else [image.shape[1], image.shape[0]],
        "points": points,
        "first": first,
    }
    text = json.dumps(facts, allow_nan=False, separators=(",", ":")).encode()
    return struct.pack(">I", len(text)) + text + picture
