"""A branch trained on the features of a frozen detector."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebm.fitting.checkpoints import Call, Checkpoint, digest
from ebm.losses.base import EnergyLoss
from ebm.tasks.detection.batches import NOISE, Example, TrainingBatches, generator_of
from ebm.tasks.detection.branch import ConfidenceBranch, PyramidEnergy
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import Detector, columns_for
from ebm.tasks.detection.recipes import BranchRecipe
from ebm.training.iterations import Tell, Trained, train

__all__ = ["Labels", "build_branch", "gradient_of", "labels_of", "train_branch"]


@dataclass(frozen=True, eq=False)
class Labels:
    """The labelled boxes of a batch.

    Attributes:
        image: of the batch, ``(B,)`` int64.
        column: of the class, ``(B,)`` int64.
        boxes: xyxy, px of the batch, ``(B, 4)``.
    """

    image: Tensor
    column: Tensor
    boxes: Tensor


def build_branch(recipe: BranchRecipe, detector: Detector, seed: int) -> ConfidenceBranch:
    """A fresh branch for a detector, which begins with its hidden layers where they fit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        columns = 1 if recipe.class_agnostic else len(detector.columns)
        branch = ConfidenceBranch(detector.channels, columns, hidden=recipe.hidden, bins=recipe.bins)
    branch.start_from(detector.head_layers())
    return branch


def labels_of(examples: list[Example], batch: Any, columns: Tensor) -> Labels:
    """The boxes of a batch, in its px and in the detector's columns."""
    boxes = [batch.fed(example.boxes, place) for place, example in enumerate(examples)]
    counts = torch.tensor([len(own) for own in boxes])
    image = torch.arange(len(boxes)).repeat_interleave(counts)
    column = columns[torch.cat([example.labels for example in examples])]
    device = batch.tensors.device
    return Labels(image.to(device), column.to(device), torch.cat(boxes))


def gradient_of(
    model: PyramidEnergy,
    loss: EnergyLoss,
    labels: Labels,
    generator: torch.Generator,
    rois_per_pass: int,
) -> dict[str, float]:
    """Add the gradient of the mean loss of all labelled boxes, a few boxes at a time.

    Args:
        model: the branch on a batch.
        loss: of energies or confidences.
        labels: at least one box.
        generator: source of noise.
        rois_per_pass: boxes whose graph is held at once; a label's own are not divided.

    Returns:
        The loss, and the diagnostics of the loss that are numbers.
    """
    problems, y = model.labels(labels.image, labels.column, labels.boxes)
    each = max(1, rois_per_pass // (1 + getattr(loss, "num_samples", 0)))
    numbers: dict[str, float] = {}
    for rows in torch.arange(len(y), device=y.device).split(each):
        out = loss(model, type(problems)(*(own[rows] for own in problems)), y[rows], generator=generator)
        share = len(rows) / len(y)
        (share * out.loss).backward()
        told = {"loss": out.loss.detach()} | out.aux
        for name, value in told.items():
            numbers[name] = numbers.get(name, 0.0) + share * float(value)
    return numbers


def train_branch(
    branch: ConfidenceBranch,
    recipe: BranchRecipe,
    detector: Detector,
    data: DetectionSet,
    *,
    seed: int = 0,
    workers: int = 1,
    checkpoint: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    tell: Tell | None = None,
) -> Trained:
    """Train a branch in place; the detector stays as it is.

    Args:
        branch: of `build_branch`, on the detector's device.
        recipe: of the method.
        detector: whose boxes it shall refine.
        data: as `DetectionSet.for_training` gives it.
        seed: of order, flips and noise.
        workers: threads that read pictures.
        checkpoint: a file to go on from; the rest of a killed training is the same to the bit.
        settings: what else the result depends on, plain values.
        tell: see `ebm.training.iterations.train`.

    Raises:
        InputError: if pictures or the checkpoint cannot be used.
        UnknownNameError: if the detector does not know a class of the data.
        NumericalError: if a loss is not finite.
    """
    columns = columns_for(detector, data.names)
    loss = recipe.method.build_loss()
    batches = TrainingBatches(data, recipe.batch_size, seed=seed, flip=recipe.flip, workers=workers)
    kept = None
    if checkpoint is not None:
        call = Call(
            settings={"recipe": recipe.fingerprint(), "seed": seed, **(settings or {})},
            rows=data_digest(data),
            weights=digest(branch.state_dict().values()),
        )
        kept = Checkpoint.open(checkpoint, call, "ebmtrack detect train")
    stream: Iterator[list[Example]] | None = None

    def step(iteration: int) -> dict[str, float]:
        nonlocal stream
        stream = stream or batches.ahead(iteration, recipe.optimisation.iterations)
        examples = next(stream)
        batch = detector.prepare([example.pixels for example in examples])
        model = PyramidEnergy(branch, detector.features(batch))
        labels = labels_of(examples, batch, columns)
        noise = generator_of(seed, NOISE, iteration, labels.boxes.device)
        return gradient_of(model, loss, labels, noise, recipe.rois_per_pass)

    branch.train()
    try:
        return train(branch, step, recipe.optimisation, checkpoint=kept, tell=tell)
    finally:
        branch.eval()
        if stream is not None:
            stream.close()  # type: ignore[attr-defined]


def data_digest(data: DetectionSet) -> str:
    """SHA-256 of a set's boxes, labels and names of pictures."""
    parts = [torch.from_numpy(part) for image in data.images for part in (image.boxes, image.labels)]
    texts = [(image.image_id, image.path.name, image.width, image.height) for image in data.images]
    return digest(parts, [*texts, data.names])
