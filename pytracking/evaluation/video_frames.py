"""What a video is to the rest of the code: frames in order, with their times, and those that are missing."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ebm.images.listing import IMAGE_SUFFIXES, image_names
from ltr.data.image_loader import read_image

__all__ = ["DEFAULT_FPS", "Frame", "ImageFolder", "VideoSource", "rate_of"]

DEFAULT_FPS = 30.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video."""

    number: int  # from 0, in the order in which frames are shown; those that cannot be read count
    time: float  # s after the first frame
    image: np.ndarray | None = field(repr=False)  # uint8 RGB [H, W, 3] as a person sees it; None: unreadable
    fault: str = ""  # why there is no image, or that a decoder repaired it


class VideoSource(ABC):
    """Frames in order.

    Attributes:
        fps: frames per second, their mean where they are not evenly spaced.
        time_base: s; times are whole multiples of it. None: all frames are 1 / fps apart.
        count: number of frames that the source announces; None where it does not say, or only guesses.
        notes: what is to be told to the user about how the pixels are read.
        cut: that and where the pictures end before their announced length; empty until that is seen.
    """

    fps: float
    time_base: Fraction | None
    count: int | None
    notes: list[str]
    cut: str = ""

    @abstractmethod
    def timed(self) -> Iterator[Frame]:
        """Every frame from the first, also those that cannot be read, as far as they are known."""

    def frames(self) -> Iterator[np.ndarray]:
        """The images of the frames that can be read, uint8 RGB ``[H, W, 3]``."""
        return (frame.image for frame in self.timed() if frame.image is not None)


class ImageFolder(VideoSource):
    """The images of a folder, sorted as a person would: 2.jpg before 10.jpg."""

    def __init__(self, path: Path, fps: float = DEFAULT_FPS) -> None:
        """List the images.

        Raises:
            InputError: if there are none.
        """
        self.paths = [path / name for name in image_names(path)]
        if not self.paths:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise InputError(f"{path} holds no images ({kinds}).")
        self.fps = fps
        self.time_base = None
        self.count = len(self.paths)
        self.notes = []

    def timed(self) -> Iterator[Frame]:
        """Every image, decoded when it is asked for."""
        for index, path in enumerate(self.paths):
            try:
                image, fault = read_image(path), ""
            except InputError as error:
                image, fault = None, str(error)
            yield Frame(index, index / self.fps, image, fault)


def rate_of(fps: float) -> Fraction:
    """The simplest fraction that is a rate to seven digits: 30000/1001 for 29.97003."""
    exact = Fraction(fps)
    for limit in (1, 1001, 10_000, 1_000_000):
        rate = exact.limit_denominator(limit)
        if rate and abs(rate / exact - 1) < 1e-7:
            return rate
    return exact.limit_denominator(100_000_000)
