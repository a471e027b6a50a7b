"""One step of training: parts, gradients over all processes, loss scaling, clipping, the optimiser."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ltr.actors.base_actor import BaseActor
from ltr.trainers.averaged_weights import AveragedWeights
from ltr.trainers.batches import fetch, forward_backward, part_sizes
from ltr.trainers.config import Batch, Position, TrainerConfig
from ltr.trainers.division import divide
from ltr.trainers.guard import NonFiniteGuard
from ltr.trainers.memory import available_memory, parts_needed
from ltr.trainers.random_state import seed_everything
from ltr.trainers.world import World

__all__ = ["StepResult", "TrainStep"]

SMALLEST_SCALE = 1.0  # below it, it is not the scaled loss that overflows


@dataclass(frozen=True)
class StepResult:
    """What a step leaves: its statistics, empty if it was rejected, and whether any process wants to stop."""

    values: Mapping[str, float]
    stop: bool


class TrainStep:
    """Updates a network by one batch at a time.

    Args:
        actor: batch -> loss, statistics; owns the network, which is on `device` already.
        optimizer: over the network's parameters.
        guard: what happens to losses that are not finite.
        config: numbers.
        device: where the batches are.
        world: the processes that share the batches.
        say: prints a line.
    """

    def __init__(
        self,
        *,
        actor: BaseActor,
        optimizer: torch.optim.Optimizer,
        guard: NonFiniteGuard,
        config: TrainerConfig,
        device: torch.device,
        world: World,
        say: Callable[[str], None],
    ) -> None:
        self.actor = actor
        self.optimizer = optimizer
        self.guard = guard
        self.config = config
        self.device = device
        self.world = world
        self.say = say
        self.average = None if config.ema is None else AveragedWeights(actor.net, config.ema)
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.scale_loss)
        self.skipped = 0
        self.division = divide(config.batch_size, world, config.groups)
        self._parts = config.parts

    def __call__(self, batches: Sequence[Batch], position: Position, stop: bool) -> StepResult:
        """Make the step that follows `position`.

        Args:
            batches: this process's groups of the batch, on the device.
            position: how far the run is.
            stop: whether this process was asked to stop.

        Raises:
            NumericalError: if too many steps of the run were not finite.
        """
        self.guard.before_step()
        gradients, stats = self._compute(batches, position)
        average = self.division.average(gradients, stats, stop)
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.get_total_norm(gradients[-1])
        values = fetch(average.stats | {"Grad/norm": norm})  # the one synchronisation of a step
        if _finite(values["Loss/total"]) and _finite(values["Grad/norm"]):
            self._update(norm, values)
        elif self._only_scaled_too_far(values):
            self.skipped += 1
            values = {"Grad/skipped": 1.0}
            self.scaler.update()
        else:
            worst = next((i for i, s in enumerate(stats) if not s["Loss/total"].isfinite()), 0)
            self._reject(batches[worst], values, position)
            values = {}
        return StepResult(values, average.stop)

    def _compute(
        self, batches: Sequence[Batch], position: Position
    ) -> tuple[list[list[Tensor]], list[dict[str, Tensor]]]:
        """Gradients and statistics of each group; the running statistics become those of the first."""
        gradients, stats = [], []
        buffers: list[Tensor] = []
        for number, batch in enumerate(batches):
            self.optimizer.zero_grad(set_to_none=True)
            sizes = self._part_sizes(batch)
            self.seed(position.samples, number)  # measuring the parts has drawn
            stats.append(forward_backward(self.actor, batch, sizes, self.scaler.scale))
            gradients.append(self._gradients())
            if number == 0 and len(batches) > 1:
                # What a process that computes one group would have; the others' would depend on who has them.
                buffers = [buffer.clone() for buffer in self.actor.net.buffers()]
        with torch.no_grad():
            for buffer, first in zip(self.actor.net.buffers(), buffers):
                buffer.copy_(first)
        return gradients, stats

    def seed(self, samples: int, group: int) -> None:
        """Give an own group the random numbers of its place in the run, whichever process computes it.

        Args:
            samples: index of the batch's first sample.
            group: number among this process's groups.
        """
        if self.division.fixed:
            place = np.random.SeedSequence((self.config.seed, samples + self.division.first(group)))
            seed_everything(int(place.generate_state(1, np.uint64)[0]) % 2**63)

    def _gradients(self) -> list[Tensor]:
        groups = self.optimizer.param_groups
        return [p.grad for group in groups for p in group["params"] if p.grad is not None]

    def _update(self, norm: Tensor, values: dict[str, float]) -> None:
        """Clip, move the weights, and add to `values` what was done."""
        if (limit := self.config.clip_norm) is not None:
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
            values["Grad/clipped"] = float(values["Grad/norm"] > limit)
        self.optimizer.step()
        if self.scaler.is_enabled():
            values |= {"Grad/skipped": 0.0, "Grad/scale": self.scaler.get_scale()}
            self.scaler.update()
        if self.average is not None:
            self.average.update()

    def _only_scaled_too_far(self, values: Mapping[str, float]) -> bool:
        """Whether a smaller loss scale cures the step: the loss itself is finite, the scale still large."""
        return (
            self.scaler.is_enabled()
            and _finite(values["Loss/total"])
            and self.scaler.get_scale() > SMALLEST_SCALE
        )

    def _reject(self, batch: Batch, values: Mapping[str, float], position: Position) -> None:
        if self.scaler.is_enabled():
            self.scaler.update()
        epoch, step = position.epoch + 1, position.step + 1
        kept = self.guard.reject(batch, values, epoch, step, self.world.rank)
        self.say(f"Step {step} of epoch {epoch} is not finite and was skipped; {kept}")

    def _part_sizes(self, batch: Batch) -> list[int]:
        """In which parts a group is computed; decided at the first one and kept for the whole run."""
        size = self.division.samples
        if self._parts is None:
            # On a CPU the processes of a machine share its memory; all take as many parts as the neediest.
            sharing = self.world.local_size if self.device.type == "cpu" else 1
            free = available_memory(self.device)
            need = 1 if free is None else parts_needed(self.actor, batch, size, free // sharing)
            self._parts = max(self.world.gather(need))
            if self._parts > 1:
                self.say(
                    f"memory: {(free or 0) / 2**30:.1f} GiB are free, so a batch of {size} is computed in "
                    f"{self._parts} parts of {max(part_sizes(size, self._parts))}; batch statistics are over "
                    "a part (--micro-batch N sets its size)"
                )
        return part_sizes(size, self._parts)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know beside weights, averages and the optimiser's state."""
        return {
            "nonfinite": self.guard.count,
            "parts": self._parts,
            "scaler": self.scaler.state_dict(),
            "skipped": self.skipped,
            "ema_updates": 0 if self.average is None else self.average.updates,
        }

    def load_state_dict(self, state: Mapping[str, Any], average: Mapping[str, Any] | None) -> None:
        """Go on from what `state_dict` gave.

        Args:
            state: from `state_dict`; entries that older files lack begin anew.
            average: the averaged weights, None if the file has none.

        Raises:
            InputError: if the averages are those of another network.
        """
        self.guard.count = int(state["nonfinite"])
        self.skipped = int(state.get("skipped", 0))
        if self.config.parts is None:
            self._parts = state["parts"]
        if self.scaler.is_enabled() and state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(average, int(state.get("ema_updates", 0)))


def _finite(value: float) -> bool:
    return value - value == 0
