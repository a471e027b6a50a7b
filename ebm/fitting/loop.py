"""A training loop for small networks: minibatches by index, early stopping, best weights kept."""

import math
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ebm.exceptions import NumericalError
from ebm.fitting.config import FitConfig
from ebm.fitting.optimiser import FlatAdamW
from ebm.nn.members import MemberNets

__all__ = ["HeldOut", "History", "minimise"]

BatchLoss = Callable[[Tensor], Tensor]


class HeldOut(NamedTuple):
    """What held-out rows say of a network, both the smaller the better; of K side by side, ``(K,)`` numbers.

    Attributes:
        criterion: decides which weights are kept, and when training ends.
        nll: mean negative log-likelihood, nats, of raw targets; is told.
    """

    criterion: float | Tensor
    nll: float | Tensor


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

    Raises:
        NumericalError: if the loss or the held-out value is not finite before any epoch has succeeded.

    Warns:
        UserWarning: if that happens later; the best weights so far are kept.
    """
    start = time.perf_counter()
    optimiser, state = FlatAdamW(net, config.weight_decay), _Best(net)
    rate = _Rate(config.learning_rate, 0, config.epochs)
    losses: list[float] = []
    if from_start:
        state.offer(held_out())
    bar = _bar(config.epochs, progress)
    for epoch in bar:
        lr = partial(rate.at, epoch)
        try:
            losses.append(_epoch(net, batch_loss, optimiser, count, config, lr, generator))
            state.offer(held_out())
        except NumericalError as error:
            state.settle_for_less(error)
            break
        if hasattr(bar, "set_postfix_str"):
            bar.set_postfix_str(f"held-out NLL {state.values[-1]:.3f}, best {state.values[state.epoch]:.3f}")
        if epoch + 1 == rate.end:
            break
        best = state.epoch - from_start  # -1 is the network as it was given
        if rate.first == 0 and epoch - best >= config.patience:
            state.restore()
            left = min(config.patience, config.epochs - epoch - 1)
            rate = _Rate(rate.at(best + 1, 0.0), epoch + 1, left)
    state.restore()
    optimiser.release()
    return History(
        train_loss=tuple(losses[: len(state.values)]),
        held_out_nll=tuple(state.values),
        best_epoch=state.epoch,
        seconds=time.perf_counter() - start,
    )


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


class _Best:
    """The smallest criterion so far, of every member, and the weights it was measured with."""

    def __init__(self, net: nn.Module) -> None:
        self.net, self.epoch = net, 0
        self.criterion: Tensor | None = None
        self.values: list[float] = []
        self.weights: dict[str, Tensor] = {}

    def offer(self, measured: HeldOut) -> None:
        criterion, nll = (torch.as_tensor(part).double().reshape(-1).cpu() for part in measured)
        if not bool((criterion.isfinite() & nll.isfinite()).all()):
            raise NumericalError(f"the held-out NLL is {', '.join(f'{value:g}' for value in nll.tolist())}.")
        if self.criterion is None:
            self.criterion = torch.full_like(criterion, math.inf)
        better = criterion < self.criterion
        if bool(better.any()):
            self.epoch, self.criterion = len(self.values), torch.where(better, criterion, self.criterion)
            self._keep(better)
        self.values.append(nll.mean().item())

    def _keep(self, better: Tensor) -> None:
        """Weights of the members that are better."""
        state = self.net.state_dict()
        if bool(better.all()):
            self.weights = {name: tensor.detach().clone() for name, tensor in state.items()}
            return
        whole = [f"{name}." for name, module in self.net.named_modules() if isinstance(module, MemberNets)]
        rowwise = {name for name, _ in self.net.named_parameters()}
        for name, tensor in state.items():
            inside = next((prefix for prefix in whole if name.startswith(prefix)), None)
            if inside is not None:  # a network for each member
                if better[int(name.removeprefix(inside).split(".")[0])]:
                    self.weights[name] = tensor.detach().clone()
            elif name in rowwise:  # one row for each
                self.weights[name][better] = tensor.detach()[better.to(tensor.device)]

    def settle_for_less(self, error: NumericalError) -> None:
        """Warn that training ended here, or raise where there is nothing to settle for."""
        if not self.values:
            remedy = "Try a lower learning_rate."
            raise NumericalError(f"training failed in its first epoch: {error} {remedy}") from error
        warnings.warn(
            f"training stopped in epoch {len(self.values)}, the best weights so far are kept: {error}",
            stacklevel=4,
        )

    def restore(self) -> None:
        self.net.load_state_dict(self.weights)
        self.net.eval()


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


def _bar(epochs: int, show: bool) -> Any:
    """The epochs, behind a progress bar where one can be shown."""
    count: Iterable[int] = range(epochs)
    if not show:
        return count
    try:
        from tqdm import tqdm
    except ImportError:  # tqdm is a convenience: torch and NumPy are all that fitting needs
        return count
    return tqdm(count, desc="fit", unit="epoch", disable=None, leave=False)
