"""The training loop: epochs, validation, checkpoints; an exception ends the run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ebm.exceptions import InputError
from ebm.sinks import Sinks
from ebm.training.stopping import StopRequest
from ltr.actors.base_actor import BaseActor
from ltr.admin.state_dicts import load_strictly
from ltr.trainers.batches import to_device
from ltr.trainers.checkpoints import CheckpointFolder, require_training_state
from ltr.trainers.config import Batch, Position, Streams, TrainerConfig
from ltr.trainers.guard import NonFiniteGuard
from ltr.trainers.history import History
from ltr.trainers.meters import Meters, Stopwatch
from ltr.trainers.progress import Progress, describe
from ltr.trainers.random_state import capture_random_state, restore_random_state
from ltr.trainers.schedule import learning_rate_factor
from ltr.trainers.step import TrainStep
from ltr.trainers.time_limit import TimeLimit
from ltr.trainers.validating import validate
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
        sinks: what else gets the numbers of every epoch.
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
        sinks: Sinks | None = None,
    ) -> None:
        self.actor = actor
        self.optimizer = optimizer
        self.streams = streams
        self.folder = folder
        self.config = config
        self.device = device
        self.world = world if world is not None else World()
        self.progress = progress if progress is not None else Progress(silent=not self.world.is_main)
        self.sinks = sinks if sinks is not None else Sinks([], self.progress.message)
        self.position = Position()
        self.history = History()
        # Equal seeds make equal networks; files of weights that differ between machines would not.
        self.world.broadcast(list(actor.net.state_dict().values()))
        self.guard = NonFiniteGuard(actor.net, folder.path, config.max_nonfinite)
        self.step = TrainStep(
            actor=actor,
            optimizer=optimizer,
            guard=self.guard,
            config=config,
            device=device,
            world=self.world,
            say=self.progress.message,
        )
        self._meters = Meters()
        self._random: dict[str, Any] | None = None
        self._stop = False
        self.limit = TimeLimit(config.max_time)

    def run(self) -> int:
        """Train to the last epoch of the schedule, or until the time is up.

        Returns: 0 when done; 130 or 143 when SIGINT or SIGTERM asked to stop, after writing a checkpoint.

        Raises:
            NumericalError: if too many steps were not finite.
            InputError: from the data, e.g. an image that cannot be read; if a checkpoint cannot be written.
        """
        epochs, config = self.config.schedule.epochs, self.config
        left = (epochs - self.position.epoch) * config.steps - self.position.step
        if left <= 0 or self._look_at_time() >= 1:
            return 0
        self.limit.start()
        with StopRequest() as stop:
            batches = iter(self.streams.train(self.position.samples, left * config.batch_size))
            # The loader draws from the global stream when it starts, hence only now.
            if self._random is not None:
                restore_random_state(self._random)
            while self.position.epoch < epochs and not (self.position.samples and self._look_at_time() >= 1):
                whole = self._train_epoch(batches, stop)
                path = self._finish_epoch(stop) if whole else self._save_interrupted()
                if not whole or (self._stop and self.position.epoch < epochs):
                    self._say_stopped(path)
                    return stop.exit_code or 143  # another process may be the one that was asked
        return 0

    def _say_stopped(self, path: Path | None) -> None:
        step, epoch = self.position.step, self.position.epoch
        self.progress.message(
            f"Stopped after {f'step {step}' if step else f'epoch {epoch}'}; state saved: {path}"
        )

    def _train_epoch(self, batches: Iterator[Batch], stop: StopRequest) -> bool:
        """Run the rest of the current epoch; False if asked to stop before its end."""
        steps, position = self.config.steps, self.position
        self.actor.train(True)
        watch = Stopwatch()
        first = position.step
        self.progress.start(f"epoch {position.epoch + 1}/{self.config.schedule.epochs}", steps, first)
        while position.step < steps and not (position.step > first and self.limit.is_up):
            self.train_step(batches, watch, stop)
            if self.progress.due(position.step):
                self._show(watch, position.step - first)
            if self._stop and position.step < steps and not self.limit.is_up:
                self.progress.close()
                return False
        self.progress.close()
        self._record_train(watch)
        return True

    def train_step(self, batches: Iterator[Batch], watch: Stopwatch, stop: StopRequest) -> None:
        """Make one step with the next batch and move the position."""
        self._set_rates()
        watch.before_data()
        groups = [to_device(next(batches), self.device) for _ in range(self.step.division.own)]
        watch.after_data(self.config.batch_size)
        result = self.step(groups, self.position, stop.signum is not None)
        self._stop = result.stop
        self._meters.update(result.values, self.config.batch_size)
        self.position.step += 1
        self.position.samples += self.config.batch_size

    def _set_rates(self) -> None:
        """Set every group's learning rate for the current position."""
        done = self.position.epoch + self.position.step / self.config.steps
        # Of a run whose time ends first, the time says how far the schedule is.
        progress = max(done, self._look_at_time() * self.config.schedule.epochs)
        factor = learning_rate_factor(self.config.schedule, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def _look_at_time(self) -> float:
        return self.limit.look(self.world, self.device)

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _show(self, watch: Stopwatch, steps_done: int) -> None:
        left = (self.config.schedule.epochs - self.position.epoch) * self.config.steps - self.position.step
        eta = left * watch.seconds / max(steps_done, 1)
        text = describe(
            self._meters.means(), self._rates(), watch, self.config.frames_per_sample, self.limit.left(eta)
        )
        self.progress.show(self.position.step, text)

    def _record(self, loader: str, values: Mapping[str, float]) -> None:
        self.history.add(loader, self.position.epoch, values)
        self.sinks.write(loader, self.position.epoch, values)

    def _record_train(self, watch: Stopwatch) -> None:
        """Close the epoch's statistics and move the position to the next epoch."""
        rates = {f"LearningRate/group{i}": rate for i, rate in enumerate(self._rates())}
        self.position.epoch += 1
        self.position.step = 0
        self._record("train", self._meters.means() | rates | watch.timing())
        self._meters = Meters()
        if watch.waiting_share > SLOW_DATA and watch.seconds > 10:
            self.progress.message(
                f"The network waited for data {watch.waiting_share:.0%} of the time: raise --workers "
                "if cores are idle, or put the data on a faster disk."
            )

    def _finish_epoch(self, stop: StopRequest) -> Path | None:
        """Validate if it is time, then write the checkpoint and the history."""
        before = self.history.lowest("val", "Loss/total")
        due = self.position.epoch % self.config.validate_every == 0
        if self.streams.validation is not None and due and not self._stop:
            self._validate(self.streams.validation, stop)
        best = self.history.lowest("val", "Loss/total") < before
        content = self.state_dict()
        if not self.world.is_main:
            return None
        path = self.folder.write_epoch(self.position.epoch, content, best=best)
        self.history.write(self.folder.path / "history.csv")
        return path

    def _save_interrupted(self) -> Path | None:
        content = self.state_dict()
        path = None
        if self.world.is_main:
            path = self.folder.write_interrupted(self.position.epoch, content)
        self.world.wait_for_all()  # torchrun ends all processes once the first has left
        return path

    def _validate(self, stream: Callable[[], Iterable[Batch]], stop: StopRequest) -> None:
        """Mean statistics over the validation set, in evaluation mode; dropped if asked to stop."""
        found = validate(self.actor, stream, self.step, self.device, stop)
        self._stop = found.stop
        if (means := found.meters.means()) and not self._stop:
            text = describe(means, [], found.watch, self.config.frames_per_sample)
            which = "" if self.step.average is None else " of the averaged weights"
            self.progress.message(f"validation{which} after epoch {self.position.epoch}  {text}")
            self._record("val", means | found.watch.timing())

    def state_dict(self) -> dict[str, Any]:
        """Everything a run needs to go on exactly, under the reference's field names and a few of our own.

        Every process must call it, since the random streams of all are kept.
        """
        net = self.actor.net
        randoms = self.world.gather(capture_random_state())
        average = {} if self.step.average is None else {"net_ema": self.step.average.state_dict()}
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
            **average,
            "resume": {
                "position": asdict(self.position),
                "schedule": asdict(self.config.schedule),
                "meters": self._meters.state_dict(),
                "random": randoms[0],
                "random_others": randoms[1:],
                "processes": self.world.size,
                "seconds": self.limit.used,
                **self.step.state_dict(),
                **self.config.extra,
            },
        }

    def load_state_dict(self, content: Mapping[str, Any]) -> None:
        """Take up the state of a checkpoint written by `state_dict`.

        Raises:
            InputError: if the checkpoint is of another network or optimiser, or carries no training state.
        """
        require_training_state(content)
        load_strictly(self.actor.net, content["net"], "The checkpoint to resume from")
        try:
            self.optimizer.load_state_dict(content["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"The checkpoint to resume from is of another optimiser: {error}") from error
        try:
            self._load_progress(content)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise InputError(
                f"The training state in the checkpoint is damaged or of another version ({error!r}); use "
                "--resume none."
            ) from error

    def _load_progress(self, content: Mapping[str, Any]) -> None:
        resume = content["resume"]
        self.position = Position(**resume["position"])
        self.limit.before = float(resume.get("seconds", 0.0))
        # Of an epoch that was longer then, one step is left to close it by.
        self.position.step = min(self.position.step, self.config.steps - 1)
        self.history.load_state_dict(content["stats"])
        self._meters.load_state_dict(resume["meters"])
        randoms = [resume["random"], *resume.get("random_others", [])]
        self._random = randoms[self.world.rank if len(randoms) == self.world.size else 0]
        restore_random_state(self._random)
        self.step.load_state_dict(resume, content.get("net_ema"))
