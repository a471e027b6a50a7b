"""The paper's six baselines and its energies on features, trained alike and asked alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn

from ebm.baselines.base import Baseline, DensityBaseline
from ebm.baselines.binned import integer_bins
from ebm.baselines.build import build_baseline
from ebm.exceptions import NumericalError
from ebm.fitting import FitConfig, FittedEBM
from ebm.fitting.best import HeldOut
from ebm.fitting.data import Scaling
from ebm.fitting.journal import Journal
from ebm.fitting.log import open_log
from ebm.fitting.loop import minimise
from ebm.fitting.network import AnchoredEBM, features_energy
from ebm.fitting.recipes import RECIPES, loss_options
from ebm.fitting.rows import Rows, prepare_rows
from ebm.fitting.stages import Training
from ebm.losses.modules import build_loss
from ebm.predict import refine
from ebm.presets import refinement
from ebm.tasks.images.task import Recipe, Task
from ebm.wrapped import WrappedMixtureProposal

__all__ = ["BASELINES", "Data", "Point", "energy_network", "fit_baseline", "fit_energy", "prepare", "refined"]

# Direct regression looks at errors in the unit of the target, as the paper's does: Huber's threshold is 1.
BASELINES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "Direct-Huber": {"name": "huber"},
        "Direct-L2": {"name": "l2"},
        "Gaussian": {"name": "gaussian"},
        "Laplace": {"name": "laplace"},
        "Softmax-CE-L2": {"name": "softmax", "l2_weight": 0.1},
        "Softmax-CE-L2-Var": {"name": "softmax", "l2_weight": 0.1, "var_weight": 0.05},
    }
)


@dataclass(frozen=True)
class Data:
    """Features and targets to train on and to choose on, raw and standardised, and the scaling between."""

    raw: tuple[Rows, Rows]
    train: Rows
    held: Rows
    scaling: Scaling

    @property
    def width(self) -> int:
        """F."""
        return self.train.x.shape[1]


def prepare(train: tuple[Any, Any], validation: tuple[Any, Any]) -> Data:
    """Rows of features ``(N, F)`` and targets ``(N, D)`` as all methods take them."""
    rows, held, scaling = prepare_rows(*train, None, validation, share=0.1, seed=0)
    place = torch.device("cpu")
    return Data((rows, held), rows.scaled(scaling, place), held.scaled(scaling, place), scaling)


class AroundEBM(AnchoredEBM):
    """An energy of angles: a target counts as its place within half a turn of the middle of the labels.

    Args:
        period: a full turn in standardised targets, D numbers.
        *args: see `AnchoredEBM`.
    """

    def __init__(self, period: Tensor, *args: Any) -> None:
        super().__init__(*args)
        self.register_buffer("period", period.float(), persistent=False)

    def score(self, features: Any, y: Tensor) -> Tensor:
        """f(x, y) of standardised targets, ``(B, M, D) -> (B, M)``, the same a full turn on."""
        period = cast(Tensor, self.period)
        return super().score(features, torch.remainder(y + 0.5 * period, period) - 0.5 * period)


@dataclass(frozen=True)
class AroundTraining(Training):
    """A training whose noise is wrapped around the circle.

    Attributes:
        period: a full turn in standardised targets, D numbers.
    """

    period: tuple[float, ...] = ()

    def _loss(self, kind: str) -> nn.Module:
        options = dict(self.options)
        dim = self.scaling.target_dim
        proposal = WrappedMixtureProposal(options.pop("sigmas"), None, dim, self.period)
        return build_loss(self.config.loss, proposal=proposal, **options, diagnostics=False)


class Point(nn.Module):
    """A baseline on features.

    Args:
        features: between the input and the head.
        head: a baseline in the unit of the targets.
    """

    def __init__(self, features: nn.Module, head: Baseline) -> None:
        super().__init__()
        self.features, self.head = features, head

    def objective(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean loss ``()`` of standardised features ``(B, F)`` and raw targets ``(B, D)``."""
        return self.head.loss(self.features(x), y).loss

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Targets ``(B, D)`` of standardised features."""
        return self.head.predict(self.features(x))

    @property
    def dense(self) -> bool:
        """Whether it says more than a number."""
        return isinstance(self.head, DensityBaseline)

    @torch.no_grad()
    def density(self, x: Tensor) -> Any:
        """Densities of raw targets, of the baselines that have one."""
        return cast(DensityBaseline, self.head).density(self.features(x))


def baseline_head(name: str, width: int, task: Task, scaling: Scaling, hidden: int) -> Baseline:
    """The head of a baseline, its start near the mean of the targets."""
    options = dict(BASELINES[name])
    kind = options.pop("name")
    if kind == "softmax":
        options["bins"] = integer_bins(*task.bins)
    else:
        options["y_shift"] = scaling.y_mean.float()
        options["y_scale"] = 1.0 if kind in ("l2", "huber") else scaling.y_scale.float()
    return build_baseline(kind, width, len(task.targets), hidden=(hidden,), **options)


def fit_baseline(
    name: str, task: Task, recipe: Recipe, data: Data, seed: int, progress: bool = False
) -> Point:
    """Train one of `BASELINES`; the weights that were best on the validation pictures are kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = baseline_head(name, data.width, task, data.scaling, recipe.hidden)
        net = Point(nn.Dropout(recipe.dropout), head)
        y, held_y = (rows.y.float() for rows in data.raw)

        def held_out() -> HeldOut:
            with torch.no_grad():
                value = net.objective(data.held.x, held_y).item()
            return HeldOut(value, value)

        minimise(
            net,
            lambda rows: net.objective(data.train.x[rows], y[rows]),
            held_out,
            len(y),
            config_of(recipe, seed),
            generator=torch.Generator().manual_seed(seed),
            progress=progress,
        )
    return net.eval()


def energy_network(data: Data, recipe: Recipe, period: Tensor | None = None) -> AnchoredEBM:
    """The papers' energy on features: four small layers for the target, one joint layer.

    Args:
        data: what it is trained on.
        recipe: sizes.
        period: a full turn in standardised targets, D numbers, of angles; None is the line.

    Source: Gustafsson et al., ECCV 2020, supplement E and F, on standardised targets, with the anchor that
        makes it a density over the whole line.
    """
    dim = data.scaling.target_dim
    anchor = anchor_of(data.scaling)
    plain = features_energy(data.width, dim, recipe.hidden, anchor, recipe.activation, recipe.dropout)
    return plain if period is None else AroundEBM(period, plain.feature_net, plain.head, dim, anchor)


def anchor_of(scaling: Scaling) -> float:
    """Two standard deviations of a Gaussian target; wider where targets have long tails."""
    reach = torch.maximum(scaling.z_low.abs(), scaling.z_high.abs()).max().item()
    return max(2.0, 0.5 * reach)


def fit_energy(
    loss: str, recipe: Recipe, data: Data, seed: int, progress: bool = False, period: float | None = None
) -> FittedEBM:
    """Train an energy by any loss of `ebm.losses`, on the same pictures as the baselines.

    Args:
        loss: its name; one that draws from a proposal where there is a period.
        recipe: sizes, noise and budget.
        data: what to train and to choose on.
        seed: of weights, order and noise.
        progress: show a bar.
        period: of angles, in the unit of the targets: noise and energy then go around the circle. None is
            the papers' flat treatment.
    """
    config, scale = config_of(recipe, seed, loss), data.scaling.y_scale
    options = energy_options(loss, recipe, data.scaling)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        journal = Journal(None, open_log(None, config))
        given = (data.train, data.held, data.scaling, config, options, progress, journal)
        turn = None if period is None else period / scale
        job = Training(*given) if turn is None else AroundTraining(*given, period=tuple(turn.tolist()))
        net, history, interrupted = job.run(None, energy_network(data, recipe, turn))
    if interrupted:
        raise KeyboardInterrupt
    return FittedEBM(net, data.scaling, config, options, history)


def energy_options(loss: str, recipe: Recipe, scaling: Scaling) -> dict[str, Any]:
    """Numbers of a loss, lengths in standard deviations of the targets."""
    given: dict[str, Any] = {}
    if "sigmas" in RECIPES[loss]:
        rows = [(sigma / scaling.y_scale).tolist() for sigma in recipe.sigmas]
        given["sigmas"] = rows if scaling.target_dim > 1 else [row[0] for row in rows]
    if "num_samples" in RECIPES[loss]:
        given["num_samples"] = recipe.num_samples
    return loss_options(loss, given)


def config_of(recipe: Recipe, seed: int, loss: str = "nce+") -> FitConfig:
    """Budget and stopping rule of all methods."""
    names = ("epochs", "batch_size", "learning_rate", "weight_decay", "patience")
    chosen = {name: getattr(recipe, name) for name in names}
    return FitConfig(loss=loss, model="energy", seed=seed, hidden=(recipe.hidden,), **chosen)


def refined(energy: FittedEBM, x: Tensor, start: Tensor, task: Task) -> Tensor:
    """Predictions ``(B, D)`` in the unit of the targets, moved uphill by Algorithm S2.

    The step length is the paper's; the energy is one of standardised targets, so that it is divided by their
    variances.

    Args:
        energy: gives the score.
        x: standardised features ``(B, F)``.
        start: predictions of a baseline, raw ``(B, D)``.
        task: whose settings are taken.

    Raises:
        NumericalError: if a prediction is not finite.
    """
    settings, scaling = refinement(task.refinement), energy.scaling
    length = float(cast(float, settings.step_length)) / scaling.y_scale.square()
    z = scaling.standardised(start.double()).float()
    parts = []
    for some, begin in zip(x.split(1024), z.split(1024)):
        result = refine(
            cast(Any, energy.model),
            some,
            begin,
            method="s2",
            steps=settings.steps,
            step_length=length.float(),
            tol_improve=settings.tol_improve,
            tol_degenerate=settings.tol_degenerate,
        )
        parts.append(result.y)
    found = scaling.raw(torch.cat(parts).double())
    if not bool(found.isfinite().all()):
        raise NumericalError("a refined prediction is not finite.")
    return found
