"""A tiny actor with batch normalisation and a stream of numbered batches, for tests of the loop alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ltr.actors.base_actor import BaseActor
from ltr.trainers.checkpoints import CheckpointFolder
from ltr.trainers.config import Streams, TrainerConfig
from ltr.trainers.optimiser import ParameterGroup, build_adam
from ltr.trainers.progress import Progress
from ltr.trainers.schedule import Schedule
from ltr.trainers.trainer import Trainer
from ltr.trainers.world import World


class ToyNet(nn.Module):
    """Batch norm, dropout (which draws from the global stream) and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ToyActor(BaseActor):
    """Least squares to the sum of the inputs."""

    def __call__(self, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        x = batch["x"][0]
        loss = (self.net(x)[:, 0] - x.sum(dim=1)).square().mean()
        return loss, {"Loss/total": loss.detach(), "Loss/bb_ce": loss.detach()}


class ToyStream:
    """Batches of four samples that depend on their index alone; `bad` sample indices hold NaN."""

    def __init__(self, bad: tuple[int, ...] = (), at: dict[int, Any] | None = None) -> None:
        self.bad = bad
        self.at = at or {}
        self.drawn: list[int] = []

    def __call__(self, start: int, count: int) -> Iterator[dict[str, Any]]:
        for first in range(start, start + count, 4):
            self.drawn.append(first)
            if first in self.at:
                self.at.pop(first)()
            x = torch.stack([self.sample(first + k) for k in range(4)])
            yield {"x": x[None], "test_anno": torch.zeros(1, 4, 4), "sequence": [f"s{first}"]}

    def sample(self, index: int) -> Tensor:
        x = torch.randn(3, generator=torch.Generator().manual_seed(index))
        return torch.full_like(x, float("nan")) if index in self.bad else x


def toy_trainer(
    folder: Path,
    stream: ToyStream,
    *,
    epochs: int = 3,
    step_epochs: int = 1,
    validate: bool = False,
    world: World | None = None,
    streams: Streams | None = None,
    batch_size: int = 4,
    **config: Any,
) -> Trainer:
    """A trainer of five steps an epoch, with the usual batches."""
    torch.manual_seed(0)
    net = ToyNet()
    return Trainer(
        actor=ToyActor(net),
        optimizer=build_adam(net, [ParameterGroup(path="layers", lr=0.01)]),
        streams=streams
        or Streams(train=stream, validation=(lambda: ToyStream()(10_000, 8)) if validate else None),
        world=world,
        folder=CheckpointFolder(folder, "ToyNet", keep_last=2),
        config=TrainerConfig(
            schedule=Schedule(epochs=epochs, step_epochs=step_epochs),
            batch_size=batch_size,
            samples_per_epoch=22,
            validate_every=1,
            **config,
        ),
        device=torch.device("cpu"),
        progress=Progress(interval=0.0, silent=world is not None and not world.is_main),
    )
