"""The methods compared: energies with any of the eight losses, and heads with the same budget."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ebm.baselines.base import Baseline, DensityBaseline
from ebm.baselines.binned import QuantileHead
from ebm.baselines.composite import AffineDensity
from ebm.baselines.densities import ParametricDensity
from ebm.baselines.heads import GaussianHead, MixtureDensityHead
from ebm.calibration import crps
from ebm.fitting import FitConfig, fit
from ebm.fitting.best import HeldOut
from ebm.fitting.config import LOSS_NAMES
from ebm.fitting.data import Scaling
from ebm.fitting.loop import History, minimise
from ebm.fitting.rows import Rows, prepare_rows
from ebm.lookup import unknown_name
from ebm.nn import mlp
from ebm.tasks.tabular.predictions import TAILS, Predictions, crps_of_quantiles, of_density
from ebm.tasks.tabular.problems import Problem

__all__ = ["BASELINES", "METHODS", "FittedHead", "run_method", "train_head"]

# Every 2.5 %, so that the ends of all intervals are learned and their mean is that of the density.
QUANTILES = tuple(k / 40 for k in range(1, 40))
BASELINES: dict[str, Callable[..., Baseline]] = {
    "gaussian": GaussianHead,
    "mdn-4": partial(MixtureDensityHead, num_components=4),
    "quantile": partial(QuantileHead, levels=QUANTILES),
}
METHODS = (*LOSS_NAMES, *BASELINES)


def run_method(name: str, problem: Problem, config: FitConfig, device: str = "cpu") -> Predictions:
    """Train a method on a problem and predict its test rows.

    Args:
        name: an entry of `METHODS`.
        problem: rows to fit and to test on.
        config: network, budget, stopping rule and seed; the loss is put in.
        device: where to train.

    Raises:
        UnknownNameError: (a ValueError) for another name.
        NumericalError: if training fails.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    if name in BASELINES:
        return _run_baseline(BASELINES[name], problem, config, torch.device(device))
    return _run_energy(problem, replace(config, loss=name), device)


def _run_energy(problem: Problem, config: FitConfig, device: str) -> Predictions:
    options = config.plain()
    start = _clock(device)
    fitted = fit(problem.x_train, problem.y_train, device=device, progress=False, **options)
    seconds = _clock(device) - start
    parts: dict[str, list[Tensor]] = {"log_prob": [], "mean": [], "ends": [], "crps": []}
    for x, y in zip(problem.x_test.split(512), problem.y_test.split(512), strict=True):
        density, labels = fitted.density(x), y[:, None].to(device)
        parts["log_prob"].append(density.log_prob(labels))
        parts["mean"].append(density.mean()[:, 0])
        parts["ends"].append(density.quantile(TAILS))
        parts["crps"].append(crps(density, labels))
    columns: dict[str, Any] = {name: torch.cat(part).double().cpu() for name, part in parts.items()}
    history = fitted.history
    return Predictions(
        **columns,
        parameters=_count(fitted.model),
        epochs=len(history.held_out_nll),
        seconds=seconds,
    )


class _HeadNet(nn.Module):
    """Hidden layers and a head with one hidden layer in every branch."""

    def __init__(self, x_dim: int, hidden: tuple[int, ...], head: Callable[..., Baseline]) -> None:
        super().__init__()
        self.features = mlp((x_dim, *hidden), nn.SiLU)
        self.head = head(hidden[-1], hidden=hidden[-1:], activation=nn.SiLU)

    def loss(self, rows: Rows) -> Tensor:
        """Mean loss of standardised rows, ``()``."""
        return self.head.loss(self.features(rows.x), rows.y).loss


@dataclass(frozen=True)
class FittedHead:
    """A trained head with what it takes to ask it.

    Attributes:
        net: hidden layers and head, on standardised rows.
        scaling: between standardised and raw rows.
        history: of the training.
    """

    net: "_HeadNet"
    scaling: Scaling
    history: History

    def density(self, x: Any) -> ParametricDensity:
        """Density over raw targets ``(N, D)`` of raw inputs ``(N, F)``, for heads that have one; on the CPU.

        Raises:
            TypeError: for a head without a density.
        """
        net = copy.deepcopy(self.net).cpu().double()
        if not isinstance(net.head, DensityBaseline):
            raise TypeError(f"{type(net.head).__name__} has no density.")
        with torch.no_grad():
            inputs = self.scaling.inputs(self.scaling.rows(x), torch.device("cpu"))
            density = net.head.density(net.features(inputs.double()))
        return AffineDensity(density, self.scaling.y_scale, self.scaling.y_mean)


def train_head(
    head: Callable[..., Baseline], x: Any, y: Any, config: FitConfig, device: str | torch.device = "cpu"
) -> FittedHead:
    """Train a head on raw rows with the budget and the stopping rule of `ebm.fit`.

    Args:
        head: builds it, e.g. a value of `BASELINES`.
        x: inputs ``(N, F)``.
        y: targets ``(N,)`` or ``(N, D)``.
        config: network, budget, stopping rule and seed.
        device: where to train.

    Raises:
        NumericalError: if training fails.
    """
    place = torch.device(device)
    train, held, scaling = prepare_rows(x, y, None, None, share=config.validation, seed=config.seed)
    train, held = train.scaled(scaling, place), held.scaled(scaling, place)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(config.seed)
        net = _HeadNet(train.x.shape[1], config.hidden, partial(head, target_dim=scaling.target_dim))
        net.to(place)

        def held_out() -> HeldOut:
            with torch.no_grad():
                loss = net.loss(held).item()
            return HeldOut(loss, loss)

        history = minimise(
            net,
            lambda rows: net.loss(train.chosen(rows)),
            held_out,
            len(train.x),
            config,
            generator=torch.Generator(place).manual_seed(config.seed),
        )
    return FittedHead(net, scaling, history)


def _run_baseline(
    head: Callable[..., Baseline], problem: Problem, config: FitConfig, device: torch.device
) -> Predictions:
    start = _clock(device)
    fitted = train_head(head, problem.x_train, problem.y_train, config, device)
    seconds = _clock(device) - start
    with torch.no_grad():
        columns = _standardised_predictions(fitted.net, fitted.scaling, problem, device)
    return Predictions(
        **_raw(columns, fitted.scaling),
        parameters=_count(fitted.net),
        epochs=len(fitted.history.held_out_nll),
        seconds=seconds,
    )


def _standardised_predictions(
    net: _HeadNet, scaling: Scaling, problem: Problem, device: torch.device
) -> dict[str, Any]:
    """Fields of `Predictions` for standardised targets."""
    features = net.features(scaling.inputs(problem.x_test, device))
    y = scaling.standardised(problem.y_test[:, None])[:, 0].to(device, torch.float32)
    if isinstance(net.head, DensityBaseline):
        return dict(of_density(net.head.density(features), y))
    assert isinstance(net.head, QuantileHead)
    quantiles = net.head.quantiles(features)[:, 0]
    return {
        "log_prob": None,
        "mean": quantiles.mean(1),
        "ends": net.head.quantile(features, TAILS),
        "crps": crps_of_quantiles(quantiles, net.head.levels, y),
    }


def _raw(columns: dict[str, Any], scaling: Scaling) -> dict[str, Any]:
    """Predictions of standardised targets in the unit of y, float64 on the CPU."""
    scale, shift = scaling.y_scale.item(), scaling.y_mean.item()
    moves = {
        "mean": (scale, shift),
        "ends": (scale, shift),
        "crps": (scale, 0.0),
        "log_prob": (1.0, -math.log(scale)),
    }
    return {
        name: None if part is None else part.double().cpu() * moves[name][0] + moves[name][1]
        for name, part in columns.items()
    }


def _clock(device: str | torch.device) -> float:
    """Seconds of the processor on a CPU, whatever else it computes meanwhile; on a GPU those that pass."""
    return time.process_time() if torch.device(device).type == "cpu" else time.perf_counter()


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())
