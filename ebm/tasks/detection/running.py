"""A detector and the branches on its features run over the pictures of a set."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ebm.baselines.base import Baseline
from ebm.exceptions import InputError
from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.data.records import DetectionSet, ImageId
from ebm.tasks.detection.data.training import Sample, load_samples
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.head_training import head_hypotheses
from ebm.tasks.detection.prediction import Found, ascended, plain_detections, refined, uncertainty_of
from ebm.tasks.detection.protocol import Detector, columns_for
from ebm.tasks.detection.pyramid import Pyramid
from ebm.tasks.detection.recipes import BranchRecipe, HeadRecipe
from ebm.tasks.detection.results_file import Detections
from ebm.tasks.detection.sights import Seen, Sights, alike_batches, label_of

__all__ = ["DETECTOR", "HeadWay", "Run", "Way", "refine_given", "run_set", "run_sights"]

DETECTOR = "detector"


@dataclass(frozen=True, eq=False)
class Way:
    """A branch and how it makes detections.

    Attributes:
        branch: trained on the detector's features.
        recipe: of it.
        density: whether each box is given its density.
    """

    branch: ConfidenceBranch
    recipe: BranchRecipe
    density: bool = False

    def __call__(self, detector: Detector, seen: Seen) -> Found:
        """Detections of a batch."""
        return refined(self.branch, self.recipe, seen.pyramid, seen.hypotheses)

    def uncertainty(self, found: Found, pyramid: Pyramid, scale: Tensor) -> list[dict[str, Any]]:
        """Fields of every detection for a file of results."""
        if not (self.density and len(found.image)):
            return []
        return uncertainty_of(PyramidEnergy(self.branch, pyramid), found, scale).rows()


@dataclass(frozen=True, eq=False)
class HeadWay:
    """A probabilistic baseline in the place of a Faster R-CNN's box regression."""

    head: Baseline
    recipe: HeadRecipe

    def __call__(self, detector: Detector, seen: Seen) -> Found:
        """Detections of a batch; of the detector's hypotheses the regions are looked at, not the boxes.

        Raises:
            InputError: if the detector is no Faster R-CNN.
        """
        if not isinstance(detector, FasterRCNNDetector):
            raise InputError(f"{self.recipe.name} is for a Faster R-CNN: others draw no regions.")
        rule = self.recipe.prediction
        own = [seen.known(found) for found in head_hypotheses(self.head, detector, seen.batch, seen.pyramid)]
        return plain_detections(own, iou_threshold=rule.iou_threshold, max_detections=rule.max_detections)

    def uncertainty(self, found: Found, pyramid: Pyramid, scale: Tensor) -> list[dict[str, Any]]:
        """Nothing: the density of a head is over offsets of regions, not over boxes."""
        return []


@dataclass(eq=False)
class Run:
    """What a run over a set has found.

    Attributes:
        detections: of every picture, by its id.
        seconds: of wall time, reading the pictures left out; those of the detector are part of all.
        images: pictures.
        more: what else is known of each detection, as fields for a file of results.
        unread: pictures that could not be read, and why.
    """

    detections: dict[ImageId, Detections] = field(default_factory=dict)
    more: dict[ImageId, list[dict[str, Any]]] = field(default_factory=dict)
    unread: dict[ImageId, str] = field(default_factory=dict)
    seconds: float = 0.0
    images: int = 0

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.images / max(self.seconds, 1e-9)


def run_set(
    detector: Detector,
    ways: Mapping[str, Way | HeadWay],
    data: DetectionSet,
    *,
    batch_size: int = 4,
    skip_broken: bool = False,
    progress: bool = False,
) -> dict[str, Run]:
    """Detections of the detector itself and of every way of refining them, from the same hypotheses.

    Args:
        detector: frozen.
        ways: by name.
        data: the pictures; its categories are those looked for.
        batch_size: pictures at a time.
        skip_broken: go on without pictures that cannot be read; `Run.unread` names them.
        progress: show a bar, where the output is a terminal.

    Returns:
        `DETECTOR` and every name -> what was found.

    Raises:
        InputError: if a picture cannot be read, without `skip_broken`.
        UnknownNameError: if the detector does not know a category.
    """
    sights = Sights(detector, data, batch_size=batch_size, skip_broken=skip_broken, progress=progress)
    return run_sights(sights, ways)


@torch.no_grad()
def run_sights(sights: Sights, ways: Mapping[str, Way | HeadWay]) -> dict[str, Run]:
    """`run_set` on a set that the detector may have seen before."""
    runs = {name: Run(unread=sights.unread) for name in (DETECTOR, *ways)}
    for samples, seen in sights:
        for name, run in runs.items():
            way, start = ways.get(name), time.perf_counter()
            found = plain_detections(seen.hypotheses) if way is None else way(sights.detector, seen)
            run.seconds += seen.seconds + time.perf_counter() - start
            run.images += len(samples)
            _note(run, found, samples, sights.label, seen.pyramid, way)
    return runs


@torch.no_grad()
def refine_given(
    detector: Detector,
    way: Way,
    data: DetectionSet,
    given: Mapping[ImageId, Detections],
    *,
    batch_size: int = 4,
    skip_broken: bool = False,
    progress: bool = False,
) -> Run:
    """Refine the boxes that some other detector has found; their scores stay.

    Args:
        detector: the one that the branch was trained on; its features are looked at, no more.
        way: the branch.
        data: the pictures.
        given: detections by picture; of pictures that are not among them nothing is read.
        batch_size: pictures at a time.
        skip_broken: go on without pictures that cannot be read; `Run.unread` names them.
        progress: show a bar.

    Raises:
        InputError: if a picture cannot be read, without `skip_broken`.
        UnknownNameError: if the detector does not know a category.
    """
    label, run = label_of(detector, data), Run()
    columns = columns_for(detector, data.names)
    wanted = [image for image in data.images if len(given.get(image.image_id, ()))]
    for images in alike_batches(wanted, batch_size, progress):
        samples = load_samples(images, detector.resizing, run.unread if skip_broken else None)
        if not samples:
            continue
        start = time.perf_counter()
        pyramid = detector.features(detector.prepare([sample.picture for sample in samples]))
        found = _given(samples, given, columns, pyramid.device)
        found = ascended(PyramidEnergy(way.branch, pyramid), way.recipe, found)
        run.seconds += time.perf_counter() - start
        run.images += len(samples)
        _note(run, found, samples, label, pyramid, way)
    return run


def _given(
    samples: Sequence[Sample], given: Mapping[ImageId, Detections], columns: Tensor, device: torch.device
) -> Found:
    """Detections of a batch, in its px."""
    own = [given[sample.image_id] for sample in samples]
    counts = torch.tensor([len(one) for one in own])
    boxes = [torch.from_numpy(one.boxes) * sample.scale.repeat(2) for one, sample in zip(own, samples)]
    return Found(
        torch.arange(len(own)).repeat_interleave(counts).to(device),
        torch.cat(boxes).to(device),
        torch.cat([torch.from_numpy(one.scores) for one in own]).to(device),
        columns[torch.cat([torch.from_numpy(one.labels) for one in own])].to(device),
    )


def _note(
    run: Run,
    found: Found,
    samples: Sequence[Sample],
    label: Tensor,
    pyramid: Pyramid,
    way: Way | HeadWay | None,
) -> None:
    """Add the detections of a batch, in px of the pictures, surest first."""
    scale = torch.stack([sample.scale for sample in samples])
    per_box = scale.to(found.boxes)[found.image]
    rows = [] if way is None else way.uncertainty(found, pyramid, per_box)
    for place, sample in enumerate(samples):
        own = found.of_image(place)
        own = own[found.scores[own].argsort(descending=True, stable=True)]
        one = found.chosen(own)
        boxes = one.boxes.cpu() / scale[place].repeat(2)
        run.detections[sample.image_id] = Detections(
            boxes.float().numpy(), one.scores.float().cpu().numpy(), label[one.column.cpu()].numpy()
        )
        if rows:
            run.more[sample.image_id] = [rows[row] for row in own.tolist()]
