"""What a task on pictures is, and how it is trained: one value each, the difference being the experiment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.images.features import FeatureRecipe
from ebm.images.labelled import Labelled

__all__ = ["Parts", "Recipe", "Task"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Network, noise and budget of the study's trainings; lengths in the unit of the target.

    Attributes:
        features: what becomes of a picture.
        hidden: size of the joint layer, and of the baselines' hidden layers.
        dropout: share of the features that a training step does not see.
        num_samples: M.
        sigmas: standard deviations of the noise.
        epochs: most passes over the pictures.
        batch_size: pictures of a step.
        learning_rate: at the start.
        weight_decay: of AdamW.
        patience: epochs without a better value on the validation pictures.
    """

    features: FeatureRecipe
    hidden: int = 512
    dropout: float = 0.3
    num_samples: int = 32
    sigmas: tuple[float, ...]
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 0.1
    patience: int = 6

    def plain(self) -> dict[str, Any]:
        """The fields as numbers, strings and lists, for a file."""
        return asdict(self) | {"features": self.features.plain(), "sigmas": list(self.sigmas)}


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
        name: of the command.
        targets: D names.
        unit: of the targets.
        bins: least and greatest class of the softmax baselines.
        close: an error up to this counts as close, in the cumulative score.
        refinement: name of the settings of Algorithm S2, see `ebm.presets.refinement`.
        read: the pictures of a folder as the user has it; args are the folder and `skip_broken`.
        recipe: what trains in minutes on cached features.
        ablation: sigmas to compare on the validation pictures.
        mirrored: what a target of a mirrored picture is multiplied by, D numbers.
        published: of the paper: method -> MAE before and after refinement.
        published_sigmas: of the paper: sigmas -> MAE on its validation pictures.
        layouts: what `read` understands, for help and errors.
    """

    name: str
    targets: tuple[str, ...]
    unit: str
    bins: tuple[int, int]
    close: float
    refinement: str
    read: Callable[[Path, bool], Parts]
    recipe: Recipe
    ablation: Sequence[tuple[float, ...]]
    mirrored: tuple[float, ...]
    published: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    published_sigmas: Mapping[tuple[float, ...], float] = field(default_factory=dict)
    layouts: str = ""
