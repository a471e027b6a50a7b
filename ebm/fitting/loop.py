"""A training loop for small networks: minibatches by index, early stopping, best weights kept."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ebm.bars import terminal_bar
from ebm.exceptions import NumericalError
from ebm.fitting.best import Best, HeldOut
from ebm.fitting.config import FitConfig
from ebm.fitting.optimiser import FlatAdamW

__all__ = ["History", "Interrupted", "Rule", "Watch", "minimise"]

BatchLoss = Callable[[Tensor], Tensor]
State = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How weights move, where that is another way than that of `ebm.fit`.

    Attributes:
        coupled: weight decay is an L2 penalty of Adam's, see `FlatAdamW`.
        constant: the learning rate stays, and training goes on to the last epoch.
    """

    coupled: bool = False
    constant: bool = False


@dataclass(frozen=True, kw_only=True)
class History:
    """What happened while a network was trained.

    Attributes:
        train_loss: mean loss of every epoch, in the unit of the loss.
        held_out_nll: mean held-out negative log-likelihood after every epoch, nats, of raw targets.
        best_epoch: the epoch, from 0, whose weights were kept; of several members that of the last one, and
            the other figures are their means.
        seconds: wall-clock time.
    """

    train_loss: tuple[float, ...]
    held_out_nll: tuple[float, ...]
    best_epoch: int
    seconds: float


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after an epoch at least; the network has its best weights.

    Args:
        history: up to here.
    """

    def __init__(self, history: History) -> None:
        super().__init__("training was interrupted")
        self.history = history


class Watch:
    """What stands beside a training; this one does nothing."""

    def goes_on(self, load: Callable[[Mapping[str, Any]], None]) -> bool:
        """Hand over the state to go on from, if there is one.

        Args:
            load: takes it.
        """
        return False

    def begins(self, state: Callable[[], State]) -> None:
        """No epoch was trained yet.

        Args:
            state: all that the training depends on, as tensors and plain values.
        """

    def after_epoch(self, epoch: int, numbers: Mapping[str, float], state: Callable[[], State]) -> None:
        """An epoch, from 0, is over."""

    def ends(self, state: Callable[[], State]) -> None:
        """The network has its best weights."""


def minimise(
    net: nn.Module,
    batch_loss: BatchLoss,
    held_out: Callable[[], HeldOut],
    count: int,
    config: FitConfig,
    *,
    generator: torch.Generator,
    progress: bool = False,
    from_start: bool = False,
    watch: Watch | None = None,
    rule: Rule | None = None,
) -> History:
    """Train a network in place until its held-out value stops falling, and give it its best weights.

    The learning rate falls to 0 along half a cosine over all epochs. Where the held-out value has not fallen
    for `patience` epochs before that, training goes back to the best weights and lets the learning rate fall
    to 0 from there, over as many epochs: the noise of large steps is taken out either way. Of several
    networks side by side each keeps its own best weights; they go back when the last of them stops falling.

    Args:
        net: its parameters are trained; in training mode during steps, in evaluation mode otherwise.
        batch_loss: loss ``()`` of the rows with the given indices ``(b,)``.
        held_out: measures the network; called after every epoch.
        count: rows to train on.
        config: budget and stopping rule.
        generator: draws the order of the rows; on the device of the indices.
        progress: show a bar, where tqdm is installed and the output is a terminal.
        from_start: the network as it is given counts too, as the first entry of what is measured.
        watch: is told of every epoch, and knows where to go on.
        rule: another way for the weights to move; None is that of `ebm.fit`.

    Raises:
        NumericalError: if the loss or the held-out value is not finite before any epoch has succeeded.
        Interrupted: (a KeyboardInterrupt) after Ctrl-C, if an epoch has succeeded.

    Warns:
        UserWarning: if that happens later; the best weights so far are kept.
    """
    run, watch = _Run(net, config, generator, from_start, rule or Rule()), watch or Watch()
    try:
        if not watch.goes_on(run.load):
            watch.begins(run.state)
        if from_start and not run.best.values:
            run.best.offer(held_out())
        if not run.over:
            run.train(batch_loss, held_out, count, progress, watch)
    except KeyboardInterrupt as stop:
        history = run.end()
        if not history.held_out_nll:
            raise
        raise Interrupted(history) from stop
    history = run.end()
    run.over = True
    watch.ends(run.state)
    return history


@dataclass(frozen=True)
class _Rate:
    """Falls from `start` to 0 along half a cosine over `length` epochs from `first` on."""

    start: float
    first: int
    length: int

    @property
    def end(self) -> int:
        """The epoch after the last."""
        return self.first + self.length

    def at(self, epoch: int, done: float) -> float:
        """The rate when a share `done` of an epoch is over."""
        return self.start * 0.5 * (1 + math.cos(math.pi * (epoch - self.first + done) / self.length))


class _Run:
    """A training and where it stands."""

    def __init__(
        self, net: nn.Module, config: FitConfig, generator: torch.Generator, from_start: bool, rule: Rule
    ) -> None:
        self.net, self.config, self.generator, self.from_start = net, config, generator, from_start
        self.rule, self.best = rule, Best(net)
        self.optimiser = FlatAdamW(net, config.weight_decay, coupled=rule.coupled)
        self.rate = _Rate(config.learning_rate, 0, config.epochs)
        self.losses: list[float] = []
        self.over = False
        self.start = time.perf_counter()

    def train(
        self,
        batch_loss: BatchLoss,
        held_out: Callable[[], HeldOut],
        count: int,
        progress: bool,
        watch: Watch,
    ) -> None:
        """All epochs that are left."""
        done, epochs = len(self.losses), self.config.epochs
        left = range(done, epochs)
        bar = terminal_bar(left, desc="fit", unit="epoch", initial=done, total=epochs) if progress else left
        for epoch in bar:
            lr = partial(self._rate_at, epoch)
            try:
                loss = _epoch(self.net, batch_loss, self.optimiser, count, self.config, lr, self.generator)
                self.losses.append(loss)
                self.best.offer(held_out())
            except NumericalError as error:
                self.best.settle_for_less(error)
                return
            values, lowest = self.best.values, self.best.values[self.best.epoch]
            if hasattr(bar, "set_postfix_str"):
                bar.set_postfix_str(f"held-out NLL {values[-1]:.3f}, best {lowest:.3f}")
            numbers = {"train_loss": loss, "held_out_nll": values[-1], "best_held_out_nll": lowest}
            numbers |= {"learning_rate": lr(0.0), "seconds": time.perf_counter() - self.start}
            more = self._goes_on(epoch)
            watch.after_epoch(epoch, numbers, self.state)
            if not more:
                return

    def _rate_at(self, epoch: int, done: float) -> float:
        return self.rate.start if self.rule.constant else self.rate.at(epoch, done)

    def _goes_on(self, epoch: int) -> bool:
        """Whether another epoch follows; without progress, from the best weights and with a falling rate."""
        if epoch + 1 == self.rate.end:
            self.over = True
            return False
        best = self.best.epoch - self.from_start  # -1 is the network as it was given
        if not self.rule.constant and self.rate.first == 0 and epoch - best >= self.config.patience:
            self.best.restore()
            left = min(self.config.patience, self.config.epochs - epoch - 1)
            self.rate = _Rate(self.rate.at(best + 1, 0.0), epoch + 1, left)
        return True

    def end(self) -> History:
        """Give the network its best weights, and memory of its own."""
        self.best.restore()
        self.optimiser.release()
        return History(
            train_loss=tuple(self.losses[: len(self.best.values)]),
            held_out_nll=self.best.values,
            best_epoch=self.best.epoch,
            seconds=time.perf_counter() - self.start,
        )

    def state(self) -> State:
        """All that the rest of the training depends on, but for randomness outside of the generator."""
        rate = self.rate
        return {
            "over": self.over,
            "losses": list(self.losses),
            "rate": [rate.start, rate.first, rate.length],
            "best": self.best.state(),
            "weights": {name: part.detach().cpu().clone() for name, part in self.net.state_dict().items()},
            "optimiser": self.optimiser.state(),
            "generator": self.generator.get_state(),
            "seconds": time.perf_counter() - self.start,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        self.net.load_state_dict(state["weights"])
        self.optimiser.load(state["optimiser"])
        self.best.load(state["best"])
        start, first, length = state["rate"]
        self.rate, self.losses = _Rate(float(start), int(first), int(length)), list(state["losses"])
        self.generator.set_state(state["generator"])
        self.over, self.start = bool(state["over"]), time.perf_counter() - float(state["seconds"])


def _epoch(
    net: nn.Module,
    batch_loss: BatchLoss,
    optimiser: FlatAdamW,
    count: int,
    config: FitConfig,
    rate: Callable[[float], float],
    generator: torch.Generator,
) -> float:
    """One pass over the rows; the mean loss."""
    net.train()
    order = torch.randperm(count, generator=generator, device=generator.device)
    # Batches of nearly equal size: a last batch of one row would upset batch normalisation.
    batches = order.tensor_split(config.batches(count))
    total = torch.zeros((), device=generator.device)
    for i, rows in enumerate(batches):
        optimiser.zero_grad()
        loss = batch_loss(rows)
        loss.backward()
        optimiser.step(rate(i / len(batches)))
        total += loss.detach() * len(rows)
    net.eval()
    mean = total.item() / count
    if not math.isfinite(mean):
        raise NumericalError(f"the training loss is {mean}.")
    return mean
