"""A train setting as a value: everything that decides what is trained, and nothing about where it runs."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name
from ltr.actors.network_actor import Precision
from ltr.data.crops import CropMode
from ltr.data.frame_choice import FrameMode
from ltr.data.label_noise import LabelNoise
from ltr.train_settings.compare import comparable
from ltr.train_settings.terms import BoxRecipe, ClassifierRecipe, DensityRecipe, HingeRecipe, OverlapRecipe
from ltr.trainers.averaged_weights import check_decay
from ltr.trainers.optimiser import ParameterGroup
from ltr.trainers.schedule import Schedule

__all__ = [
    "Augmentation",
    "BoxRecipe",
    "DatasetShare",
    "DensityRecipe",
    "Geometry",
    "HingeRecipe",
    "Jitter",
    "LabelNoise",
    "NetworkRecipe",
    "OptimiserRecipe",
    "OverlapRecipe",
    "Sampling",
    "TrainRecipe",
    "Validation",
    "find_recipe",
    "recipe_names",
]


@dataclass(frozen=True, kw_only=True)
class DatasetShare:
    """A data set, or a part of one, and its weight in the draw of a sample's data set.

    Attributes:
        name: ``"lasot"``, ``"got10k"``, ``"trackingnet"``, ``"coco"`` or ``"imagenetvid"``.
        weight: relative to the other data sets.
        split: part of LaSOT, GOT-10k or COCO, e.g. ``"vottrain"``; None for their training set, which for
            GOT-10k is all of it.
        sets: numbers of TrackingNet's sets; None for all that are there.
    """

    name: str
    weight: float = 1.0
    split: str | None = None
    sets: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.split is not None and self.name not in ("lasot", "got10k", "coco"):
            raise DomainError(f"lasot, got10k and coco have splits; {self.name} got {self.split!r}")
        if self.sets is not None and (self.name != "trackingnet" or not self.sets):
            raise DomainError(f"sets are some numbers of trackingnet's sets; {self.name} got {self.sets}")


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


@dataclass(frozen=True, kw_only=True)
class NetworkRecipe:
    """The network.

    Attributes:
        constructor: function in ``ltr.models.tracking.dimpnet`` or ``ltr.models.bbreg.atom``.
        kwargs: its arguments, without the backbone's weights and freezing.
        pretrained: whether the backbone starts from ImageNet weights.
        frozen: parts of the backbone that keep them.
        frozen_statistics: whether their batch norms keep their statistics as well; False normalises by the
            batch's and lets the stored ones drift, as the published ATOM was trained.
    """

    constructor: str = "dimpnet50"
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    pretrained: bool = True
    frozen: tuple[str, ...] = ()
    frozen_statistics: bool = True


@dataclass(frozen=True, kw_only=True)
class OptimiserRecipe:
    """Adam's parameter groups.

    Attributes:
        groups: the groups with the frozen, pretrained backbone.
        scratch_backbone_lr: learning rate of the whole backbone where it starts from nothing.
        clip_norm: largest gradient norm; None for no clipping.
        weight_decay: L2 factor.
    """

    groups: tuple[ParameterGroup, ...]
    scratch_backbone_lr: float = 2e-4
    clip_norm: float | None = None
    weight_decay: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Validation:
    """On what, how often and on how many samples, which are the same every time.

    Attributes:
        every: epochs between two validations.
        samples: how many.
        data: of what; its sequences must not train.
    """

    every: int = 5
    samples: int = 10_000
    data: DatasetShare = DatasetShare(name="got10k", split="votval")


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """A train setting; a new one is a ``replace`` of another one, so that the diff is the experiment."""

    module: str
    name: str
    datasets: tuple[DatasetShare, ...]
    network: NetworkRecipe
    optimiser: OptimiserRecipe
    box: BoxRecipe | OverlapRecipe
    classifier: ClassifierRecipe | None = HingeRecipe()  # None for networks that score boxes alone
    geometry: Geometry = Geometry()
    jitter: Jitter = Jitter()
    augmentation: Augmentation = Augmentation()
    sampling: Sampling = Sampling()
    label_noise: LabelNoise = LabelNoise()  # error put into the training labels, to study what it does
    schedule: Schedule = Schedule()
    validation: Validation = Validation()
    batch_size: int = 20
    samples_per_epoch: int = 40_000
    precision: Precision = "fp32"
    channels_last: bool = True
    ema: float | None = None  # decay of averaged weights, kept beside those that are trained
    sync_batch_norm: bool = False  # batch statistics over all processes (GPUs), not over each one's share
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            # The box branch pools the target to one cell, where one sample has no batch statistics.
            raise DomainError(f"A batch must hold at least 2 samples, got {self.batch_size} (--batch-size).")
        if self.samples_per_epoch < self.batch_size:
            raise DomainError(
                f"An epoch of {self.samples_per_epoch} samples holds no batch of {self.batch_size}; raise "
                "--samples or lower --batch-size."
            )
        if self.precision not in get_args(Precision):
            raise DomainError(f"precision must be one of {get_args(Precision)}, got {self.precision!r}")
        if self.ema is not None:
            check_decay(self.ema)

    def plain(self) -> dict[str, Any]:
        """The recipe as nested dictionaries, lists, strings and numbers."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return data

    def fingerprint(self) -> str:
        """Hash of what decides the weights after a given number of steps; 16 hexadecimal digits."""
        data = comparable(self.plain())
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def recipe_names() -> dict[str, list[str]]:
    """Names of the settings of each module, from the files beside this one."""
    folder = Path(__file__).parent
    return {
        part.name: sorted(file.stem for file in part.glob("[!_]*.py"))
        for part in sorted(folder.iterdir())
        if (part / "__init__.py").is_file()
    }


def find_recipe(module: str, name: str) -> TrainRecipe:
    """The recipe ``ltr/train_settings/<module>/<name>.py``.

    Raises:
        UnknownNameError: naming the nearest modules or settings that exist.
    """
    names = recipe_names()
    if module not in names:
        raise unknown_name("train module", module, names)
    if name not in names[module]:
        raise unknown_name(f"train setting of {module!r}", name, names[module])
    recipe: TrainRecipe = importlib.import_module(f"ltr.train_settings.{module}.{name}").RECIPE
    return recipe
