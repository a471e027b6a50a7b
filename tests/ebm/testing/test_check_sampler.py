"""Every sampler of ours keeps the contract, and the check finds each planted fault."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from ebm.gradients import ScoreFunction
from ebm.proposals import GaussianMixtureProposal
from ebm.samplers import importance_resample, langevin
from ebm.testing import check_sampler
from ebm.testing.samplers import Sampler

Options = dict[str, Any]


def resampled(score_fn: ScoreFunction, init: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Candidates of a wide Gaussian, drawn again by their weights."""
    wide = GaussianMixtureProposal([2.5], target_dim=init.shape[2])
    drawn = wide.sample(torch.zeros_like(init[:, 0]), 10 * init.shape[1], generator=generator)
    return importance_resample(
        drawn.y, score_fn(drawn.y) - drawn.log_q, init.shape[1], generator=generator
    ).to(init.dtype)


OURS: dict[str, tuple[Sampler, Options]] = {
    "unadjusted": (partial(langevin, steps=20, step_size=0.2), {}),
    "one dimension": (partial(langevin, steps=20, step_size=0.2), {"target_dim": 1}),
    "in another unit": (partial(langevin, steps=20, step_size=20.0), {"scale": 100.0}),
    "cold": (partial(langevin, steps=40, step_size=0.1, temperature=0.25), {"temperature": 0.25}),
    "metropolis": (partial(langevin, steps=20, step_size=0.8, metropolis=True), {"tolerance": 0.0}),
    "hot metropolis": (
        partial(langevin, steps=20, step_size=0.8, metropolis=True, temperature=2.0),
        {"tolerance": 0.0, "temperature": 2.0},
    ),
    "a path's end": (lambda *a, **k: langevin(*a, **k, steps=20, step_size=0.2, return_path=True)[-1], {}),
    "resampling": (resampled, {"tolerance": 0.05}),
}


@pytest.mark.parametrize("name", OURS)
def test_every_sampler_keeps_the_contract(name: str) -> None:
    sampler, options = OURS[name]
    check_sampler(sampler, **options)


def chain(
    score_fn: ScoreFunction,
    init: Tensor,
    *,
    generator: torch.Generator | None = None,
    drift: float = 0.5,
    noise: float = 1.0,
    steps: int = 30,
) -> Tensor:
    """Langevin chains as somebody might write them."""
    y = init.clone()
    for _ in range(steps):
        with torch.enable_grad():
            place = y.detach().requires_grad_()
            (slope,) = torch.autograd.grad(score_fn(place).sum(), place)
        fresh = torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device)
        y = y + drift * 0.04 * slope + noise * 0.2 * fresh
    return y


def overwrites(score_fn: ScoreFunction, init: Tensor, **options: Any) -> Tensor:
    return init.copy_(chain(score_fn, init, **options))


def fixed_seed(score_fn: ScoreFunction, init: Tensor, **_: Any) -> Tensor:
    return chain(score_fn, init, generator=torch.Generator().manual_seed(0))


def draws_globally(score_fn: ScoreFunction, init: Tensor, **_: Any) -> Tensor:
    return chain(score_fn, init)


def narrows(score_fn: ScoreFunction, init: Tensor, **options: Any) -> Tensor:
    return chain(score_fn, init, **options).float()


def mixes(score_fn: ScoreFunction, init: Tensor, **options: Any) -> Tensor:
    ends = chain(score_fn, init, **options)
    return ends + 1e-3 * (ends.mean(0) if len(ends) else 0)


def stands(score_fn: ScoreFunction, init: Tensor, **_: Any) -> Tensor:
    return init.clone()


def jitters(score_fn: ScoreFunction, init: Tensor, *, generator: Any = None) -> Tensor:
    return init + 1e-3 * chain(score_fn, init, generator=generator)


def last_only(score_fn: ScoreFunction, init: Tensor, **options: Any) -> Tensor:
    return chain(score_fn, init, **options)[:, -1:]


def keeps_graph(score_fn: ScoreFunction, init: Tensor, **options: Any) -> Tensor:
    return chain(score_fn, init, **options).requires_grad_()


def explodes(score_fn: ScoreFunction, init: Tensor, **options: Any) -> Tensor:
    return chain(score_fn, init, **options) / 0


STATIONARY = "its stationary distribution is not the Gaussian"
FAULTS: dict[str, tuple[Callable[..., Tensor], str]] = {
    "step twice as long": (partial(chain, drift=1.0), STATIONARY),
    "noise too small": (partial(chain, noise=1 / math.sqrt(2)), STATIONARY),
    "downhill": (partial(chain, drift=-0.5), STATIONARY),
    "fixed seed": (fixed_seed, "it ignores the generator"),
    "global randomness": (draws_globally, "global randomness of torch although"),
    "overwrites": (overwrites, "overwrites its starts"),
    "narrows": (narrows, "must be torch.float64 where the input is, got torch.float32"),
    "mixes": (mixes, "the chains of an item depend on another item's score"),
    "stands": (stands, "whatever the seed"),
    "jitters": (jitters, "stationary distribution|do not come nearer"),
    "last only": (last_only, r"must have the shape \(2, 5, 2\), got \(2, 1, 2\)"),
    "keeps graph": (keeps_graph, "must carry no graph"),
    "explodes": (explodes, "an end is not finite"),
    "no score": (
        lambda score_fn, init, generator: init + torch.randn(init.shape, generator=generator).to(init),
        "does not look at the score",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_named(name: str) -> None:
    sampler, message = FAULTS[name]
    with pytest.raises(AssertionError, match=message):
        check_sampler(sampler)
    check_sampler(chain)


def test_the_bias_of_a_long_step_is_found_and_forgiven_where_it_is_said() -> None:
    crude = partial(langevin, steps=20, step_size=1.0)  # variance 1 / (1 - 1/4)
    with pytest.raises(AssertionError, match=r"the sampler langevin: .*variances are 1\.3\d times"):
        check_sampler(crude)
    check_sampler(crude, tolerance=0.35)
