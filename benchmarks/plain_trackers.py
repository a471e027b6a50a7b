"""Trackers in the published order of operations, as the baseline of `trackers.py`.

They share the network's modules and what is said of a frame; they do not share what makes ours fast: images
and features lie channels first, batch norms are layers of their own, box features are computed of the whole
crop and refined through autograd, filters are updated by convolutions that compute the scores anew in every
iteration, and ATOM differentiates twice, over all slots of its memory.
"""

from collections.abc import Callable
from dataclasses import replace
from types import MethodType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from atom import Plain as PlainATOM
from atom import PlainClassifier as PlainATOMClassifier
from torch import Tensor

from ltr.models.bbreg.atom import atom_resnet18, atom_resnet_small
from ltr.models.tracking.dimpnet import dimpnet18, dimpnet50, dimpnet_small
from ltr.train_settings.dimp.dimp18 import RECIPE as DIMP18
from ltr.train_settings.dimp.super_dimp import RECIPE as SUPER_DIMP
from pytracking.inference.options import Precision
from pytracking.inference.precision import prepared
from pytracking.parameter import find_parameters
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.atom.classifier import ATOMClassifier
from pytracking.tracker.base import Flag
from pytracking.tracker.common.conversation import ClassifierTracker
from pytracking.tracker.dimp.classifier import DiMPClassifier

__all__ = ["TRACKERS", "Kind", "ours", "plain"]

CPU = torch.device("cpu")


class Kind(NamedTuple):
    """A tracker that is measured: its names, and its network with random weights."""

    tracker: str
    parameters: str
    network: Callable[[], Any]


TRACKERS = {
    "super_dimp": Kind(
        "dimp", "super_dimp", lambda: dimpnet50(**SUPER_DIMP.network.kwargs, backbone_pretrained=False)
    ),
    "dimp18": Kind("dimp", "dimp18", lambda: dimpnet18(**DIMP18.network.kwargs, backbone_pretrained=False)),
    "atom": Kind("atom", "default", lambda: atom_resnet18(backbone_pretrained=False)),
    "dimp_small": Kind("dimp", "nce_plus_small", dimpnet_small),
    "atom_small": Kind("atom", "atom_nce_plus_small", atom_resnet_small),
}


class PlainDiMP(PlainATOM):
    """DiMP's baseline: box branch by autograd, features channels first."""


class PlainUpdates(PlainATOMClassifier):
    """ATOM's baseline learns when ours does: on hard negatives, and when it is due."""

    def update(self, features: Tensor, box: Any, flag: Flag, frame_number: int, score: float) -> None:
        if flag is Flag.HARD_NEGATIVE or (frame_number - 1) % self.params.train_skipping == 0:
            super().update(features, box, flag, frame_number, score)
        elif self.memory is not None:
            self.memory.remember(self._project(features), box, flag, frame_number)


def ours(kind: Kind, precision: Precision = "fp32") -> ClassifierTracker:
    """The tracker as `pytracking.load` makes it."""
    params = _params(kind)
    network, _ = prepared(_network(kind), CPU, precision, params.crop_size)
    classifier = ATOMClassifier if kind.tracker == "atom" else DiMPClassifier
    return ClassifierTracker(params, network, CPU, classifier)


def plain(kind: Kind) -> ClassifierTracker:
    """The baseline with the same weights."""
    network = _network(kind).eval().requires_grad_(False)
    if kind.tracker == "atom":
        return PlainATOM(_params(kind), network, CPU, PlainUpdates)
    optimizer = network.classifier.filter_optimizer
    optimizer._descend = MethodType(_descend, optimizer)
    return PlainDiMP(_params(kind), network, CPU, DiMPClassifier)


def _network(kind: Kind) -> Any:
    torch.manual_seed(0)
    return kind.network()


def _params(kind: Kind) -> TrackingParams:
    params = find_parameters(kind.tracker, kind.parameters)
    assert isinstance(params, TrackingParams)
    # With random weights scores and gradients mean nothing: every frame counts as found, and the boxes hardly
    # move, while all the work is done.
    step = 1e-6 if params.box_refinement_space == "relative" else 1e-3
    return replace(params, target_not_found_threshold=-1e9, box_refinement_step_length=step)


def _descend(
    self: Any, weights: Tensor, feat: Tensor, objective: Any, steps: int, compute_losses: bool
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Steepest descent of one sequence's filter: three convolutions an iteration."""
    reg = self.filter_reg.square().clamp(min=self.min_filter_reg**2)
    kernel, maps = weights.shape[-2:], feat[:, 0].contiguous()
    padding = (kernel[0] // 2, kernel[1] // 2)
    iterates = [weights]
    for _ in range(steps):
        slope, curvature = objective.gradient(F.conv2d(maps, weights, padding=padding))
        moved = F.conv2d(maps.transpose(0, 1), slope.transpose(0, 1), padding=padding).transpose(0, 1)
        gradient = moved + reg * weights
        energy = gradient.square().sum(dim=(1, 2, 3))
        bend = curvature(F.conv2d(maps, gradient, padding=padding)) + (reg + self.alpha_eps) * energy
        step = self.log_step_length.exp() * (energy / bend.clamp(min=1e-8))
        weights = weights - step[:, None, None, None] * gradient
        iterates.append(weights)
    return weights, iterates, []
