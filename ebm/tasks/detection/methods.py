"""A method, whatever its kind: how it is trained, and how it detects."""

from dataclasses import replace
from typing import Any

from ebm.baselines.base import Baseline
from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.files import weights_of
from ebm.tasks.detection.head_training import train_head
from ebm.tasks.detection.loading import Saved
from ebm.tasks.detection.recipes import BranchRecipe, HeadRecipe, Recipe
from ebm.tasks.detection.running import HeadWay, Way
from ebm.tasks.detection.training import TrainingOptions, train_branch
from ebm.training.iterations import Trained

__all__ = ["train_method", "way_of"]


def train_method(
    net: ConfidenceBranch | Baseline,
    recipe: Recipe,
    detector: Any,
    data: DetectionSet,
    options: TrainingOptions,
) -> Trained:
    """Train what `ebm.tasks.detection.loading.fresh` has built; see `train_on_features`."""
    on = {"detector": weights_of(detector.model.state_dict()), "sides": repr(detector.resizing)}
    options = replace(options, settings=on | dict(options.settings))
    if isinstance(recipe, BranchRecipe):
        assert isinstance(net, ConfidenceBranch)
        return train_branch(net, recipe, detector, data, options)
    assert isinstance(net, Baseline)
    assert isinstance(detector, FasterRCNNDetector)
    return train_head(net, recipe, detector, data, options)


def way_of(saved: Saved, density: bool = False) -> Way | HeadWay:
    """How a trained branch or head detects.

    Args:
        saved: the branch or head.
        density: of a branch: give each box its density.
    """
    if isinstance(saved.recipe, HeadRecipe):
        assert isinstance(saved.net, Baseline)
        return HeadWay(saved.net, saved.recipe)
    assert isinstance(saved.net, ConfidenceBranch)
    return Way(saved.net, saved.recipe, density)
