"""`Follower`: a tracker as VOT asks it, frame files and regions in, a box for every object in order out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from pytracking.vot.regions import Box, PolygonRule, require_rule

if TYPE_CHECKING:
    from pytracking.tracker.base import Tracked
    from pytracking.tracker.common.several import SeveralTargets

__all__ = ["Answer", "Follower", "FollowerOptions", "WhenLost", "color_file"]

WhenLost = Literal["box", "empty"]


@dataclass(frozen=True, kw_only=True)
class FollowerOptions:
    """How regions become boxes, and what is said of a target that is not in view.

    Attributes:
        polygon: see `box_of_polygon`.
        when_lost: ``"box"``, the last box; ``"empty"``, no region, as the challenges want it that score
            whether a target is known to be absent.
    """

    polygon: PolygonRule = "preserve_area"
    when_lost: WhenLost = "box"

    @staticmethod
    def of(polygon: str, when_lost: str) -> "FollowerOptions":
        """From texts.

        Raises:
            UnknownNameError: if one of them is no such option.
        """
        for known in get_args(WhenLost):
            if known == when_lost:
                return FollowerOptions(polygon=require_rule(polygon), when_lost=known)
        raise unknown_name("answer for a lost target", when_lost, get_args(WhenLost))


@dataclass(frozen=True)
class Answer:
    """Of one object in one frame.

    Attributes:
        box: x, y, w, h, px; None where the target is not in view and `FollowerOptions` asks for no region.
        score: in [0, 1].
    """

    box: Box | None
    score: float


class Follower:
    """A tracker, and the objects that it was given, counted from 0 in the order in which they began."""

    def __init__(self, tracker: "SeveralTargets", options: FollowerOptions | None = None) -> None:
        """Take a tracker, whose network is loaded already."""
        self._tracker = tracker
        self.options = options or FollowerOptions()
        self._count = 0
        self._frames = 0

    def start(self, frame: str | Path, boxes: Sequence[Box]) -> list[Answer]:
        """Begin anew.

        Args:
            frame: image file.
            boxes: of the objects in it; there may be none.

        Returns:
            The answers for these objects.

        Raises:
            EBMError: if the image cannot be read, or a box does not lie in it.
        """
        self._count, self._frames = len(boxes), 0
        found = self._tracker.initialize(self._image(frame), dict(enumerate(boxes)))
        return self._answers(found)

    def go_on(self, frame: str | Path, new: Sequence[Box] = ()) -> list[Answer]:
        """The next frame.

        Args:
            frame: image file.
            new: objects that begin in it.

        Returns:
            The answers for all objects so far, the new ones last.

        Raises:
            EBMError: if the image cannot be read, a new box does not lie in it, or `start` was not called.
        """
        found = self._tracker.track(self._image(frame))
        for box in new:
            found[self._count] = self._tracker.add(self._count, box)
            self._count += 1
        return self._answers(found)

    def _image(self, frame: str | Path) -> Any:
        from ltr.data.image_loader import read_image

        image = read_image(Path(frame), frame=self._frames)
        self._frames += 1
        return image

    def _answers(self, found: "Mapping[Any, Tracked]") -> list[Answer]:
        return [self._answer(found[number]) for number in range(self._count)]

    def _answer(self, tracked: "Tracked") -> Answer:
        if tracked.state == "lost" and self.options.when_lost == "empty":
            return Answer(None, tracked.score)
        x, y, w, h = map(float, tracked.box)
        return Answer((x, y, w, h), float(tracked.score))


def color_file(channels: str | Mapping[str, str]) -> str:
    """The image file among a frame's channels: that of ``color``, or the only one.

    Raises:
        InputError: if there is no ``color`` among several.
    """
    if isinstance(channels, str):
        return channels
    if "color" in channels:
        return channels["color"]
    if len(channels) == 1:
        return next(iter(channels.values()))
    raise InputError(f"The tracker takes color images; this frame has the channels {sorted(channels)}.")
