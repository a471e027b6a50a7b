"""A number is a number: Python's, NumPy's, in an array or a tensor without dimensions; text is none."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from ebm.baselines.build import build_baseline
from ebm.baselines.functional import huber
from ebm.configs import MethodConfig, RefineConfig
from ebm.density import GridDensity
from ebm.exceptions import DomainError
from ebm.fitting import FitConfig
from ebm.fitting.recipes import RECIPES, loss_options
from ebm.losses.ltr import KLRegression, sample_box_nce
from ebm.losses.modules import build_loss
from ebm.metrics import best_k_mean
from ebm.models import FunctionalEnergy
from ebm.nms import guided_nms
from ebm.numbers import plain, require_number
from ebm.ops.prroi_pool import prroi_pool2d
from ebm.predict import gradient_ascent, gradient_ascent_early_stop, refine
from ebm.presets import presets
from ebm.proposals import GaussianMixtureProposal, annotation_noise
from ebm.samplers import langevin

NUMPY: Mapping[str, Callable[[Any], Any]] = {
    "numpy": lambda v: np.int64(v) if isinstance(v, int) else np.float64(v),
    "narrow": lambda v: np.int16(v) if isinstance(v, int) else np.float32(v),
    "array": np.array,
    "tensor": lambda v: torch.tensor(v) if isinstance(v, int) else torch.tensor(v, dtype=torch.float64),
}


def _score(y: torch.Tensor) -> torch.Tensor:
    return -0.5 * y.square().sum(-1)


def _densities() -> GridDensity:
    return GridDensity(_score, torch.linspace(-8, 8, 129), batch_size=2)


def _fit_config(**settings: Any) -> Any:
    config = FitConfig(**settings)
    return [(type(value), value) for value in config.plain().values()]


def _loss(name: str, **settings: Any) -> Any:
    """The loss of fixed labels, with the number given in every place that takes one."""
    if "sigmas" in settings:
        settings["proposal"] = GaussianMixtureProposal(settings.pop("sigmas"), target_dim=1)
    else:
        settings["target_dim"] = 1
    model = FunctionalEnergy(lambda x, y: -(y - x[:, None]).square().sum(-1), 1)
    y, noise = torch.linspace(-1, 1, 4)[:, None], torch.Generator().manual_seed(0)
    return build_loss(name, **settings)(model, y, y, generator=noise).loss


def _walk(**settings: Any) -> Any:
    return langevin(_score, torch.ones(1, 2, 1), generator=torch.Generator().manual_seed(0), **settings)


# What is called, and the numbers that it is called with: each is tried in every kind.
FAMILY: Mapping[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "FitConfig": (
        _fit_config,
        {"hidden": 8, "epochs": 3, "batch_size": 4, "learning_rate": 0.5, "weight_decay": 0.25, "seed": 1}
        | {"validation": 0.5, "patience": 2},
    ),
    **{f"loss {n}": (lambda n=n, **s: _loss(n, **s), {**recipe}) for n, recipe in RECIPES.items()},
    **{f"recipe {n}": (lambda n=n, **s: loss_options(n, s), {**r}) for n, r in RECIPES.items()},
    "RefineConfig": (
        lambda **s: RefineConfig(algorithm="s1", space="target", **s),
        {"steps": 3, "step_length": 0.5, "decay": 0.5},
    ),
    "MethodConfig": (
        lambda **s: MethodConfig(loss="kld-is", **s),
        {"target_dim": 1, "num_samples": 3, "sigmas": 0.5, "label_sigma": 0.25},
    ),
    "annotation_noise": (
        lambda beta: annotation_noise(GaussianMixtureProposal([0.5]), beta).sigmas,
        {"beta": 0.5},
    ),
    "scaled": (lambda r: GaussianMixtureProposal([0.5]).scaled(r).sigmas, {"r": 0.5}),
    "langevin": (_walk, {"steps": 2, "step_size": 0.5, "temperature": 0.25}),
    "gradient_ascent": (
        lambda **s: gradient_ascent(_score, torch.ones(1, 1), **s).y,
        {"steps": 2, "step_length": 0.5, "decay": 0.5},
    ),
    "early stop": (
        lambda **s: gradient_ascent_early_stop(_score, torch.ones(1, 1), **s).y,
        {"steps": 2, "step_length": 0.5, "tol_improve": 0.125, "tol_degenerate": -0.25},
    ),
    "quantile": (lambda p: _densities().quantile(p), {"p": 0.5}),
    "cdf": (lambda t, dim: _densities().cdf(t, dim), {"t": 0.5, "dim": 0}),
    "interval": (lambda level: _densities().credible_interval(level), {"level": 0.5}),
    "set": (lambda level: _densities().credible_set(level).mass, {"level": 0.5}),
    "marginal": (lambda dims: _densities().marginal(dims).mean(), {"dims": 0}),
    "sample": (
        lambda n: _densities().sample(n, torch.Generator().manual_seed(0)),
        {"n": 3},
    ),
    "grid": (
        lambda **s: GridDensity(_score, torch.linspace(-8, 8, 129), **s).mean(),
        {"batch_size": 2, "chunk": 7},
    ),
    "huber": (lambda delta: huber(torch.ones(2, 1), torch.zeros(2, 1), delta=delta), {"delta": 0.5}),
    "baseline": (
        lambda **s: build_baseline("gaussian", **s).y_scale,
        {"feature_dim": 3, "target_dim": 2, "y_scale": 0.5, "y_shift": 0.25},
    ),
    "mixture": (
        lambda **s: build_baseline("cvae", 3, **s).latent_dim,
        {"latent_dim": 3, "num_samples": 2},
    ),
    "KLRegression": (
        lambda eps: KLRegression(eps)(torch.zeros(1, 2), torch.ones(1, 2), torch.ones(1, 2)),
        {"eps": 0.5},
    ),
    "prroi_pool2d": (
        lambda **s: prroi_pool2d(torch.ones(1, 1, 4, 4), torch.tensor([[0.0, 1, 1, 3, 3]]), **s),
        {"output_size": 2, "spatial_scale": 0.5},
    ),
    "refine": (
        lambda **s: (
            refine(
                FunctionalEnergy(lambda x, y: -(y - x[:, None]).square().sum(-1), 1),
                torch.zeros(1, 1),
                torch.ones(1, 2, 1),
                select="topk_mean",
                **s,
            ).y
        ),
        {"steps": 2, "step_length": 0.5, "decay": 0.5, "k": 2},
    ),
    "sample_box_nce": (
        lambda **s: sample_box_nce(
            torch.tensor([0.0, 0, 4, 4]), [(0.1, 0.1)], generator=torch.Generator().manual_seed(0), **s
        )[0],
        {"num_samples": 2, "beta": 0.5},
    ),
    "best_k_mean": (lambda k: best_k_mean(torch.arange(4.0), k), {"k": 2}),
    "nms": (
        lambda **s: (
            guided_nms(
                torch.tensor([[0.0, 0, 4, 4], [1, 0, 4, 4]]),
                torch.ones(2),
                torch.ones(2),
                torch.zeros(2, dtype=torch.long),
                **s,
            ).index
        ),
        {"iou_threshold": 0.25, "max_detections": 1},
    ),
}
SINGLE = [(name, option) for name, (_, options) in FAMILY.items() for option in options]


def _same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(other, one)
    else:
        assert other == one
        assert repr(other) == repr(one)


@pytest.mark.filterwarnings("ignore:importance sampling", "ignore:label_sigma exceeds")
@pytest.mark.parametrize("kind", NUMPY)
@pytest.mark.parametrize("name", FAMILY)
def test_every_kind_of_number_gives_the_same_result(name: str, kind: str) -> None:
    call, options = FAMILY[name]
    wrapped = {
        option: NUMPY[kind](value) if isinstance(value, int | float) else np.array(value)
        for option, value in options.items()
    }
    if kind == "narrow":  # most of the numbers are exact in float32; the rest are rounded for both
        options = {option: plain(value) for option, value in wrapped.items()}
    _same(call(**options), call(**wrapped))


@pytest.mark.filterwarnings("ignore:importance sampling", "ignore:label_sigma exceeds")
@pytest.mark.parametrize(("name", "option"), SINGLE)
def test_text_is_refused_by_the_name_of_the_option(name: str, option: str) -> None:
    call, options = FAMILY[name]
    named = {"r": "scale", "dims": "dim"}.get(option, option).replace("_", "[_ ]")
    with pytest.raises(DomainError, match=rf"{named}.* must be .*got '1'"):
        call(**options | {option: "1"})


def test_the_remedy_is_named_where_text_holds_a_number() -> None:
    with pytest.raises(DomainError, match=r"beta must be a number, got '0.5'; without quotes it is one"):
        annotation_noise(GaussianMixtureProposal([0.5]), "0.5")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match=r"beta must be a number, got 'half'\.$"):
        annotation_noise(GaussianMixtureProposal([0.5]), "half")  # type: ignore[arg-type]
    for bad in (True, None, [0.5], np.array([0.5]), np.bool_(True)):
        with pytest.raises(DomainError, match="width must be a number"):
            require_number("width", bad)


@pytest.mark.parametrize("sigmas", [0.5, np.float32(0.5), torch.tensor(0.5), [0.5], (0.5,), np.array([0.5])])
def test_widths_as_people_write_them(sigmas: Any) -> None:
    expected = torch.tensor([[0.5, 0.5]])
    torch.testing.assert_close(GaussianMixtureProposal(sigmas, target_dim=2).sigmas, expected)
    method = MethodConfig(loss="nce", target_dim=2, num_samples=1, sigmas=sigmas)
    assert method.sigmas == ((0.5,),)
    torch.testing.assert_close(method.proposal().sigmas, expected)


@pytest.mark.parametrize("rows", [[[0.1, 0.2], [1, 2]], ((0.1, 0.2), (1, 2)), np.array([[0.1, 0.2], [1, 2]])])
def test_rows_of_widths(rows: Any) -> None:
    expected = torch.tensor([[0.1, 0.2], [1.0, 2.0]])
    for given in (rows, [np.array(row) for row in rows], torch.tensor(np.array(rows))):
        torch.testing.assert_close(GaussianMixtureProposal(given).sigmas, expected)
        method = MethodConfig(loss="nce", target_dim=2, num_samples=1, sigmas=given)
        assert method.sigmas == ((0.1, 0.2), (1.0, 2.0))


def test_presets_are_as_they_were_when_numpy_names_their_numbers() -> None:
    for preset in presets.values():
        as_numpy = {
            field.name: NUMPY["numpy"](value) if type(value) in (int, float) else value
            for field in fields(preset)
            for value in [getattr(preset, field.name)]
        }
        other = replace(preset, **as_numpy)
        assert other == preset
        assert repr(other) == repr(preset)
