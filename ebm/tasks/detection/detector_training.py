"""The light detector trained on pictures with boxes, by the loop that branches are trained by."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ebm.fitting.checkpoints import Call, Checkpoint, digest
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.data.training import Resizing, TrainingPictures
from ebm.tasks.detection.light import LightRecipe
from ebm.tasks.detection.recipes import require_batches
from ebm.tasks.detection.training import Samples, data_digest, noise_of
from ebm.training.iterations import Optimisation, Tell, Trained, train
from ebm.training.settable import Settable
from ebm.training.shown import fingerprint_of, plain_of

__all__ = ["DETECTOR_SETTABLE", "DetectorRecipe", "train_detector"]


@dataclass(frozen=True, kw_only=True)
class DetectorRecipe:
    """How the light detector is trained.

    Attributes:
        network: its sizes.
        optimisation: how weights move.
        batch_size: pictures in a batch.
        flip: probability that a picture is mirrored.

    Raises:
        DomainError: (a ValueError) for a number out of its domain.
    """

    network: LightRecipe = field(default_factory=LightRecipe)
    optimisation: Optimisation = Optimisation(
        rate=0.02, iterations=4000, drops=(3000, 3700), warmup=200, warmup_factor=0.05, clip_norm=10.0
    )
    batch_size: int = 8
    flip: float = 0.5

    def __post_init__(self) -> None:
        """Refuse numbers out of their domain."""
        require_batches(self.batch_size, self.flip)

    def plain(self) -> dict[str, Any]:
        """The recipe as nested dictionaries, lists, strings and numbers."""
        return plain_of(self)

    def fingerprint(self) -> str:
        """Hash of it; 16 hexadecimal digits."""
        return fingerprint_of(self)


DETECTOR_SETTABLE = Settable(
    fixed=(), short={"rate": "optimisation.rate", "iterations": "optimisation.iterations"}
)


def train_detector(
    model: Any,
    recipe: DetectorRecipe,
    data: DetectionSet,
    *,
    seed: int = 0,
    workers: int = 0,
    checkpoint: Path | None = None,
    tell: Tell | None = None,
) -> Trained:
    """Train a detector of `build_light` in place.

    Args:
        model: the detector; label k of the data has its column k + 1.
        recipe: sizes, rates and budget.
        data: as `DetectionSet.for_training` gives it.
        seed: of order, flips and the sampling of regions.
        workers: processes that read pictures.
        checkpoint: a file to go on from; the rest of a killed training is the same to the bit.
        tell: see `ebm.training.iterations.train`.

    Raises:
        InputError: if pictures or the checkpoint cannot be used.
        NumericalError: if a loss is not finite.
    """
    sides = Resizing(recipe.network.short_side, recipe.network.long_side)
    stream = Samples(TrainingPictures(data, sides, flip=recipe.flip, seed=seed), recipe.batch_size, workers)
    kept = None
    if checkpoint is not None:
        settings = {"recipe": recipe.fingerprint(), "seed": seed}
        call = Call(settings=settings, rows=data_digest(data), weights=digest(model.state_dict().values()))
        kept = Checkpoint.open(checkpoint, call, "ebmtrack detect train-detector")
    device = next(model.parameters()).device

    def step(iteration: int) -> dict[str, float]:
        samples = stream.at(iteration)
        targets = [{"boxes": own.boxes.to(device), "labels": own.labels.to(device) + 1} for own in samples]
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(noise_of(seed, iteration, torch.device("cpu")).initial_seed())
            losses = model([own.picture.to(device) for own in samples], targets)
        loss = torch.stack([*losses.values()]).sum()
        loss.backward()
        named = {name.removeprefix("loss_"): float(value.detach()) for name, value in losses.items()}
        return {"loss": float(loss.detach())} | named

    model.train()
    try:
        return train(model, step, recipe.optimisation, checkpoint=kept, tell=tell)
    finally:
        model.eval()
