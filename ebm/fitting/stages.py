"""Networks and their training: one stage, or a density in closed form first and its correction then."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ebm.fitting.checkpoints import Call, digest
from ebm.fitting.circle import require_suited
from ebm.fitting.config import GRID_LOSS, FitConfig
from ebm.fitting.criterion import held_out_nll
from ebm.fitting.data import Scaling
from ebm.fitting.journal import Journal
from ebm.fitting.likelihood import GridLikelihood
from ebm.fitting.loop import History, Interrupted, minimise
from ebm.fitting.network import (
    CORRECTED,
    OWN,
    HeadLoss,
    Network,
    PilotedEBM,
    build_model,
    build_piloted,
    feature_size,
)
from ebm.fitting.pilot import PilotLoss, correction_config
from ebm.fitting.recipes import standardised_loss
from ebm.fitting.rows import Rows
from ebm.fitting.support import dequantised
from ebm.nn.members import one_of, side_by_side

__all__ = ["Trained", "Training"]


class Trained(NamedTuple):
    """What came of a training.

    Attributes:
        net: the network, or several side by side.
        history: of the last stage.
        interrupted: whether Ctrl-C ended it; the weights are then the best so far.
    """

    net: Network
    history: History
    interrupted: bool = False


@dataclass(frozen=True)
class Training:
    """What a fit's networks are trained on.

    Attributes:
        train: standardised rows to train on; of several members one after the other.
        held: standardised rows held out, likewise.
        scaling: for the unit of the held-out likelihood, and the range of the targets.
        config: of the fit.
        options: numbers of the loss.
        progress: show bars.
        journal: checkpoint and log.
        whole: raw targets ``(N, 1)`` of the rows to train on, where they are whole numbers.
    """

    train: Rows
    held: Rows
    scaling: Scaling
    config: FitConfig
    options: dict[str, Any]
    progress: bool
    journal: Journal
    whole: Tensor | None = None

    @classmethod
    def of(
        cls,
        train: Rows,
        held: Rows,
        scaling: Scaling,
        config: FitConfig,
        options: dict[str, Any],
        progress: bool,
        journal: Journal,
        device: torch.device,
    ) -> Self:
        """A training on raw rows, which are standardised and brought to a device.

        Raises:
            DomainError, InputError: if the configuration does not suit the targets, see `require_suited`.
        """
        require_suited(config, scaling)
        whole = train.y.to(device) if scaling.support is not None and scaling.support.whole else None
        rows, measured = train.scaled(scaling, device), held.scaled(scaling, device)
        return cls(rows, measured, scaling, config, options, progress, journal, whole)

    def run(self, feature_net: nn.Module | None, given: Network | None = None) -> Trained:
        """The trained network, or several side by side, and the history of its last stage.

        Args:
            feature_net: of the user's own, copied; None is layers of the sizes of the configuration.
            given: the network to go on from, which is trained in place; it counts too. None begins anew.

        Raises:
            ShapeError: if inputs are not flat and there is no network for them.
            NumericalError: if training fails from the start.
            InputError: if the checkpoint is of another call, or damaged.
            KeyboardInterrupt: after Ctrl-C before anything was learned.
        """
        config, members = self.config, self.config.members
        kind = config.model.removesuffix(CORRECTED)
        generator = torch.Generator(self.train.x.device).manual_seed(config.seed)
        known = given.pilot.requires_grad_(True) if isinstance(given, PilotedEBM) else given
        net = known or self._joined([self._network(kind, feature_net) for _ in range(members)], feature_net)
        self.journal.open(lambda: self._call(net if given is None else given))
        first = self._stage(0, net, self._loss(kind), config, generator, given is not None)
        if not config.model.endswith(CORRECTED):
            return first
        if isinstance(given, PilotedEBM):
            net = given
        else:
            pilots = [net] if members == 1 else [one_of(net, k) for k in range(members)]
            net = self._joined([self._piloted(pilot, feature_net) for pilot in pilots], feature_net)
        assert isinstance(net, PilotedEBM)
        net.pilot.requires_grad_(False)  # layers put side by side are new
        if first.interrupted:
            return first._replace(net=net)
        loss = PilotLoss(self.options["num_samples"])
        try:
            return self._stage(1, net, loss, correction_config(config), generator, True)
        except KeyboardInterrupt:  # in its first moments; the density in closed form stands
            return Trained(net.eval(), first.history, True)

    def _call(self, net: nn.Module) -> Call:
        """Whose checkpoint this is."""
        scaling, settings = self.scaling, self.config.plain() | self.options
        settings |= {"device": self.train.x.device.type}
        numbers = [getattr(scaling, name) for name in ("x_mean", "x_scale", "x_low", "x_high")]
        numbers += [scaling.y_mean, scaling.y_scale, scaling.z_low, scaling.z_high]
        support = None if scaling.support is None else scaling.support.plain()
        state = net.state_dict()
        return Call(
            settings=settings,
            rows=digest([*self.train, *self.held, *numbers], [support]),
            weights=digest(state.values(), state),
        )

    @property
    def _anchor(self) -> float:
        """Two standard deviations of a Gaussian target; wider where targets have long tails."""
        reach = torch.maximum(self.scaling.z_low.abs(), self.scaling.z_high.abs()).max().item()
        return max(2.0, 0.5 * reach)

    def _network(self, kind: str, feature_net: nn.Module | None) -> Network:
        """A network with fresh weights."""
        x, config = self.train.x, self.config
        if feature_net is None:
            if x.ndim != 2:
                raise ShapeError(
                    f"expected x of shape (N, F), got {tuple(x.shape)}; pass a feature_net for it."
                )
            width, own = x.shape[1], None
        else:
            own = copy.deepcopy(feature_net).to(x.device)
            width = feature_size(own, x[:2])
        dim, circular = self.scaling.target_dim, self.scaling.circle is not None
        return build_model(width, dim, config.hidden, self._anchor, own, kind, circular)

    def _piloted(self, pilot: Any, feature_net: nn.Module | None) -> PilotedEBM:
        width = self.train.x.shape[1] if feature_net is None else pilot.head.feature_dim
        own = None if feature_net is None else copy.deepcopy(feature_net)
        return build_piloted(pilot, width, self.config.hidden, self._anchor, own)

    def _joined(self, nets: list[Any], feature_net: nn.Module | None) -> Any:
        own = [name for name in OWN if feature_net is not None and _has(nets[0], name)]
        net = nets[0] if len(nets) == 1 else side_by_side(nets, own)
        return net.to(self.train.x.device)

    def _loss(self, kind: str) -> nn.Module:
        if self.train.bounds is not None or (kind == "energy" and self.config.loss == GRID_LOSS):
            return GridLikelihood(self.scaling)
        if kind != "energy":
            return HeadLoss()
        # On a GPU a look at every batch would wait for the device; the epoch's mean is looked at anyway.
        check = self.train.x.device.type == "cpu"
        dim, circular = self.scaling.target_dim, self.scaling.circle is not None
        return standardised_loss(self.config.loss, self.options, dim, check_finite=check, circular=circular)

    def _stage(
        self,
        number: int,
        net: Any,
        loss: nn.Module,
        config: FitConfig,
        generator: torch.Generator,
        from_start: bool,
    ) -> Trained:
        """A network trained in place; nothing where an earlier call was past this stage."""
        device = self.train.x.device
        if self.journal.is_past(number):
            return Trained(net, History(train_loss=(), held_out_nll=(), best_epoch=0, seconds=0.0))
        measure = held_out_nll(net, self.held, self.scaling, config.members)
        name = "energy" if number else self.config.model.removesuffix(CORRECTED)
        try:
            history = minimise(
                net,
                self._batch_loss(net, loss.to(device), generator),
                measure,
                len(self.train.x) // config.members,
                config,
                generator=generator,
                progress=self.progress,
                from_start=from_start,
                watch=self.journal.watch(number, name, measure, device),
            )
        except Interrupted as stop:
            return Trained(net, stop.history, True)
        return Trained(net, history)

    def _batch_loss(
        self, net: Any, loss: nn.Module, generator: torch.Generator
    ) -> Callable[[Tensor], Tensor]:
        """Loss ``()`` of rows by index, weighted; the sum over several members, each with its own rows."""
        x, z, weights = self.train.x, self.train.y, self.train.weights
        z = z if self.train.bounds is None else self.train.bounds
        weights = weights / weights.mean()
        even, members = bool((weights == 1).all()), self.config.members
        first = torch.arange(members, device=x.device)[:, None] * (len(x) // members)

        def batch_loss(rows: Tensor) -> Tensor:
            rows = rows if members == 1 else (first + rows).flatten()
            labels = z[rows] if self.whole is None else self._moved(self.whole[rows], generator)
            output = loss(net, net.extract(x[rows]), labels, generator=generator)
            mean = output.loss if even else (output.per_item * weights[rows]).mean()
            return mean if members == 1 else mean * members

        return batch_loss

    def _moved(self, whole: Tensor, generator: torch.Generator) -> Tensor:
        """Whole numbers anywhere in their units, and elsewhere every time; standardised."""
        return self.scaling.standardised(dequantised(whole, generator)).to(self.train.y)


def _has(net: nn.Module, name: str) -> bool:
    return any(name == own for own, _ in net.named_modules())
