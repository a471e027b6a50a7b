"""A backbone trained together with the network on its features, killed and resumed to the bit."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.fitting.best import HeldOut
from ebm.fitting.checkpoints import Call, digest
from ebm.fitting.config import FitConfig
from ebm.fitting.journal import Journal
from ebm.fitting.log import open_log
from ebm.fitting.loop import History, Rule, minimise
from ebm.images.augment import Augmentation
from ebm.images.features import FeatureRecipe, normalised, pooled
from ebm.nn.backbone import Backbone

__all__ = ["BackboneNet", "Tuned", "tune"]

# Of the pictures held out, at a time.
CHUNK = 64
Loss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
"""Loss ``()`` of a network, features ``(B, F)``, targets ``(B, D)`` and a source of noise."""


class BackboneNet(nn.Module):
    """A backbone, its features standardised, and a network on them.

    Args:
        backbone: is trained.
        recipe: which of its features.
        network: takes ``(B, F)``; what it is trained by is the loss's business.
        mean: of the features, F numbers; None leaves them as they are.
        scale: likewise.
    """

    def __init__(
        self,
        backbone: Backbone,
        recipe: FeatureRecipe,
        network: nn.Module,
        mean: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.recipe, self.network = backbone, recipe, network
        self.register_buffer("mean", torch.zeros(1) if mean is None else mean.float())
        self.register_buffer("scale", torch.ones(1) if scale is None else scale.float())

    def forward(self, images: Tensor) -> Tensor:
        """Features of normalised images, ``(B, 3, S, S) -> (B, F)``."""
        if images.device.type == "cpu":  # convolutions of single channels take half the time so
            images = images.contiguous(memory_format=torch.channels_last)
        maps = self.backbone(images, [name for name, _ in self.recipe.layers])
        features = pooled(maps, self.recipe)
        return (features - self.get_buffer("mean")) / self.get_buffer("scale")


@dataclass(frozen=True)
class Tuned:
    """What came of a training: `history`, and images a second of training."""

    history: History
    rate: float


class _Measure:
    """The loss on the pictures held out, always with the same noise, mirrored ones not among them."""

    def __init__(self, net: BackboneNet, pixels: Tensor, y: Tensor, loss: Loss) -> None:
        self.net, self.pixels, self.y, self.loss = net, pixels, y, loss

    def __call__(self) -> HeldOut:
        total, count = 0.0, len(self.pixels)
        with torch.no_grad():
            for rows in torch.arange(count).split(CHUNK):
                images = normalised(self.pixels[rows].to(self.y.device), self.net.backbone)
                generator = torch.Generator(self.y.device).manual_seed(int(rows[0]))
                value = self.loss(
                    self.net.network, self.net(images), self.y[rows.to(self.y.device)], generator
                )
                total += value.item() * len(rows)
        return HeldOut(total / count, total / count)

    def memory(self) -> list[Any]:
        return []

    def recall(self, memory: list[Any]) -> None:
        pass


@dataclass(eq=False)
class _Batches:
    """The loss on rows of the pictures trained on, augmented; counts how many it saw."""

    net: BackboneNet
    loss: Loss
    pixels: Tensor
    y: Tensor
    generator: torch.Generator
    mirror: Callable[[Tensor], Tensor]
    augmentation: Augmentation | None
    seen: int = 0

    def __call__(self, rows: Tensor) -> Tensor:
        images = normalised(self.pixels[rows.cpu()].to(self.y.device), self.net.backbone)
        targets = self.y[rows]
        if self.augmentation is not None:
            images, flipped = self.augmentation(images, self.generator)
            targets = torch.where(flipped[:, None], self.mirror(targets), targets)
        self.seen += len(rows)
        return self.loss(self.net.network, self.net(images), targets, self.generator)


def tune(
    net: BackboneNet,
    loss: Loss,
    train: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    config: FitConfig,
    *,
    mirror: Callable[[Tensor], Tensor],
    augmentation: Augmentation | None = None,
    rule: Rule | None = None,
    checkpoint: Path | None = None,
    log: Any = None,
    progress: bool = False,
) -> Tuned:
    """Train a backbone and the network on its features, in place; the best weights are kept.

    Args:
        net: what is trained; layers that are frozen stay so.
        loss: of the network, features and targets.
        train: pixels ``(N, S, S, 3)`` uint8 and targets ``(N, D)`` as the network takes them, on its device.
        held: the same to choose on.
        config: budget and stopping rule.
        mirror: targets ``(B, D)`` of mirrored pictures from those of the pictures, as the network takes them.
        augmentation: what changes from step to step; None changes nothing.
        rule: see `ebm.fitting.loop.minimise`.
        checkpoint: a file to go on from; the rest of a killed training is the same to the bit.
        log: see `ebm.fit`.
        progress: show a bar.

    Raises:
        InputError: if a checkpoint is of another training, or there is nothing to train on.
        NumericalError: if training fails from the start.
    """
    pixels, y = train
    if not len(pixels) or not len(held[0]):
        raise InputError("a backbone is trained on pictures, and chosen on others: there are none.")
    measure = _Measure(net, *held, loss)
    generator = torch.Generator(y.device).manual_seed(config.seed)
    batches = _Batches(net, loss, pixels, y, generator, mirror, augmentation)
    journal = Journal(checkpoint, open_log(log, config))
    journal.open(lambda: _call(net, train, held, config))
    start = time.perf_counter()
    with torch.random.fork_rng(devices=[y.device] if y.device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        history = minimise(
            net,
            batches,
            measure,
            len(pixels),
            config,
            generator=generator,
            progress=progress,
            watch=journal.watch(0, "backbone", measure, y.device),
            rule=rule,
        )
    return Tuned(history, batches.seen / max(time.perf_counter() - start, 1e-9))


def _call(
    net: BackboneNet, train: tuple[Tensor, Tensor], held: tuple[Tensor, Tensor], config: FitConfig
) -> Call:
    state = net.state_dict()
    return Call(
        settings=config.plain() | {"features": repr(net.recipe)},
        rows=digest([*train, *held]),
        weights=digest(state.values(), state),
    )
