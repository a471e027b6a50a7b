"""What a run found in its video, in numbers and in words."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pytracking.evaluation.video_frames import Frame
from pytracking.evaluation.video_tables import UNREADABLE

__all__ = ["Outcome"]

_STATES = ("ok", "uncertain", "lost")
_NAMED = 10  # frames named one by one in a note


@dataclass
class Outcome:
    """What a run found in its video."""

    frames: int = 0  # known, readable or not
    tracked: int = 0
    unreadable: list[int] = field(default_factory=list)
    repaired: list[int] = field(default_factory=list)
    reason: str = ""  # of the first unreadable one
    announced: int | None = None
    stopped: bool = False  # on the page, before the end
    last: int = -1  # number of the last frame; a camera's frames that were dropped count
    cut: str = ""  # that the pictures end early, where no number of frames is announced
    states: Counter[str] = field(default_factory=Counter)  # frames, of every target, by the tracker's state

    def count(self, frame: Frame, states: Iterable[str]) -> None:
        """Take in a frame, and the tracker's state of every target if it could be read."""
        self.frames, self.last = self.frames + 1, frame.number
        if frame.image is None:
            self.unreadable.append(frame.number)
            self.reason = self.reason or frame.fault
            return
        self.tracked += 1
        self.states.update(states)
        if frame.fault:
            self.repaired.append(frame.number)

    def opinions(self) -> str:
        """How many frames had which state, and that this is no measure of the boxes."""
        counts = ", ".join(f"{self.states[state]} {state}" for state in _STATES)
        return f"{counts} (the classifier's opinion, not whether the box is right)"

    @property
    def missing(self) -> int:
        """Frames that the video announces and of which nothing was found."""
        return 0 if self.stopped else max(0, (self.announced or 0) - self.frames)

    @property
    def dropped(self) -> int:
        """Frames that a camera gave while the tracker was at work, and that were left out."""
        return self.last + 1 - self.frames

    @property
    def complete(self) -> bool:
        """Whether every frame that is known or announced was tracked."""
        return not self.unreadable and not self.missing and not self.cut

    def notes(self, video: Path | str) -> list[str]:
        """What is not as it should be, in words."""
        found = []
        if self.stopped:
            found.append(f"stopped on the page; frame {self.last} is the last one in the outputs.")
        if self.unreadable:
            found.append(
                f"{len(self.unreadable)} of {self.frames} frames of {video} cannot be read: "
                f"{_numbers(self.unreadable)}. The state there is {UNREADABLE}, the box that of the row "
                f"before. {'' if len(self.unreadable) == 1 else 'The first: '}{self.reason}"
            )
        if self.missing:
            found.append(
                f"{video} announces {self.announced} frames; {self.missing} of them are not in the file: it "
                f"is damaged or cut off. They have no rows; the last frame found is {self.frames - 1}."
            )
        if self.cut:
            found.append(self.cut)
        if self.repaired:
            found.append(
                f"damaged frames of {video} that the decoder repaired: {len(self.repaired)}, numbers "
                f"{_numbers(self.repaired)}. Pictures may be smeared from there on."
            )
        return found


def _numbers(frames: list[int]) -> str:
    shown = ", ".join(map(str, frames[:_NAMED]))
    return shown + (f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else "")
