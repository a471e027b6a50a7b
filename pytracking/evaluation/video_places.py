"""Options that name a part of a video by frames or by seconds."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ebm.number_texts import parse_number, parse_whole
from pytracking.evaluation.command import counting_number

if TYPE_CHECKING:
    from pytracking.evaluation.video_frames import Frame

__all__ = ["Place", "add_part_options", "parse_place"]


def add_part_options(parser: argparse.ArgumentParser) -> None:
    """``--start``, ``--end`` and ``--stride``."""
    group = parser.add_argument_group("part of the video")
    group.add_argument(
        "--start",
        type=parse_place,
        metavar="N",
        help="the frame that the boxes are of: its number, from 0, or seconds, 4.5s (default: 0)",
    )
    group.add_argument(
        "--end", type=parse_place, metavar="N", help="the frame before which it ends (default: to the end)"
    )
    group.add_argument(
        "--stride", type=counting_number, default=1, metavar="N", help="track every N-th frame (default: 1)"
    )


@dataclass(frozen=True)
class Place:
    """A frame of a video, by its number from 0 or by seconds after the first frame."""

    value: float
    seconds: bool = False

    def reached(self, frame: "Frame") -> bool:
        """Whether a frame is this one, or one behind it."""
        return frame.time >= self.value - 1e-9 if self.seconds else frame.number >= self.value

    def __str__(self) -> str:
        return f"{self.value:g}s" if self.seconds else f"{self.value:g}"


def parse_place(text: str) -> Place:
    """``120`` or ``4.5s``, for argparse."""
    seconds = text.endswith("s")
    try:
        value = parse_number(text[:-1]) if seconds else parse_whole(text)
    except ValueError:
        value = None
    if value is None or not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"expected a frame's number from 0, or seconds as 4.5s; got {text!r}"
        )
    return Place(value, seconds)
