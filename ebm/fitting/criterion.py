"""What held-out rows say of a network while it is trained: densities at a bounded cost."""

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebm.baselines.base import BaselineEnergy
from ebm.density import GridDensity
from ebm.exceptions import TruncationWarning
from ebm.fitting.best import HeldOut
from ebm.fitting.circle import around, target_grid
from ebm.fitting.data import Scaling
from ebm.fitting.grids import searched, spanned
from ebm.fitting.likelihood import log_likelihood
from ebm.fitting.network import PilotedEBM
from ebm.fitting.pilot import PilotedCriterion
from ebm.fitting.placement import CHEAP, FIRST, drawn, place
from ebm.fitting.rows import Rows
from ebm.gradients import frozen_parameters
from ebm.models import EnergyModel, Features, map_tensors

__all__ = ["Measure", "held_out_nll"]

# Share of the held-out rows that may be anything: an outlier costs early stopping a constant.
BACKGROUND = 0.01
ROWS = 512
# Nodes of the quadrature of bounds, in each part of the line.
HELD_NODES = 64
# Places over the range of all targets by which most rows' log Z is told; a Gaussian is narrower than a tenth
# of the targets' deviation where they do not do. Below a share FAINT of the highest density nothing counts.
SHARED, FAINT = 64, 1e-5
# log Z on every second place may differ by so many nats: a Gaussian's on all is then right to 1e-4. Both
# are right by chance with a mode midway between two places, so that a density must not bend more, either: by
# BENT in the score's second difference, 1 / deviation^2 in places, within TOP nats of the highest.
ROUGH, BENT, TOP = 0.1, 2.0, 4.0


class Measure:
    """Measures a network on held-out rows, as often as it is called; see `held_out_nll`."""

    def __init__(self, model: EnergyModel, held: Rows, scaling: Scaling, members: int) -> None:
        self.model, self.x = model, held.x
        z, weights, bounds = held.y, held.weights, held.bounds
        self.y = z if bounds is None else bounds
        own = weights.view(members, -1)
        self.members, self.share = members, own / own.sum(1, keepdim=True)
        unit = torch.where(held.known, scaling.log_unit(z), 0.0)  # a mass has no unit
        self.offset = (self.share * unit.view(members, -1)).sum(1)
        # A member's rows in a row.
        places = torch.arange(len(z), device=z.device).view(members, -1)
        self.blocks = [block.reshape(-1) for block in places.split(max(1, ROWS // members), 1)]
        self.densities = [_measured(model, scaling, members, bounds is not None) for _ in self.blocks]
        self.floor = math.log(BACKGROUND) + _log_background(self.y, scaling)

    def __call__(self) -> HeldOut:
        """The values of the network as it is."""
        total = torch.zeros(2, self.members, device=self.y.device)
        for rows, log_prob in zip(self.blocks, self.densities):
            with torch.no_grad():
                features = self.model.extract(self.x[rows])
            log_p = log_prob(features, self.y[rows])
            parts = torch.stack((self._decisive(features, rows, log_p), log_p)).view(2, self.members, -1)
            total -= (self.share.flatten()[rows].view(self.members, -1) * parts).sum(2)
        criterion, nll = total + self.offset
        return HeldOut(criterion, nll)

    def memory(self) -> list[Any]:
        """What the next call depends on beside the network: where mass was found; tensors and numbers."""
        return [one.memory() if isinstance(one, _Placing) else None for one in self.densities]

    def recall(self, memory: list[Any]) -> None:
        """Inverse of `memory`."""
        for one, kept in zip(self.densities, memory, strict=True):
            if isinstance(one, _Placing):
                one.recall(kept)

    def _decisive(self, features: Features, rows: Tensor, log_p: Tensor) -> Tensor:
        """What is to be large, of every row."""
        if isinstance(self.model, BaselineEnergy) and self.model.head.scale != "exact":
            with torch.no_grad():  # trained by another objective, it is stopped by that
                return -self.model.head.objective(features, self.y[rows], None)[0]
        return torch.logaddexp(log_p + math.log1p(-BACKGROUND), self.floor[rows])


def held_out_nll(model: EnergyModel, held: Rows, scaling: Scaling, members: int = 1) -> Measure:
    """A function that measures a network on held-out rows.

    Args:
        model: scores standardised targets; may be several networks side by side.
        held: the rows, standardised, see `Rows.scaled`; of several members one after the other.
        scaling: for the unit of the result, and the range of the grid.
        members: K.

    Censored rows count by the mass between their bounds.

    Returns:
        A function of nothing, to be called after every epoch: for several targets it looks for mass where the
        call before found it. Its values are weighted means over the rows, nats, of raw targets. -log p(y|x)
        is told; -log of p(y|x) with a background of `BACKGROUND` Cauchy decides: a wrong row costs it as much
        after every epoch; it would drown all others in the former. The background is a product of D standard
        Cauchy densities of the standardised targets, on a circle the even density. Of a density that is
        trained by another objective than its likelihood, that objective decides.

    Raises:
        NumericalError: (the function) if a score is NaN or +inf, or a row has no density anywhere.

    Source: the model of gross errors of Huber, "Robust Estimation of a Location Parameter", 1964, with the
        errors Cauchy.
    """
    return Measure(model, held, scaling, members)


def _log_background(z: Tensor, scaling: Scaling) -> Tensor:
    """Log-density of anything, at standardised targets ``(N, D)``, ``(N,)``; on a circle it is even.

    Of bounds ``(N, 2)`` of one target the log of the mass between them, where they differ.
    """
    if scaling.circle is not None:
        return z.new_full((len(z),), -math.log(math.tau))
    if z.shape[1] == scaling.target_dim:
        return -(math.log(math.pi) + z.square().log1p()).sum(1)
    low, high = z.double().unbind(1)
    mass = (high.atan() - low.atan()) / math.pi
    known = low == high
    place = torch.where(known, low, 0.0)
    density = -(math.log(math.pi) + place.square().log1p())
    return torch.where(known, density, mass.clamp(min=torch.finfo(z.dtype).tiny).log()).to(z)


LogProb = Callable[[Features, Tensor], Tensor]


def _measured(model: EnergyModel, scaling: Scaling, members: int, bounded: bool) -> LogProb:
    """log p of standardised targets, ``(B, D) -> (B,)``, or of bounds ``(B, 2)`` of one."""
    if bounded:
        return partial(_between, model, scaling)
    if isinstance(model, BaselineEnergy):
        return partial(_normalised, model)
    if isinstance(model, PilotedEBM):
        return PilotedCriterion(model)
    return _Line(model, scaling, members) if scaling.target_dim == 1 else _Placing(model)


def _normalised(model: BaselineEnergy, features: Features, z: Tensor) -> Tensor:
    with torch.no_grad():
        return model.score(features, z[:, None])[:, 0]


def _between(model: EnergyModel, scaling: Scaling, features: Features, bounds: Tensor) -> Tensor:
    with torch.no_grad():
        return log_likelihood(model, features, scaling, bounds, nodes=HELD_NODES)


class _Line:
    """log p of one standardised target, on the line or around a circle.

    Places that all rows share tell log Z of most: the trapezoid rule on smooth functions is as good as exact
    once it is good at all. A row that they are too far apart for gets places around its own mass.
    """

    def __init__(self, model: EnergyModel, scaling: Scaling, members: int) -> None:
        self.model, self.scaling, self.members = model, scaling, members

    def __call__(self, features: Features, z: Tensor) -> Tensor:
        """``(B,)`` at labels `z` ``(B, 1)``."""
        circular = self.scaling.circle is not None
        with torch.no_grad():
            places, scores = (
                around(self.model, features, SHARED)
                if circular
                else searched(self.model, features, self.scaling, SHARED, FAINT)
            )
            log_z, rough = _log_integral(places, scores, circular)
            rough |= _across_a_seam(places, scores)
            for closer in (self._own,) if circular else (self._spanned, self._own):
                if not bool(rough.any()):
                    break
                # Several networks side by side take as many rows of each.
                rows = rough.nonzero()[:, 0] if self.members == 1 else torch.arange(len(z), device=z.device)
                own = map_tensors(lambda part: part[rows], features)  # noqa: B023
                log_z[rows], rough[rows] = closer(own, places, scores[rows])
            return self.model.score(features, z[:, None])[:, 0] - log_z

    def _spanned(self, features: Features, places: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """log Z by places from where a row's mass begins to where it ends, and which rows are still rough."""
        closer = spanned(places, scores, SHARED, FAINT)
        return _log_integral(closer, self.model.score(features, closer[..., None]))

    def _own(self, features: Features, _: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """log Z by a finer search and a finer grid; what that says is taken."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncationWarning)  # an early network may well spread far
            grid = target_grid(self.model, features, self.scaling, points=192, coarse=96).to(scores)
            log_z = GridDensity.of(self.model, features, grid).log_partition()
        return log_z, torch.zeros_like(log_z, dtype=torch.bool)


def _log_integral(places: Tensor, scores: Tensor, periodic: bool = False) -> tuple[Tensor, Tensor]:
    """Log of the integral of exp of scores ``(B, S)`` by the trapezoid rule, and whether it is `ROUGH`.

    Args:
        places: increasing, ``(S,)`` or ``(B, S)``; all around a circle, equally spaced, if `periodic`.
        scores: at the places.
        periodic: the last place is followed by the first.

    Returns: ``(B,)`` each.
    """

    def taken(step: int, first: int) -> Tensor:
        own, at = scores[:, first::step], places[..., first::step]
        if periodic:
            return own.logsumexp(1) + math.log(math.tau / own.shape[1])
        widths = at.diff()
        widths = functional.pad(widths, (0, 1)) + functional.pad(widths, (1, 0))
        return (own + (0.5 * widths).log()).logsumexp(1)

    every = taken(1, 0)
    rough = [(taken(2, first) - every).abs() > ROUGH for first in (0, 1)]
    around = torch.cat((scores[:, -1:], scores, scores[:, :1]), 1) if periodic else scores
    high = around[:, 1:-1] > scores.amax(1, keepdim=True) - TOP
    return every, rough[0] | rough[1] | ((around.diff(n=2) < -BENT) & high).any(1)


def _across_a_seam(places: Tensor, scores: Tensor) -> Tensor:
    """Which rows of scores ``(B, S)`` have mass where the spacing of the places ``(S,)`` changes, ``(B,)``.

    A search that went beyond the range has wider places there. Where the spacing changes the trapezoid rule
    is no better than second order, and every second place does not tell.
    """
    widths = places.diff()
    seams = 1 + ((widths[1:] / widths[:-1]).log().abs() > 0.01).nonzero()[:, 0]
    faint = scores.amax(1, keepdim=True) + math.log(FAINT)
    return (scores[:, seams] > faint).any(1)


class _Placing:
    """log p of several standardised targets, on few samples of a proposal that follows the network.

    The proposal is placed by what the network says of x. Were it placed at the label, it would miss mass that
    lies elsewhere, and the more of it the worse the network is.
    """

    def __init__(self, model: EnergyModel) -> None:
        self.model = model
        self.known: Tensor | None = None
        self.calls = 0

    def memory(self) -> list[Any]:
        """Where mass was found, ``(B, S, D)`` or None, and how often it was looked for."""
        return [None if self.known is None else self.known.cpu().clone(), self.calls]

    def recall(self, memory: list[Any]) -> None:
        """Inverse of `memory`."""
        known, self.calls = memory
        self.known = None if known is None else known.to(next(self.model.parameters()).device)

    def __call__(self, features: Features, z: Tensor) -> Tensor:
        """``(B,)`` at labels `z` ``(B, D)``."""
        score = partial(self.model.score, features)
        with frozen_parameters(self.model):
            effort = FIRST if self.known is None else CHEAP
            # Ascents start elsewhere every time, so that a mode that was missed is found in the end.
            placed = place(score, z, effort, known=self.known, seed=self.calls)
            self.known, self.calls = placed.modes, self.calls + 1
            with torch.no_grad():
                sample = drawn(score, placed.mixture, effort.samples, seed=0)  # the same draws every epoch
                return score(z[:, None])[:, 0] - sample.log_z
