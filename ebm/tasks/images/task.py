"""What a task on pictures is, and how it is trained: one value each, the difference being the experiment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.fitting.loop import Rule
from ebm.images.features import FeatureRecipe
from ebm.images.labelled import Labelled
from ebm.tasks.images.words import Words

__all__ = ["Parts", "Recipe", "Task"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Network, noise and budget of the study's trainings; lengths in the unit of the target.

    Attributes:
        features: what becomes of a picture.
        hidden: size of the joint layer, and of the baselines' hidden layers.
        activation: of the energy, "relu" or "silu".
        dropout: share of the features that a training step does not see.
        num_samples: M.
        sigmas: standard deviations of the noise.
        epochs: most passes over the pictures.
        batch_size: pictures of a step.
        learning_rate: at the start.
        weight_decay: of AdamW.
        patience: epochs without a better value on the validation pictures.
        rule: how weights move when the backbone is trained too.
        scales: of the augmentation when the backbone is trained too, see `ebm.images.augment.Augmentation`.
        frozen: parts of the backbone that keep their weights then.
    """

    features: FeatureRecipe
    hidden: int = 512
    dropout: float = 0.5
    activation: str = "silu"
    num_samples: int = 32
    sigmas: tuple[float, ...]
    epochs: int = 15
    batch_size: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 0.1
    patience: int = 6
    rule: Rule = field(default_factory=Rule)
    scales: tuple[float, float] = (0.7, 1.4)
    frozen: tuple[str, ...] = ()

    @property
    def paper(self) -> "Recipe":
        """The papers' own: ResNet-50, a joint layer of 2048, M = 1024, 75 epochs of batches of 32."""
        features = replace(self.features, backbone="resnet50", layers=(("stride32", 1),), flip=False)
        return replace(
            self,
            features=features,
            hidden=2048,
            dropout=0.0,
            activation="relu",
            num_samples=1024,
            epochs=75,
            batch_size=32,
            learning_rate=1e-3,
            weight_decay=1e-3,
            rule=Rule(coupled=True, constant=True),
        )

    def plain(self) -> dict[str, Any]:
        """The fields as numbers, strings and lists, for a file."""
        lists = {name: list(getattr(self, name)) for name in ("sigmas", "scales", "frozen")}
        return asdict(self) | {"features": self.features.plain()} | lists


@dataclass(frozen=True)
class Parts:
    """Pictures to train on, to choose on, and to report on; `notes` say where the split is from."""

    train: Labelled
    validation: Labelled
    test: Labelled
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            if not len(getattr(self, name)):
                raise InputError(f"no pictures are left to {name} on.")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task.

    Attributes:
        words: name, targets, unit and layouts.
        bins: least and greatest class of the softmax baselines.
        close: an error up to this counts as close, in the cumulative score.
        refinement: name of the settings of Algorithm S2, see `ebm.presets.refinement`.
        read: the pictures of a folder as the user has it; args are the folder and `skip_broken`.
        recipe: what trains in minutes on cached features.
        ablation: sigmas to compare on the validation pictures.
        mirrored: what a target of a mirrored picture is multiplied by, D numbers.
        period: of targets that are angles; None where they are none.
        published: of the paper: method -> MAE before and after refinement.
        published_sigmas: of the paper: sigmas -> MAE on its validation pictures.
    """

    words: Words
    bins: tuple[int, int]
    close: float
    refinement: str
    read: Callable[[Path, bool], Parts]
    recipe: Recipe
    ablation: Sequence[tuple[float, ...]]
    mirrored: tuple[float, ...]
    period: float | None = None
    published: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    published_sigmas: Mapping[tuple[float, ...], float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the command."""
        return self.words.name

    @property
    def targets(self) -> tuple[str, ...]:
        """D names."""
        return self.words.targets

    @property
    def unit(self) -> str:
        """Of the targets."""
        return self.words.unit
