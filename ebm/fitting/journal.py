"""What a fit leaves behind while it goes on: a checkpoint, and numbers for logs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from ebm.fitting.checkpoints import Call, Checkpoint
from ebm.fitting.log import Log
from ebm.fitting.loop import State, Watch

__all__ = ["Journal", "Remembers"]


class Remembers(Protocol):
    """A measure of a network that may depend on what it measured before."""

    def memory(self) -> list[Any]:
        """What the next call depends on beside the network, as tensors and plain values."""

    def recall(self, memory: list[Any]) -> None:
        """Inverse of `memory`."""


@dataclass
class Journal:
    """Checkpoint and log of all stages of a fit.

    Attributes:
        path: of the checkpoint; None for no checkpoint.
        log: takes numbers.
    """

    path: Path | None
    log: Log
    checkpoint: Checkpoint | None = field(default=None, init=False)
    epochs: int = field(default=0, init=False)

    def open(self, call: Callable[[], Call]) -> None:
        """Look for what an earlier call left.

        Raises:
            InputError: if the file is of another call, or no checkpoint.
        """
        if self.path is not None:
            self.checkpoint = Checkpoint.open(self.path, call())

    def is_past(self, stage: int) -> bool:
        """Whether the stage, from 0, was over before this call, and the next one had begun."""
        state = None if self.checkpoint is None else self.checkpoint.state
        return state is not None and state["stage"] > stage

    def watch(self, stage: int, name: str, measure: Remembers, device: torch.device) -> Watch:
        """What watches a stage.

        Args:
            stage: from 0.
            name: what logs call it.
            measure: of the stage.
            device: of the training, whose randomness is kept.
        """
        return _StageWatch(self, stage, name, measure, device)

    def save(self) -> bool:
        """Write the last state that is known; whether there is one, and a place for it.

        Raises:
            InputError: if it cannot be written.
        """
        if self.checkpoint is None or self.checkpoint.state is None:
            return False
        self.checkpoint.write()
        return True


@dataclass
class _StageWatch(Watch):
    """See `Journal.watch`; its states know stage, measure and all randomness of torch."""

    journal: Journal
    stage: int
    name: str
    measure: Remembers
    device: torch.device

    def goes_on(self, load: Callable[[Mapping[str, Any]], None]) -> bool:
        checkpoint = self.journal.checkpoint
        state = None if checkpoint is None else checkpoint.state
        if checkpoint is None or state is None or state["stage"] < self.stage:
            return False
        try:
            load(state)
            self.journal.epochs = int(state["epochs"])
            self.measure.recall(state["measure"])
            torch.set_rng_state(state["random"])
            if self.device.type == "cuda":
                torch.cuda.set_rng_state(state["random_cuda"], self.device)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise checkpoint.damaged(error) from error
        return True

    def begins(self, state: Callable[[], State]) -> None:
        checkpoint = self.journal.checkpoint
        if checkpoint is not None:
            checkpoint.state = self._whole(state)
            checkpoint.write()  # a place that cannot be written to is better known now

    def after_epoch(self, epoch: int, numbers: Mapping[str, float], state: Callable[[], State]) -> None:
        self.journal.epochs += 1
        if self.journal.checkpoint is not None:
            self.journal.checkpoint.keep(self._whole(state))
        self.journal.log.write(self.name, self.journal.epochs, numbers)

    def ends(self, state: Callable[[], State]) -> None:
        if self.journal.checkpoint is not None:
            self.journal.checkpoint.keep(self._whole(state), now=True)

    def _whole(self, state: Callable[[], State]) -> dict[str, Any]:
        on_gpu = self.device.type == "cuda"
        return state() | {
            "stage": self.stage,
            "epochs": self.journal.epochs,
            "measure": self.measure.memory(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if on_gpu else None,
        }
