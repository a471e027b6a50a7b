"""The methods compared: energies with any of the eight losses, and heads with the same budget."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ebm.baselines.base import Baseline, DensityBaseline
from ebm.baselines.binned import QuantileHead
from ebm.baselines.heads import GaussianHead, MixtureDensityHead
from ebm.calibration import crps
from ebm.fitting import FitConfig, fit
from ebm.fitting.config import LOSS_NAMES
from ebm.fitting.data import Scaling
from ebm.fitting.loop import HeldOut, minimise
from ebm.fitting.rows import Rows, prepare_rows
from ebm.lookup import unknown_name
from ebm.nn import mlp
from ebm.tasks.tabular.predictions import TAILS, Predictions, crps_of_quantiles, of_density
from ebm.tasks.tabular.problems import Problem

__all__ = ["BASELINES", "METHODS", "run_method"]

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


def _run_baseline(
    head: Callable[..., Baseline], problem: Problem, config: FitConfig, device: torch.device
) -> Predictions:
    train, held, scaling = prepare_rows(
        problem.x_train, problem.y_train, None, None, share=config.validation, seed=config.seed
    )
    start = _clock(device)
    train, held = train.scaled(scaling, device), held.scaled(scaling, device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        net = _HeadNet(train.x.shape[1], config.hidden, head).to(device)

        def held_out() -> HeldOut:
            with torch.no_grad():
                loss = net.loss(held).item()
            return HeldOut(loss, loss)

        history = minimise(
            net,
            lambda rows: net.loss(Rows(*(part[rows] for part in train))),
            held_out,
            len(train.x),
            config,
            generator=torch.Generator(device).manual_seed(config.seed),
        )
    seconds = _clock(device) - start
    with torch.no_grad():
        columns = _standardised_predictions(net, scaling, problem, device)
    return Predictions(
        **_raw(columns, scaling),
        parameters=_count(net),
        epochs=len(history.held_out_nll),
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
