"""Figure 2 of the first paper: an energy trained with ML-IS beside a Gaussian, on data set 1."""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.integrity.array_archives import read_array_archive, write_array_archive
from ebm.losses.modules import MLISLoss
from ebm.models import EnergyModel
from ebm.nn import ToyEnergyNetP1, ToyGaussianNet
from ebm.proposals import GaussianMixtureProposal
from ebm.tasks.toy1d.data import LIMIT, make_dataset
from ebm.tasks.toy1d.evaluation import kl_divergence, true_density
from ebm.tasks.toy1d.figures import draw_row, save_figure
from ebm.tasks.toy1d.plots import PICTURE_SIZE
from ebm.tasks.toy1d.store import Store

__all__ = ["FirstPaper", "save_first_paper", "train_first_paper"]

_NETWORKS: dict[str, type[EnergyModel]] = {"gaussian": ToyGaussianNet, "energy": ToyEnergyNetP1}


@dataclass(frozen=True, kw_only=True)
class FirstPaper:
    """How the two networks are trained.

    Attributes:
        sigmas: of the proposal of ML-IS.
        num_samples: M.
        epochs: passes over the data.
        batch_size: B.
        learning_rate: of Adam.
        runs: initialisations of each network; the one with the smallest divergence is drawn.
        data_seed: of the training set.

    Source: Gustafsson et al., ECCV 2020, figure 2 and supplement B; the number of runs is ours.
    """

    sigmas: tuple[float, ...] = (0.1, 0.8)
    num_samples: int = 1024
    epochs: int = 75
    batch_size: int = 32
    learning_rate: float = 1e-3
    runs: int = 3
    data_seed: int = 0


QUICK = FirstPaper(num_samples=128, epochs=25, runs=1)


def save_first_paper(store: Store, *, quick: bool = False) -> list[Path]:
    """Train what has no weights in the store yet, draw, and write PNG and PDF.

    Raises:
        InputError: if a file is damaged or cannot be written, or matplotlib is not installed.
    """
    config = QUICK if quick else FirstPaper()
    models = _load(store, config)
    if models is None:
        models = train_first_paper(config)
        _save(store, config, models)
    truth = true_density(1)
    panels: list[tuple[str, Any]] = [
        ("training data", make_dataset(1, seed=config.data_seed)),
        ("true density", true_density(1, PICTURE_SIZE).p),
    ]
    names = {"gaussian": "Gaussian", "energy": "energy, ML-IS"}
    for name, model in models.items():
        divergence = kl_divergence(_scores(model), truth)
        axis = torch.linspace(-LIMIT, LIMIT, PICTURE_SIZE)
        with torch.no_grad():
            learnt = _scores(model)(axis, axis).double().softmax(1)
        panels.append((f"{names[name]}   KL {divergence:.3f}", learnt))
    return save_figure(draw_row(panels), store.folder, "figure_2_first_paper")


def train_first_paper(config: FirstPaper) -> dict[str, EnergyModel]:
    """Of each network, the run with the smallest divergence from the truth."""
    truth = true_density(1, 512)
    loss = MLISLoss(GaussianMixtureProposal(list(config.sigmas)), config.num_samples, share_across_batch=True)

    def likelihood(model: EnergyModel, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        return -model(x, y).mean()

    def importance(model: EnergyModel, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        return loss(model, model.extract(x), y, generator=generator).loss

    chosen: dict[str, EnergyModel] = {}
    for name, objective in (("gaussian", likelihood), ("energy", importance)):
        runs = []
        for seed in range(config.runs):
            print(
                f"first paper, {name} network: run {seed + 1} of {config.runs}", file=sys.stderr, flush=True
            )
            runs.append(_train(_NETWORKS[name], objective, config, seed))
        chosen[name] = min(runs, key=lambda model: _rank(kl_divergence(_scores(model), truth)))
    return chosen


def _rank(divergence: float) -> tuple[bool, float]:
    return divergence != divergence, divergence


def _train(
    network: type[EnergyModel],
    objective: Callable[[EnergyModel, Tensor, Tensor, torch.Generator], Tensor],
    config: FirstPaper,
    seed: int,
) -> EnergyModel:
    data = make_dataset(1, seed=config.data_seed)
    x, y = data.x[:, None], data.y[:, None]
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network()
    adam = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    for _ in range(config.epochs):
        for rows in torch.randperm(len(x), generator=generator).split(config.batch_size):
            value = objective(model, x[rows], y[rows], generator)
            adam.zero_grad()
            value.backward()
            adam.step()
    return model


def _scores(model: EnergyModel) -> Callable[[Tensor, Tensor], Tensor]:
    """f on a product grid, ``(X,)`` and ``(Y,)`` to ``(X, Y)``."""

    def score(x: Tensor, y: Tensor) -> Tensor:
        return model.score(model.extract(x[:, None]), y[None, :, None].expand(len(x), -1, 1))

    return score


def _path(store: Store, config: FirstPaper) -> Path:
    digest = hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()[:10]
    return store.folder / "weights" / f"first-paper-{digest}.npz"


def _save(store: Store, config: FirstPaper, models: dict[str, EnergyModel]) -> None:
    flat = {
        name: torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
        for name, model in models.items()
    }
    write_array_archive(_path(store, config), flat)


def _load(store: Store, config: FirstPaper) -> dict[str, EnergyModel] | None:
    path = _path(store, config)
    if not path.is_file():
        return None
    models: dict[str, EnergyModel] = {}
    try:
        arrays = read_array_archive(path, said_of=store.folder)
        for name, network in _NETWORKS.items():
            models[name] = network()
            torch.nn.utils.vector_to_parameters(torch.tensor(arrays[name]), models[name].parameters())
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"Weights file {path} cannot be used ({error}). Delete it and repeat the command."
        ) from error
    return models
