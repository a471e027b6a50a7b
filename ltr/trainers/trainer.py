"""The training loop: epochs, validation, checkpoints; an exception ends the run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ebm.exceptions import InputError
from ltr.actors.base_actor import BaseActor
from ltr.trainers.batches import fetch, forward_backward, part_sizes, to_device
from ltr.trainers.checkpoints import CheckpointFolder
from ltr.trainers.config import Batch, Position, Streams, TrainerConfig
from ltr.trainers.guard import NonFiniteGuard
from ltr.trainers.history import History
from ltr.trainers.memory import available_memory, parts_needed
from ltr.trainers.meters import Meters, Stopwatch
from ltr.trainers.progress import Progress, describe
from ltr.trainers.random_state import capture_random_state, restore_random_state
from ltr.trainers.schedule import learning_rate_factor
from ltr.trainers.stopping import StopRequest
from ltr.trainers.world import World

__all__ = ["Trainer"]

SLOW_DATA = 0.2  # share of time spent waiting above which the log says so


class Trainer:
    """Drives an actor through its epochs.

    Args:
        actor: batch -> loss, statistics; owns the network, which is on `device` already.
        optimizer: over the network's parameters; each group carries ``initial_lr``.
        streams: training and validation batches.
        folder: where checkpoints, the history and evidence of non-finite losses go.
        config: numbers.
        device: where the batches go.
        progress: what shows the progress line.
        world: the processes that share the batches; alone where left out.
    """

    def __init__(
        self,
        *,
        actor: BaseActor,
        optimizer: torch.optim.Optimizer,
        streams: Streams,
        folder: CheckpointFolder,
        config: TrainerConfig,
        device: torch.device,
        progress: Progress | None = None,
        world: World | None = None,
    ) -> None:
        self.actor = actor
        self.optimizer = optimizer
        self.streams = streams
        self.folder = folder
        self.config = config
        self.device = device
        self.progress = progress if progress is not None else Progress()
        self.position = Position()
        self.history = History()
        self.guard = NonFiniteGuard(actor.net, folder.path, config.max_nonfinite)
        self._meters = Meters()
        self._random: dict[str, Any] | None = None
        self._parts = config.parts
        self.world = world if world is not None else World()
        self._batch_size = self.world.share(config.batch_size)
        self._stop = False

    def run(self) -> int:
        """Train to the last epoch of the schedule.

        Returns: 0 when done; 130 or 143 when SIGINT or SIGTERM asked to stop, after writing a checkpoint.

        Raises:
            NumericalError: if too many steps were not finite.
            InputError: from the data, e.g. an image that cannot be read.
        """
        epochs, config = self.config.schedule.epochs, self.config
        left = (epochs - self.position.epoch) * config.steps - self.position.step
        if left <= 0:
            return 0
        with StopRequest() as stop:
            batches = iter(self.streams.train(self.position.samples, left * config.batch_size))
            # The loader draws from the global stream when it starts, hence only now.
            if self._random is not None:
                restore_random_state(self._random)
            while self.position.epoch < epochs:
                if not self._train_epoch(batches, stop):
                    if self.world.is_main:
                        path = self.folder.write_interrupted(self.position.epoch, self.state_dict())
                        self.progress.message(f"Stopped after step {self.position.step}; state saved: {path}")
                    return stop.exit_code
                if self.world.is_main:
                    path = self._finish_epoch(stop)
                if self._stop and self.position.epoch < epochs:
                    if self.world.is_main:
                        self.progress.message(
                            f"Stopped after epoch {self.position.epoch}; state saved: {path}"
                        )
                    return stop.exit_code
        return 0

    def _train_epoch(self, batches: Iterator[Batch], stop: StopRequest) -> bool:
        """Run the rest of the current epoch; False if asked to stop before its end."""
        steps, position = self.config.steps, self.position
        self.actor.train(True)
        watch = Stopwatch()
        first = position.step
        self.progress.start(f"epoch {position.epoch + 1}/{self.config.schedule.epochs}", steps, first)
        while position.step < steps:
            watch.before_data()
            batch = to_device(next(batches), self.device)
            watch.after_data(self.config.batch_size)
            self._train_step(batch, stop)
            position.step += 1
            position.samples += self.config.batch_size
            if self.progress.due(position.step):
                self._show(watch, position.step - first)
            if self._stop and position.step < steps:
                self.progress.close()
                return False
        self.progress.close()
        self._record_train(watch)
        return True

    def _train_step(self, batch: Batch, stop: StopRequest) -> None:
        self._set_rates()
        self.guard.before_step()
        self.optimizer.zero_grad(set_to_none=True)
        stats = forward_backward(self.actor, batch, self._part_sizes(batch))
        gradients = [p.grad for p in self.actor.net.parameters() if p.grad is not None]
        average = self.world.average(gradients, stats, stop.signum is not None)
        self._stop = average.stop
        norm = torch.nn.utils.get_total_norm(gradients)
        values = fetch(average.stats | {"Grad/norm": norm})  # the one synchronisation of a step
        bad = [value for value in (values["Loss/total"], values["Grad/norm"]) if value - value != 0]
        if bad:
            epoch, step = self.position.epoch + 1, self.position.step + 1
            path = self.guard.reject(batch, values, epoch, step)
            self.progress.message(f"Step {step} of epoch {epoch} is not finite and was skipped; see {path}")
            return
        if (limit := self.config.clip_norm) is not None:
            torch.nn.utils.clip_grads_with_norm_(self.actor.net.parameters(), limit, norm)
            values["Grad/clipped"] = float(values["Grad/norm"] > limit)
        self.optimizer.step()
        self._meters.update(values, self.config.batch_size)

    def _part_sizes(self, batch: Batch) -> list[int]:
        """In which parts a batch is computed; decided at the first one and kept for the whole run."""
        size = self._batch_size
        if self._parts is None:
            free = available_memory(self.device)
            self._parts = 1 if free is None else parts_needed(self.actor, batch, size, free)
            if self._parts > 1:
                self.progress.message(
                    f"memory: {(free or 0) / 2**30:.1f} GiB are free, so a batch of {size} is computed in "
                    f"{self._parts} parts of {max(part_sizes(size, self._parts))}; batch statistics are over "
                    "a part (--micro-batch N sets its size)"
                )
        return part_sizes(size, self._parts)

    def _set_rates(self) -> None:
        """Set every group's learning rate for the current position."""
        progress = self.position.epoch + self.position.step / self.config.steps
        factor = learning_rate_factor(self.config.schedule, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _show(self, watch: Stopwatch, steps_done: int) -> None:
        left = (self.config.schedule.epochs - self.position.epoch) * self.config.steps - self.position.step
        eta = left * watch.seconds / max(steps_done, 1)
        text = describe(self._meters.means(), self._rates(), watch, self.config.frames_per_sample, eta)
        self.progress.show(self.position.step, text)

    def _record_train(self, watch: Stopwatch) -> None:
        """Close the epoch's statistics and move the position to the next epoch."""
        rates = {f"LearningRate/group{i}": rate for i, rate in enumerate(self._rates())}
        self.position.epoch += 1
        self.position.step = 0
        self.history.add("train", self.position.epoch, self._meters.means() | rates | watch.timing())
        self._meters = Meters()
        if watch.waiting_share > SLOW_DATA and watch.seconds > 10:
            self.progress.message(
                f"The network waited for data {watch.waiting_share:.0%} of the time: raise --workers "
                "if cores are idle, or put the data on a faster disk."
            )

    def _finish_epoch(self, stop: StopRequest) -> Path:
        """Validate if it is time, then write the checkpoint and the history."""
        before = self.history.lowest("val", "Loss/total")
        due = self.position.epoch % self.config.validate_every == 0
        if self.streams.validation is not None and due and stop.signum is None:
            self._validate(self.streams.validation, stop)
        best = self.history.lowest("val", "Loss/total") < before
        path = self.folder.write_epoch(self.position.epoch, self.state_dict(), best=best)
        self.history.write(self.folder.path / "history.csv")
        return path

    def _validate(self, stream: Callable[[], Iterable[Batch]], stop: StopRequest) -> None:
        """Mean statistics over the validation set, in evaluation mode; dropped if asked to stop."""
        self.actor.eval()
        meters, watch, done = Meters(), Stopwatch(), 0
        random = capture_random_state()
        for batch in stream():
            size = int(batch["test_anno"].shape[1])
            watch.after_data(size)
            with torch.no_grad():
                _, stats = self.actor(to_device(batch, self.device))
            meters.update(fetch(stats), size)
            done += 1
            if stop.signum is not None:
                return
            watch.before_data()
        restore_random_state(random)
        if done:
            text = describe(meters.means(), [], watch, self.config.frames_per_sample)
            self.progress.message(f"validation after epoch {self.position.epoch}  {text}")
            self.history.add("val", self.position.epoch, meters.means() | watch.timing())

    def state_dict(self) -> dict[str, Any]:
        """Everything a run needs to go on exactly, under the reference's field names plus ``resume``."""
        net = self.actor.net
        return {
            "epoch": self.position.epoch,
            "actor_type": type(self.actor).__name__,
            "net_type": type(net).__name__,
            "net": net.state_dict(),
            "net_info": getattr(net, "info", None),
            "constructor": getattr(net, "constructor", None),
            "optimizer": self.optimizer.state_dict(),
            "stats": self.history.state_dict(),
            "settings": dict(self.config.settings),
            "resume": {
                "position": asdict(self.position),
                "schedule": asdict(self.config.schedule),
                "meters": self._meters.state_dict(),
                "random": capture_random_state(),
                "nonfinite": self.guard.count,
                "processes": self.world.size,
                "parts": self._parts,
                **self.config.extra,
            },
        }

    def load_state_dict(self, content: Mapping[str, Any]) -> None:
        """Take up the state of a checkpoint written by `state_dict`.

        Raises:
            InputError: if the checkpoint is of another network or carries no training state.
        """
        if "resume" not in content or "optimizer" not in content:
            raise InputError(
                "The checkpoint holds weights but no training state, so nothing can be resumed from it; "
                "use --resume none."
            )
        try:
            self.actor.net.load_state_dict(content["net"])
            self.optimizer.load_state_dict(content["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise InputError(f"The checkpoint is of another network or optimiser: {error}") from error
        resume = content["resume"]
        self.position = Position(**resume["position"])
        self.history.load_state_dict(content["stats"])
        self._meters.load_state_dict(resume["meters"])
        self._random = resume["random"]
        self.guard.count = int(resume["nonfinite"])
        if self.config.parts is None:
            self._parts = resume["parts"]
