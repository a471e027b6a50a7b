"""Scores of any size and networks of any precision: what is known up to a constant does not depend on it."""

import math
from typing import Any

import pytest
import torch

from ebm.density import Density, GridDensity, ImportanceDensity
from ebm.losses.modules import build_loss
from ebm.models import EnergyModel, tensors_of
from ebm.nn import ConditionalEBM, MLPEnergyHead, ToyEnergyNet, ToyEnergyNetP1, mlp
from ebm.predict import refine
from ebm.proposals import GaussianMixtureProposal
from ebm.samplers import langevin


def _grid(offset: float) -> GridDensity:
    points = torch.linspace(92, 108, 513)
    return GridDensity(lambda y: offset - 0.5 * (y - 100).square().sum(-1), points, batch_size=2)


def _samples(offset: float) -> ImportanceDensity:
    return ImportanceDensity(
        lambda y: offset - 0.5 * (y - 100).square().sum(-1),
        GaussianMixtureProposal([1.5]),
        torch.full((2, 1), 100.0),
        4096,
        torch.Generator().manual_seed(0),
    )


@pytest.mark.parametrize("make", [_grid, _samples])
@pytest.mark.parametrize("offset", [5e3, -5e3, 3e4])
def test_a_constant_in_the_energy_changes_nothing_but_log_z(make: Any, offset: float) -> None:
    plain, shifted = make(0.0), make(offset)
    # Scores near 3e4 are multiples of 1/512 in float32: that is what is lost, and nothing on top of it.
    loss = abs(offset) * torch.finfo(torch.float32).eps
    assert isinstance(shifted, Density)
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    for density, limit in ((plain, 0.02), (shifted, 0.02 + loss)):
        assert (density.entropy() - entropy).abs().max() < limit
        assert (density.variance() - 1).abs().max() < 3 * limit
    for name in ("entropy", "mean", "std"):
        difference = getattr(shifted, name)() - getattr(plain, name)()
        assert difference.abs().max() < 3 * loss
    y = torch.tensor([[99.0], [101.0]])
    assert (shifted.log_prob(y) - plain.log_prob(y)).abs().max() < 3 * loss
    assert (shifted.log_partition() - plain.log_partition() - offset).abs().max() < 3 * loss


def test_the_entropy_of_one_gaussian_to_five_digits() -> None:
    grid = torch.linspace(-8, 8, 513)
    density = GridDensity(lambda y: 5000 - 0.5 * y.square().sum(-1), grid, batch_size=1)
    # 1.955 once, when log Z and the mean score were subtracted from each other.
    assert density.entropy().item() == pytest.approx(1.41894, abs=1e-3)


def _conditional(dim: int) -> EnergyModel:
    net = mlp((3, 8), torch.nn.SiLU)
    head = MLPEnergyHead(8, y_dims=(8,), joint_dims=(8, 8), target_dim=dim, activation=torch.nn.SiLU)
    return ConditionalEBM(net, head, dim, y_scale=2.0, y_shift=0.5)


NETS: dict[str, tuple[Any, int, int]] = {
    "conditional": (lambda: _conditional(1), 3, 1),
    "two targets": (lambda: _conditional(2), 3, 2),
    "toy": (ToyEnergyNet, 1, 1),
    "toy of the first paper": (ToyEnergyNetP1, 1, 1),
}
LOSSES: dict[str, dict[str, Any]] = {
    "nce": {"sigmas": [0.5], "num_samples": 16},
    "cnce": {"sigmas": [0.5], "num_samples": 16},
    "nce+": {"sigmas": [0.5], "num_samples": 16, "beta": 0.1},
    "ml-is": {"sigmas": [0.5], "num_samples": 16},
    "kld-is": {"sigmas": [0.5], "num_samples": 16, "label_sigma": 0.1},
    "ml-mcmc": {"num_samples": 4, "steps": 2, "step_size": 0.05},
    "dsm": {"num_samples": 4, "sigma": 0.5},
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NETS)
def test_a_network_in_half_precision_does_all_that_one_in_full_precision_does(
    name: str, dtype: torch.dtype
) -> None:
    make, inputs, dim = NETS[name]
    torch.manual_seed(0)
    full, half = make(), make()
    half.load_state_dict(full.state_dict())
    half = half.to(dtype)
    x = torch.randn(3, inputs)
    results = [_all_results(net, x.to(kind), dim) for net, kind in ((full, torch.float32), (half, dtype))]
    for key, expected in results[0].items():
        assert results[1][key].dtype == torch.float32, key
        torch.testing.assert_close(results[1][key], expected, rtol=0.1, atol=0.1, msg=key)


def _all_results(net: EnergyModel, x: torch.Tensor, dim: int) -> dict[str, torch.Tensor]:
    """What densities, predictions and losses of a network say, by name."""
    with torch.no_grad():
        features = net.extract(x)
    labels, points = torch.full((3, dim), 0.25), torch.linspace(-1, 1, 17)
    grid = GridDensity.of(net, features, points if dim == 1 else [points] * dim)
    proposal, noise = GaussianMixtureProposal([0.5], target_dim=dim), torch.Generator()
    drawn = ImportanceDensity.of(net, features, proposal, labels, 256, noise.manual_seed(0))
    results = {"grid": grid.mean(), "log-probability": grid.log_prob(labels), "samples": drawn.mean()}
    results["refined"] = refine(net, x, labels, method="s1", step_length=0.1, steps=2).y
    start = labels[:, None]
    results["chains"] = langevin(
        lambda y: net.score(features, y), start, 2, 0.1, generator=noise.manual_seed(0)
    )
    for name, options in LOSSES.items():
        settings = {**options}
        if "sigmas" in settings:
            settings["proposal"] = GaussianMixtureProposal(settings.pop("sigmas"), target_dim=dim)
        else:
            settings["target_dim"] = dim
        loss = build_loss(name, **settings)(net, net.extract(x), labels, generator=noise.manual_seed(0)).loss
        loss.backward()
        results[name] = loss.detach()
    assert all(tensor.dtype == next(net.parameters()).dtype for tensor in tensors_of(features))
    return results
