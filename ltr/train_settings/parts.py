"""Parts of a train setting: data sets, crops, jitter, augmentation, frames, validation."""

from dataclasses import dataclass
from typing import Literal

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name
from ltr.data.crops import CropMode
from ltr.data.frame_choice import FrameMode
from ltr.train_settings.ranges import require_range

__all__ = [
    "DRAWN",
    "FOLDER",
    "READERS",
    "Augmentation",
    "DatasetShare",
    "Geometry",
    "Jitter",
    "Sampling",
    "Validation",
]

READERS = ("lasot", "got10k", "trackingnet", "coco", "imagenetvid", "photos", "videos")
DRAWN = "drawn"  # generated videos beside real data
WITH_SPLITS = ("lasot", "got10k", "coco", "photos")
FOLDER = "folder:"  # begins the name of a user's own videos


@dataclass(frozen=True, kw_only=True)
class DatasetShare:
    """A data set, or a part of one, and its weight in the draw of a sample's data set.

    Attributes:
        name: ``"lasot"``, ``"got10k"``, ``"trackingnet"``, ``"coco"``, ``"imagenetvid"``, ``"photos"`` or
            ``"videos"``; or ``"drawn"``, generated videos, whose surfaces are cut from the photos' training
            part where there are photos.
        weight: relative to the other data sets.
        split: part of LaSOT, GOT-10k, COCO or photos, e.g. ``"vottrain"``; None for their training set,
            which for GOT-10k is all of it.
        sets: numbers of TrackingNet's sets; None for all that are there.
        only: names of the videos to use, or patterns as in ``davis_*``; empty for all. Of ``"videos"`` alone.
        without: names or patterns of videos to leave out.
    """

    name: str
    weight: float = 1.0
    split: str | None = None
    sets: tuple[int, ...] | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in (*READERS, DRAWN) and not self.name.startswith(FOLDER):
            known = (*READERS, DRAWN)
            raise unknown_name("data set", self.name, known, "Your own videos: --datasets folder:PATH.")
        if self.split is not None and self.name not in WITH_SPLITS:
            raise DomainError(f"{', '.join(WITH_SPLITS)} have splits; {self.name} got {self.split!r}")
        if (self.only or self.without) and self.name != "videos":
            raise DomainError(f"only and without name videos of 'videos'; {self.name} got some.")
        if self.sets is not None and (self.name != "trackingnet" or not self.sets):
            raise DomainError(f"sets are some numbers of trackingnet's sets; {self.name} got {self.sets}")
        require_range("weight of a data set", self.weight, least=0)


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Crops and maps.

    Attributes:
        crop_size: side of a crop, px.
        search_area_scale: crop side / sqrt(target area), before resizing.
        feature_stride: px in a cell of the classifier's map.
        filter_size: side of the target filter, cells.
        crop_type: ``"replicate"``, ``"inside"``, ``"inside_major"`` or ``"centred"``: what happens at the
            image border, see `ltr.data.crops`.
        max_scale_change: how much a crop may shrink to fit the image; None for no limit.
        decode: ``"exact"``, or ``"reduced"``: crops that show the image at half its size or less are cut from
            JPEGs decoded at 1/2, 1/4 or 1/8, which is faster; their pixels are smoother than published.
    """

    crop_size: int = 22 * 16
    search_area_scale: float = 6.0
    feature_stride: int = 16
    filter_size: int = 4
    crop_type: CropMode = "inside_major"
    max_scale_change: float | None = 1.5
    decode: Literal["exact", "reduced"] = "exact"

    def __post_init__(self) -> None:
        require_range("geometry.feature_stride", self.feature_stride, least=1)
        require_range("geometry.filter_size", self.filter_size, least=1)
        require_range("geometry.search_area_scale", self.search_area_scale, above=0)
        require_range("geometry.max_scale_change", self.max_scale_change, least=1)
        if self.crop_size < 1 or self.crop_size % self.feature_stride:
            raise DomainError(
                f"geometry.crop_size must be a multiple of geometry.feature_stride ({self.feature_stride}), "
                f"got {self.crop_size}."
            )

    @property
    def feature_size(self) -> int:
        """Side of the classifier's map, cells."""
        return self.crop_size // self.feature_stride

    @property
    def label_sigma(self) -> float:
        """Width of the classification label as a share of the map's side: a quarter of the target."""
        return 0.25 / self.search_area_scale


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """How far a crop is off the target: centre as a share of its size, scale as a log deviation."""

    train_centre: float = 3.0
    test_centre: float = 5.5
    train_scale: float = 0.25
    test_scale: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require_range(f"jitter.{name}", value, least=0)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Image changes.

    Attributes:
        grayscale: probability, for all frames of a sample together.
        flip_sample: probability of a horizontal flip of all frames of a sample together.
        flip_frame: probability of a horizontal flip of each frame on its own.
        brightness: largest relative change of a frame.
    """

    grayscale: float = 0.05
    flip_sample: float = 0.5
    flip_frame: float = 0.5
    brightness: float = 0.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require_range(f"augmentation.{name}", value, least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Frames of a sample: how many make the target model and how many carry the loss, and their spread.

    Attributes:
        train_frames: of the target model.
        test_frames: of the loss.
        max_gap: frames between them and the sample's base frame, at first.
        order: ``"causal"``: the test frames come later; ``"interval"``: all from around the base frame.
    """

    train_frames: int = 3
    test_frames: int = 3
    max_gap: int = 200
    order: FrameMode = "causal"

    def __post_init__(self) -> None:
        for name in ("train_frames", "test_frames", "max_gap"):
            require_range(f"sampling.{name}", getattr(self, name), least=1)


@dataclass(frozen=True, kw_only=True)
class Validation:
    """On what, how often and on how many samples, which are the same every time.

    Attributes:
        every: epochs between two validations.
        samples: how many.
        data: of what; its sequences must not train.
        more: further such data, each drawn as often as `data`.
        refine: how often the boxes of a frame are refined from starts that are off the label, whose mean
            overlap with it afterwards is recorded; 0: not at all.
    """

    every: int = 5
    samples: int = 10_000
    data: DatasetShare = DatasetShare(name="got10k", split="votval")
    more: tuple[DatasetShare, ...] = ()
    refine: int = 0

    def __post_init__(self) -> None:
        require_range("validation.every", self.every, least=1)
        require_range("validation.samples", self.samples, least=0)
        require_range("validation.refine", self.refine, least=0)
