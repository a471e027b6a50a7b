"""A train setting as a value: everything that decides what is trained, and nothing about where it runs."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name
from ltr.actors.network_actor import Precision
from ltr.data.label_noise import LabelNoise
from ltr.train_settings.compare import comparable
from ltr.train_settings.parts import Augmentation, DatasetShare, Geometry, Jitter, Sampling, Validation
from ltr.train_settings.ranges import require_range
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
class NetworkRecipe:
    """The network.

    Attributes:
        constructor: function in ``ltr.models.tracking.dimpnet`` or ``ltr.models.bbreg.atom``.
        kwargs: its arguments, without the backbone's weights and freezing.
        pretrained: whether the backbone starts from ImageNet weights.
        frozen: parts of the backbone that keep them.
        frozen_statistics: whether their batch norms keep their statistics as well; False normalises by the
            batch's and lets the stored ones drift, as the published ATOM was trained.
        still_norms: whether every batch norm of the network keeps its statistics and normalises by them, for
            fine-tuning: a short run moves them far towards its own data, and the weights hardly at all.
    """

    constructor: str = "dimpnet50"
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    pretrained: bool = True
    frozen: tuple[str, ...] = ()
    frozen_statistics: bool = True
    still_norms: bool = False

    def __post_init__(self) -> None:
        if self.still_norms and not self.frozen_statistics:
            raise DomainError(
                "network.still_norms keeps the statistics of all batch norms, "
                "network.frozen_statistics=false moves those of the backbone; set one of them back."
            )


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

    def __post_init__(self) -> None:
        if not self.groups:
            raise DomainError("optimiser.groups is empty; nothing would be trained.")
        require_range("optimiser.scratch_backbone_lr", self.scratch_backbone_lr, above=0)
        require_range("optimiser.clip_norm", self.clip_norm, above=0)
        require_range("optimiser.weight_decay", self.weight_decay, least=0)


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
    groups: int | None = None  # a batch is computed in, whatever the number of processes; none: one a process
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
        require_range("seed", self.seed, least=0)
        require_range("groups", self.groups, least=1)
        if self.groups is not None and self.sync_batch_norm:
            raise DomainError(
                "sync_batch_norm takes batch statistics over all processes, "
                f"groups={self.groups} over a group; set groups=none or sync_batch_norm=false."
            )
        if self.network.still_norms and self.sync_batch_norm:
            raise DomainError(
                "sync_batch_norm takes batch statistics over all processes, network.still_norms takes none; "
                "set one of them to false."
            )
        if self.ema is not None:
            check_decay(self.ema)

    def remarks(self) -> list[str]:
        """What may be meant and is easily overlooked, a line each; nothing for the settings as they are."""
        cells = self.geometry.label_sigma * self.geometry.feature_size
        return [
            f"network.kwargs.{key} is {value:.4g} cells, but this geometry's labels are {cells:.4g} wide; "
            "set it as well if they are meant to agree."
            for key, value in self.network.kwargs.items()
            if key.endswith("gauss_sigma") and abs(value - cells) > 1e-6 * cells
        ]

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
