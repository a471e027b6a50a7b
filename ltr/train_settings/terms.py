"""What a train setting says about its losses: of the box branch and of the target classifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ebm.presets import box_pair, preset
from ltr.actors.box_energy import BoxMethod
from ltr.actors.target_classification import ClassificationWeights
from ltr.train_settings.ranges import require_range

__all__ = ["BoxRecipe", "ClassifierRecipe", "DensityRecipe", "HingeRecipe", "OverlapRecipe"]

METHODS: Mapping[str, BoxMethod] = {
    "nce": "nce",
    "nce+": "nce_plus",
    "cnce": "cnce",
    "kld-is": "kld_is",
    "ml-is": "ml_is",
}


@dataclass(frozen=True, kw_only=True)
class BoxRecipe:
    """The energy-based box branch; deviations are in relative box units (centre, log size).

    Attributes:
        method: the loss.
        num_samples: boxes drawn for a frame, the label not counted.
        sigmas: (centre, size) deviations of the proposal's components.
        label_sigma: (centre, size) deviations of the label density; KLD-IS alone has one.
        beta: scale of the label noise; NCE+ alone has one.
        beta_mode: whether `beta` multiplies the deviation or the variance.
        weight: of the loss.
    """

    method: BoxMethod
    num_samples: int
    sigmas: tuple[tuple[float, float], ...]
    label_sigma: tuple[float, float] | None = None
    beta: float | None = None
    beta_mode: Literal["std", "variance"] = "std"
    weight: float = 0.01

    def __post_init__(self) -> None:
        if (self.label_sigma is None) == (self.method == "kld_is"):
            raise DomainError(
                f"box.label_sigma belongs to kld_is, which needs one, e.g. (0.05, 0.05); {self.method} got "
                f"{self.label_sigma}"
            )
        if (self.beta is None) == (self.method == "nce_plus"):
            raise DomainError(
                f"box.beta belongs to nce_plus, which needs one, e.g. 0.1; {self.method} got {self.beta}"
            )
        require_range("box.num_samples", self.num_samples, least=1)
        require_range("box.weight", self.weight, least=0)
        require_range("box.beta", self.beta, least=0)
        for value in (*sum(self.sigmas, ()), *(self.label_sigma or ())):
            require_range("every number of box.sigmas and box.label_sigma", value, above=0)
        if not self.sigmas:
            raise DomainError("box.sigmas is empty; give at least one pair, e.g. ((0.05, 0.05), (0.5, 0.5)).")

    @classmethod
    def from_preset(cls, name: str) -> "BoxRecipe":
        """The published values of a method, e.g. ``"tracking/dimp-nce+"``.

        Raises:
            UnknownNameError: if `ebm.presets` has no such name.
        """
        config = preset(name)
        return cls(
            method=lookup("box loss", config.loss, METHODS),
            num_samples=config.num_samples,
            sigmas=tuple(box_pair(row) for row in config.sigmas),
            label_sigma=None if config.label_sigma is None else box_pair(config.label_sigma),
            beta=config.beta,
            beta_mode=config.beta_mode,
        )


@dataclass(frozen=True, kw_only=True)
class OverlapRecipe:
    """The box branch that predicts overlaps; its boxes come from perturbed labels or from a mixture.

    Attributes:
        method: what this is, beside the energy-based losses.
        num_samples: boxes drawn for a frame.
        spread: deviations of perturbed labels / sqrt(label area), one drawn for each box; None for a mixture.
        min_iou: overlap that perturbed labels exceed; None for a mixture.
        sigmas: (centre, size) deviations of the mixture's components, relative box units; None for perturbed
            labels.
        weight: of the loss.
    """

    method: Literal["overlap"] = "overlap"
    num_samples: int = 8
    spread: tuple[float, ...] | None = (0.01, 0.05, 0.1, 0.2, 0.3)
    min_iou: float | None = 0.1
    sigmas: tuple[tuple[float, float], ...] | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        perturbed = self.spread is not None and self.min_iou is not None and self.sigmas is None
        mixture = self.spread is None and self.min_iou is None and self.sigmas is not None
        if not (perturbed or mixture):
            raise DomainError(
                "boxes to predict overlaps of come from perturbed labels (spread and min_iou) or from a "
                f"mixture (sigmas); got spread {self.spread}, min_iou {self.min_iou}, sigmas {self.sigmas}"
            )
        require_range("box.num_samples", self.num_samples, least=1)
        require_range("box.weight", self.weight, least=0)
        require_range("box.min_iou", self.min_iou, least=0, most=1)
        for value in (*(self.spread or ()), *sum(self.sigmas or (), ())):
            require_range("every number of box.spread and box.sigmas", value, above=0)
        if not (self.spread or self.sigmas):
            raise DomainError("box.spread or box.sigmas is empty; give at least one.")

    @classmethod
    def from_preset(cls, name: str) -> "OverlapRecipe":
        """The published values of a method that draws its boxes from a mixture, e.g. ``"tracking/atom*"``.

        Raises:
            UnknownNameError: if `ebm.presets` has no such name.
            DomainError: if that method does not predict overlaps.
        """
        config = preset(name)
        if config.loss != "iou":
            raise DomainError(f"the preset {name!r} has the loss {config.loss!r}; overlaps need 'iou'")
        sigmas = tuple(box_pair(row) for row in config.sigmas)
        return cls(num_samples=config.num_samples, spread=None, min_iou=None, sigmas=sigmas)


@dataclass(frozen=True, kw_only=True)
class HingeRecipe:
    """The classifier of DiMP: hinged regression of score maps to a Gaussian of height one.

    Attributes:
        loss: what this is.
        weights: of the iterates.
        threshold: labels below it are background, where negative scores cost nothing.
    """

    loss: Literal["hinge"] = "hinge"
    weights: ClassificationWeights = ClassificationWeights()
    threshold: float = 0.05


@dataclass(frozen=True, kw_only=True)
class DensityRecipe:
    """The classifier of PrDiMP: cross-entropy of the map's softmax to a label density that adds up to one.

    Attributes:
        loss: what this is.
        weights: of the iterates.
    """

    loss: Literal["density"] = "density"
    weights: ClassificationWeights = ClassificationWeights(final=0.25, init=0.25, iterates=1.0)


ClassifierRecipe: TypeAlias = HingeRecipe | DensityRecipe
