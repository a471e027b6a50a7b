"""A branch trained on the features of a frozen detector."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ebm.fitting.checkpoints import Call, Checkpoint, digest
from ebm.losses.base import EnergyLoss
from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.data.training import Batches, Sample, TrainingPictures, training_loader
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.memory import FeatureMemory
from ebm.tasks.detection.protocol import Detector, ImageBatch, columns_for
from ebm.tasks.detection.pyramid import Pyramid
from ebm.tasks.detection.recipes import BranchRecipe, Recipe
from ebm.training.iterations import Tell, Trained, train

__all__ = [
    "Labels",
    "Samples",
    "TrainingOptions",
    "build_branch",
    "data_digest",
    "gradient_of",
    "labels_of",
    "noise_of",
    "train_branch",
    "train_on_features",
]


NOISE = 2  # the stream of draws beside those of order and flips
# Boxes have four coordinates, and noise that is densest at the label: with some hundred samples one of them
# outranks the label until f is far sharper than the noise, so this is 0 from the first line to the last.
_UNTOLD = ("label_rank_acc",)


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


# Of a batch, its features, its labels and a source of noise: adds a gradient, and tells numbers.
Gradient = Callable[[ImageBatch, Pyramid, Labels, torch.Generator], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a training is carried out.

    Attributes:
        seed: of order, flips and noise.
        workers: processes that read pictures.
        checkpoint: a file to go on from; the rest of a killed training is the same to the bit.
        settings: what else the result depends on, plain values.
        memory: of the features of the set's pictures; None computes them batch by batch.
        tell: see `ebm.training.iterations.train`.
    """

    seed: int = 0
    workers: int = 0
    checkpoint: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    memory: FeatureMemory | None = None
    tell: Tell | None = None


def build_branch(recipe: BranchRecipe, detector: Detector, seed: int) -> ConfidenceBranch:
    """A fresh branch for a detector, which begins with its hidden layers where they fit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        columns = 1 if recipe.class_agnostic else len(detector.columns)
        branch = ConfidenceBranch(detector.channels, columns, hidden=recipe.hidden, bins=recipe.bins)
    branch.start_from(detector.head_layers())
    return branch


def labels_of(samples: Sequence[Sample], columns: Tensor, device: torch.device) -> Labels:
    """The boxes of a batch, in the detector's columns."""
    counts = torch.tensor([len(sample.boxes) for sample in samples])
    image = torch.arange(len(samples)).repeat_interleave(counts)
    column = columns[torch.cat([sample.labels for sample in samples])]
    boxes = torch.cat([sample.boxes for sample in samples])
    return Labels(image.to(device), column.to(device), boxes.to(device))


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
        The loss and its diagnostics; of the label's rank ``label_auc`` alone, see `ebm.losses.LossOutput`.
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
            if name not in _UNTOLD:
                numbers[name] = numbers.get(name, 0.0) + share * float(value)
    return numbers


def train_on_features(
    net: nn.Module,
    recipe: Recipe,
    detector: Detector,
    data: DetectionSet,
    gradient: Gradient,
    options: TrainingOptions,
) -> Trained:
    """Train a network in place on the features of a detector, which stays as it is.

    Args:
        net: on the detector's device.
        recipe: of the method.
        detector: whose features it reads.
        data: as `DetectionSet.for_training` gives it.
        gradient: adds the gradient of a batch.
        options: how the training is carried out.

    Raises:
        InputError: if pictures or the checkpoint cannot be used.
        UnknownNameError: if the detector does not know a class of the data.
        NumericalError: if a loss is not finite.
    """
    columns, seed, memory = columns_for(detector, data.names), options.seed, options.memory
    pictures = TrainingPictures(data, detector.resizing, flip=recipe.flip, seed=seed)
    stream = Samples(pictures, recipe.batch_size, options.workers)
    kept = None
    if options.checkpoint is not None:
        call = Call(
            settings=_settings_of(recipe, options),
            rows=data_digest(data),
            weights=digest(net.state_dict().values()),
        )
        kept = Checkpoint.open(options.checkpoint, call, "ebmtrack detect train")

    def step(iteration: int) -> dict[str, float]:
        samples = stream.at(iteration)
        batch = detector.prepare([sample.picture for sample in samples])
        labels = labels_of(samples, columns, batch.tensors.device)
        noise = noise_of(seed, iteration, batch.tensors.device)
        pyramid = detector.features(batch) if memory is None else memory.features(samples, batch)
        return gradient(batch, pyramid, labels, noise)

    net.train()
    try:
        return train(net, step, recipe.optimisation, checkpoint=kept, tell=options.tell)
    finally:
        net.eval()


def _settings_of(recipe: Recipe, options: TrainingOptions) -> dict[str, Any]:
    """What a checkpoint belongs to."""
    kept = {} if options.memory is None else {"features": "each picture alone, in half precision"}
    return {"recipe": recipe.fingerprint(), "seed": options.seed, **kept, **options.settings}


def train_branch(
    branch: ConfidenceBranch,
    recipe: BranchRecipe,
    detector: Detector,
    data: DetectionSet,
    options: TrainingOptions | None = None,
) -> Trained:
    """Train a branch of `build_branch`; arguments as `train_on_features`."""
    loss = recipe.method.build_loss()

    def gradient(
        batch: ImageBatch, pyramid: Pyramid, labels: Labels, noise: torch.Generator
    ) -> dict[str, float]:
        return gradient_of(PyramidEnergy(branch, pyramid), loss, labels, noise, recipe.rois_per_pass)

    return train_on_features(branch, recipe, detector, data, gradient, options or TrainingOptions())


def noise_of(seed: int, iteration: int, device: torch.device) -> torch.Generator:
    """The source of noise of an iteration: of its own for every seed and iteration."""
    (mixed,) = np.random.SeedSequence([seed, NOISE, iteration]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(mixed >> np.uint64(1)))


class Samples:
    """Batches of pictures by the number of the iteration; asked for in order they are read ahead.

    Args:
        pictures: to train on.
        size: of a batch.
        workers: processes that read; what is read does not depend on them.
    """

    def __init__(self, pictures: TrainingPictures, size: int, workers: int) -> None:
        self._pictures, self._workers = pictures, workers
        self._batches = Batches(pictures.detection_set, size, seed=pictures.seed)
        self._stream: Iterator[list[Sample]] = iter(())
        self._next = -1

    def at(self, iteration: int) -> list[Sample]:
        """The batch of an iteration, from 0."""
        if iteration != self._next:
            epoch, step = self._batches.place_of(iteration)
            batches = replace(self._batches, epoch=epoch, step=step)
            self._stream = iter(training_loader(self._pictures, batches, workers=self._workers))
        self._next = iteration + 1
        return next(self._stream)


def data_digest(data: DetectionSet) -> str:
    """SHA-256 of a set's boxes, labels and names of pictures."""
    parts = [torch.from_numpy(part) for image in data.images for part in (image.boxes, image.labels)]
    texts = [(image.image_id, image.path.name, image.width, image.height) for image in data.images]
    return digest(parts, [*texts, data.names])
