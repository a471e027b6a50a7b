"""How a branch is trained and used: one value per method, each with the papers' numbers or the light ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from ebm.checks import require_count
from ebm.configs import MethodConfig, RefineConfig
from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ebm.presets import presets
from ebm.training.iterations import Optimisation
from ebm.training.settable import Settable
from ebm.training.shown import fingerprint_of, plain_of

__all__ = ["RECIPES", "SCHEDULES", "SETTABLE", "BranchRecipe", "Prediction", "find_recipe"]

Order = Literal["before", "after"]
Score = Literal["probability", "energy"]


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
        for name in ("hidden", "bins", "batch_size", "rois_per_pass"):
            require_count(name, getattr(self, name))
        if not 0 <= self.flip <= 1:
            raise DomainError(f"flip must lie in [0, 1], got {self.flip!r}.")
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


_PAPER = Optimisation(rate=1e-3, iterations=60_000, drops=(40_000, 50_000), warmup=500)
# P2's released code trains so; IoU-Net's confidence has another scale.
_CONFIDENCE = ("iou-net", "iou-net*")
_METHODS = {
    name.removeprefix("detection/"): method
    for name, method in presets.items()
    if name.startswith("detection/")
}


def _paper(name: str) -> BranchRecipe:
    rate = 1e-2 if name in _CONFIDENCE else _PAPER.rate
    return BranchRecipe(name=name, method=_METHODS[name], optimisation=replace(_PAPER, rate=rate))


def _light(name: str) -> BranchRecipe:
    """For the light detector on small pictures and few of them: fewer, smaller steps in all."""
    paper = _paper(name)
    optimisation = replace(
        paper.optimisation, rate=10 * paper.optimisation.rate, iterations=1500, drops=(1000, 1300), warmup=100
    )
    optimisation = replace(optimisation, clip_norm=10.0)
    return replace(paper, hidden=256, batch_size=4, optimisation=optimisation)


RECIPES: Mapping[str, BranchRecipe] = MappingProxyType({name: _paper(name) for name in _METHODS})
"""The papers' recipes, by method."""
SCHEDULES = MappingProxyType({"paper": _paper, "light": _light})
SETTABLE = Settable(short={"rate": "optimisation.rate", "iterations": "optimisation.iterations"})


def find_recipe(name: str, schedule: str = "paper") -> BranchRecipe:
    """The recipe of a method.

    Args:
        name: of the method, e.g. ``"nce+"``.
        schedule: ``"paper"`` for COCO, ``"light"`` for the light detector on few pictures.

    Raises:
        UnknownNameError: (a ValueError) with the nearest names.
    """
    lookup("method", name, RECIPES)
    return lookup("schedule", schedule, SCHEDULES)(name)
