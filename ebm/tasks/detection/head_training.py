"""A probabilistic baseline trained on what a frozen Faster R-CNN makes of regions, and its detections."""

import torch
from torch import Tensor

from ebm.baselines.base import Baseline
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.heads import with_column
from ebm.tasks.detection.protocol import Hypotheses, ImageBatch
from ebm.tasks.detection.pyramid import Pyramid
from ebm.tasks.detection.recipes import HeadRecipe
from ebm.tasks.detection.training import Labels, TrainingOptions, train_on_features
from ebm.training.iterations import Trained

__all__ = ["head_gradient", "head_hypotheses", "train_head"]


def head_gradient(
    head: Baseline,
    detector: FasterRCNNDetector,
    batch: ImageBatch,
    pyramid: Pyramid,
    labels: Labels,
    noise: torch.Generator,
) -> dict[str, float]:
    """Add the gradient of the loss of regions that hold an object, summed over them and divided by all drawn.

    Args:
        head: of `ebm.tasks.detection.heads`.
        detector: frozen; draws regions as in its own training.
        batch: of pictures.
        pyramid: their features.
        labels: their boxes.
        noise: source of the regions and of what the head draws.
    """
    places = [(labels.image == place).nonzero()[:, 0] for place in range(len(batch))]
    targets = [{"boxes": labels.boxes[rows], "labels": labels.column[rows]} for rows in places]
    proposals = detector.proposals(batch, pyramid)
    device = batch.tensors.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(noise.initial_seed())  # torchvision draws from the global stream
        drawn = detector.model.roi_heads.select_training_samples(proposals, targets)
    regions, column, offsets = drawn[0], torch.cat(drawn[2]), torch.cat(drawn[3])
    kept = column > 0
    features = with_column(detector.embed(batch, pyramid, regions)[kept], column[kept])
    out = head(features, offsets[kept], noise)
    loss = out.per_item.sum() / max(len(column), 1)
    loss.backward()
    return {"loss": float(loss.detach())} | {name: float(value) for name, value in out.aux.items()}


def train_head(
    head: Baseline,
    recipe: HeadRecipe,
    detector: FasterRCNNDetector,
    data: DetectionSet,
    options: TrainingOptions | None = None,
) -> Trained:
    """Train a head of `ebm.tasks.detection.heads.build_head`; arguments as `train_on_features`."""

    def gradient(
        batch: ImageBatch, pyramid: Pyramid, labels: Labels, noise: torch.Generator
    ) -> dict[str, float]:
        return head_gradient(head, detector, batch, pyramid, labels, noise)

    return train_on_features(head, recipe, detector, data, gradient, options or TrainingOptions())


@torch.no_grad()
def head_hypotheses(
    head: Baseline, detector: FasterRCNNDetector, batch: ImageBatch, pyramid: Pyramid
) -> list[Hypotheses]:
    """Hypotheses whose boxes are the means of the head's densities; their classes are the detector's own."""
    regions = detector.regions(batch, pyramid)
    counts = regions.counts
    found = []
    for boxes, features, probability, size in zip(
        regions.boxes, regions.features.split(counts), regions.probability.split(counts), batch.sizes
    ):
        refined = _boxes(head, detector, features, probability, boxes)
        found.append(detector.pairs(probability, refined, size))
    return found


def _boxes(
    head: Baseline, detector: FasterRCNNDetector, features: Tensor, probability: Tensor, regions: Tensor
) -> Tensor:
    """Boxes ``(R, K, 4)`` of the classes that are likely; the regions themselves for the others."""
    region, column = detector.likely(probability)
    boxes = regions[:, None].repeat(1, probability.shape[1], 1)
    if len(region):
        generator = torch.Generator(features.device).manual_seed(0)  # the cVAE draws; others do not
        offsets = head.predict(with_column(features[region], column), generator)
        coder = detector.model.roi_heads.box_coder
        boxes[region, column] = coder.decode_single(offsets, regions[region])
    return boxes
