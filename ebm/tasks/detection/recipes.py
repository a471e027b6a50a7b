"""How a branch is trained and used: one value per method, each with the papers' numbers or the light ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from ebm.checks import require_count
from ebm.configs import MethodConfig, RefineConfig
from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ebm.presets import presets, refinement
from ebm.training.iterations import Optimisation
from ebm.training.settable import Settable
from ebm.training.shown import fingerprint_of, plain_of

__all__ = [
    "HEAD_NAMES",
    "RECIPES",
    "SCHEDULES",
    "SETTABLE",
    "BranchRecipe",
    "HeadRecipe",
    "Prediction",
    "Recipe",
    "as_trained",
    "find_recipe",
    "require_batches",
]

Order = Literal["before", "after"]
Score = Literal["probability", "energy"]
HEAD_NAMES = ("gaussian", "laplace", "mixture-2", "mixture-4", "mixture-8", "cvae")
LIGHT_RATE = 3e-3  # of energies; chosen for NCE+ on pictures that nothing is reported on


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """How detections come of a detector's hypotheses and a branch.

    Attributes:
        iou_threshold: overlap above which hypotheses are of one object.
        max_detections: of a picture.
        order: suppress ``"before"`` refinement, or ``"after"`` that of all hypotheses.
        score: rank by the largest class ``"probability"`` of the hypotheses of an object, or by the log of
            the normalised density at its box, the ``"energy"``.
    """

    iou_threshold: float = 0.5
    max_detections: int = 100
    order: Order = "before"
    score: Score = "probability"


@dataclass(frozen=True, kw_only=True)
class BranchRecipe:
    """How an energy or confidence branch is trained and used.

    Attributes:
        name: of the method.
        method: loss and refinement.
        hidden: units of the branch's layers; with as many as the detector's it begins with these.
        bins: cells per side that boxes are pooled into.
        class_agnostic: one score for all classes.
        optimisation: how weights move.
        batch_size: pictures in a batch.
        flip: probability that a picture is mirrored.
        rois_per_pass: boxes scored at once in training; memory grows with it, nothing else changes.
        prediction: how detections are made.

    Raises:
        DomainError: (a ValueError) for a number out of its domain.
    """

    name: str
    method: MethodConfig
    hidden: int = 1024
    bins: int = 7
    class_agnostic: bool = False
    optimisation: Optimisation
    batch_size: int = 16
    flip: float = 0.5
    rois_per_pass: int = 4096
    prediction: Prediction = Prediction()

    def __post_init__(self) -> None:
        """Refuse numbers out of their domain."""
        for name in ("hidden", "bins", "rois_per_pass"):
            require_count(name, getattr(self, name))
        require_batches(self.batch_size, self.flip)
        if self.method.layout != "box" or self.method.refine is None:
            raise DomainError("the method must be one on boxes, with a refinement.")

    @property
    def refine(self) -> RefineConfig:
        """How boxes are refined."""
        assert self.method.refine is not None
        return self.method.refine

    def plain(self) -> dict[str, Any]:
        """The recipe as nested dictionaries, lists, strings and numbers."""
        return plain_of(self)

    def fingerprint(self) -> str:
        """Hash of it; 16 hexadecimal digits."""
        return fingerprint_of(self)


@dataclass(frozen=True, kw_only=True)
class HeadRecipe:
    """How a probabilistic baseline is trained: a density over box offsets, in a Faster R-CNN.

    Attributes:
        name: of the method, see `ebm.tasks.detection.heads.HEADS`.
        optimisation: how weights move.
        batch_size: pictures in a batch.
        flip: probability that a picture is mirrored.
        prediction: how detections are made; the order and the score are the detector's.
    """

    name: str
    optimisation: Optimisation
    batch_size: int = 16
    flip: float = 0.5
    prediction: Prediction = Prediction()

    def __post_init__(self) -> None:
        """Refuse numbers out of their domain."""
        require_batches(self.batch_size, self.flip)

    def plain(self) -> dict[str, Any]:
        """The recipe as nested dictionaries, lists, strings and numbers."""
        return plain_of(self)

    def fingerprint(self) -> str:
        """Hash of it; 16 hexadecimal digits."""
        return fingerprint_of(self)


Recipe = BranchRecipe | HeadRecipe


def as_trained(recipe: Recipe) -> Recipe:
    """The recipe with detections made as usual: how they are made does not change a training."""
    return replace(recipe, prediction=Prediction())


def require_batches(batch_size: int, flip: float) -> None:
    """Refuse batches without pictures, and what is no probability of mirroring them.

    Raises:
        DomainError: (a ValueError) for a number out of its domain.
    """
    require_count("batch_size", batch_size)
    if not 0 <= flip <= 1:
        raise DomainError(f"flip must lie in [0, 1], got {flip!r}.")


_PAPER = Optimisation(rate=1e-3, iterations=60_000, drops=(40_000, 50_000), warmup=500)
# Base rates of the papers' code: a confidence has another scale than an energy.
_CONFIDENCE = ("iou-net", "iou-net*")
_RATES = dict.fromkeys(_CONFIDENCE, 1e-2) | dict.fromkeys(HEAD_NAMES, 5e-3)
_METHODS = {
    name.removeprefix("detection/"): method
    for name, method in presets.items()
    if name.startswith("detection/")
}
# Not among the papers': second derivatives of pooled features, which are flat almost everywhere but for
# pooling itself. For whoever wants to see.
_METHODS["sm"] = MethodConfig(loss="sm", target_dim=4, layout="box", refine=refinement("detection/dsm"))


def _paper(name: str) -> Recipe:
    optimisation = replace(_PAPER, rate=_RATES.get(name, _PAPER.rate))
    if name in HEAD_NAMES:
        return HeadRecipe(name=name, optimisation=optimisation)
    return BranchRecipe(name=name, method=_METHODS[name], optimisation=optimisation)


def _light(name: str) -> Recipe:
    """For the light detector and few pictures: fewer and smaller batches, and clipped steps."""
    paper = _paper(name)
    rate = paper.optimisation.rate if name in _RATES else LIGHT_RATE
    optimisation = replace(
        paper.optimisation, rate=rate, iterations=1500, drops=(1000, 1300), warmup=100, clip_norm=10.0
    )
    light = replace(paper, batch_size=4, optimisation=optimisation)
    return replace(light, hidden=256) if isinstance(light, BranchRecipe) else light


RECIPES: Mapping[str, Recipe] = MappingProxyType({name: _paper(name) for name in (*HEAD_NAMES, *_METHODS)})
"""The papers' recipes, by method."""
SCHEDULES = MappingProxyType({"paper": _paper, "light": _light})
SETTABLE = Settable(short={"rate": "optimisation.rate", "iterations": "optimisation.iterations"})


def find_recipe(name: str, schedule: str = "paper") -> Recipe:
    """The recipe of a method.

    Args:
        name: of the method, e.g. ``"nce+"``.
        schedule: ``"paper"`` for COCO, ``"light"`` for the light detector on few pictures.

    Raises:
        UnknownNameError: (a ValueError) with the nearest names.
    """
    lookup("method", name, RECIPES)
    return lookup("schedule", schedule, SCHEDULES)(name)
