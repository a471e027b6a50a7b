"""Likelihoods with a closed form: against torch.distributions, quadrature and the printed objectives."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, Laplace, MixtureSameFamily, Normal

from ebm.baselines.functional import (
    gaussian_nll,
    huber,
    l1,
    l2,
    laplace_multivariate_constant,
    laplace_multivariate_nll,
    laplace_nll,
    mdn_nll,
)
from ebm.exceptions import DomainError, ShapeError, UnknownNameError

DIRECT = {"l1": l1, "l2": l2, "huber": huber}
SPREAD = {"gaussian": gaussian_nll, "laplace": laplace_nll, "laplace-multivariate": laplace_multivariate_nll}


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def test_gaussian_nll_is_that_of_torch(generator: torch.Generator) -> None:
    mean, s, y = (draw(generator, 5, 3) for _ in range(3))
    theirs = -Independent(Normal(mean, (0.5 * s).exp()), 1).log_prob(y)
    torch.testing.assert_close(gaussian_nll(mean, s, y, reduction="none"), theirs)
    torch.testing.assert_close(gaussian_nll(mean, s, y), theirs.mean())


def test_laplace_nll_is_that_of_torch(generator: torch.Generator) -> None:
    mean, s, y = (draw(generator, 5, 3) for _ in range(3))
    theirs = -Independent(Laplace(mean, s.exp()), 1).log_prob(y)
    torch.testing.assert_close(laplace_nll(mean, s, y, reduction="none"), theirs)


def test_multivariate_laplace_in_one_dimension_is_a_laplace_of_scale_two_root_b(
    generator: torch.Generator,
) -> None:
    mean, s, y = (draw(generator, 50, 1) for _ in range(3))
    theirs = -Laplace(mean, 2 * (0.5 * s).exp()).log_prob(y)[:, 0]
    ours = laplace_multivariate_nll(mean, s, y, reduction="none")
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(("dim", "constant"), [(1, 4.0), (2, 8 * math.pi), (3, 64 * math.pi)])
def test_multivariate_laplace_integrates_to_one(dim: int, constant: float) -> None:
    assert laplace_multivariate_constant(dim) == pytest.approx(math.log(constant))
    # Axes of different length; a grid that is denser near the kink reaches r = 60 with few points.
    u = torch.linspace(-1, 1, {1: 20001, 2: 801, 3: 101}[dim], dtype=torch.float64)
    stretch, step = 60.0 * u.pow(3), u[1] - u[0]
    jacobian = (180.0 * u.square() * step).log()
    lengths = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)[:dim]
    axes = torch.meshgrid(*[stretch * length for length in lengths], indexing="ij")
    log_cell = sum(torch.meshgrid(*[jacobian + length.log() for length in lengths], indexing="ij"))
    y = torch.stack(axes, -1)
    mean = torch.zeros_like(y)
    nll = laplace_multivariate_nll(mean, (2 * lengths.log()).expand_as(y), y, reduction="none")
    assert (log_cell - nll).flatten().logsumexp(0).exp().item() == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_mixture_nll_is_that_of_torch(count: int, generator: torch.Generator) -> None:
    logits, mean, s = draw(generator, 5, count), draw(generator, 5, count, 3), draw(generator, 5, count, 3)
    y = draw(generator, 5, 3)
    theirs = MixtureSameFamily(
        Categorical(logits=logits), Independent(Normal(mean, (0.5 * s).exp()), 1)
    ).log_prob(y)
    torch.testing.assert_close(mdn_nll(logits, mean, s, y, reduction="none"), -theirs)


def test_mixture_of_one_is_a_gaussian(generator: torch.Generator) -> None:
    mean, s, y = draw(generator, 5, 1, 3), draw(generator, 5, 1, 3), draw(generator, 5, 3)
    torch.testing.assert_close(
        mdn_nll(draw(generator, 5, 1), mean, s, y), gaussian_nll(mean[:, 0], s[:, 0], y)
    )


@pytest.mark.parametrize("name", DIRECT)
def test_direct_losses_are_the_nll_of_a_density(name: str) -> None:
    y = torch.linspace(-40, 40, 160_001, dtype=torch.float64)[:, None]
    log_p = -DIRECT[name](torch.zeros_like(y), y, reduction="none")
    assert (log_p.logsumexp(0) + math.log(80 / 160_000)).item() == pytest.approx(0.0, abs=1e-6)


def test_huber_with_another_threshold_is_a_density_too() -> None:
    y = torch.linspace(-80, 80, 320_001, dtype=torch.float64)[:, None]
    for delta in (0.3, 2.5):
        log_p = -huber(torch.zeros_like(y), y, delta=delta, reduction="none")
        assert (log_p.logsumexp(0) + math.log(160 / 320_000)).item() == pytest.approx(0.0, abs=1e-6)


def test_printed_objectives_at_a_point_worked_by_hand() -> None:
    mean, s, y = torch.zeros(1, 2), torch.tensor([[0.0, math.log(4.0)]]), torch.tensor([[0.5, 4.0]])
    paper = {"scale": "paper"}
    assert l2(mean, y, **paper).item() == pytest.approx(0.25 + 16)
    assert l1(mean, y, **paper).item() == pytest.approx(4.5)
    assert huber(mean, y, **paper).item() == pytest.approx(0.125 + 3.5)
    assert gaussian_nll(mean, s, y, **paper).item() == pytest.approx(0.25 + 4 + math.log(4))
    assert laplace_nll(mean, s, y, **paper).item() == pytest.approx(0.5 + 1 + math.log(4))
    r = math.sqrt(0.25 + 4)
    assert laplace_multivariate_nll(mean, s, y, **paper).item() == pytest.approx(r + math.log(4))


@pytest.mark.parametrize(
    ("loss", "factor"),
    [(l1, 1), (l2, 2), (huber, 1), (gaussian_nll, 2), (laplace_nll, 1), (laplace_multivariate_nll, 2)],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_printed_and_exact_gradients_differ_by_a_factor(
    loss: Callable[..., Tensor], factor: int, generator: torch.Generator
) -> None:
    count = 1 if loss in DIRECT.values() else 2
    arguments = [draw(generator, 4, 3).requires_grad_() for _ in range(count)]
    y = draw(generator, 4, 3)
    exact = torch.autograd.grad(loss(*arguments, y, scale="exact"), arguments)
    paper = torch.autograd.grad(loss(*arguments, y, scale="paper"), arguments)
    torch.testing.assert_close(paper, tuple(factor * g for g in exact))


@pytest.mark.parametrize("name", [*DIRECT, *SPREAD])
def test_gradients_are_those_of_finite_differences(name: str, generator: torch.Generator) -> None:
    loss = (DIRECT | SPREAD)[name]
    arguments = [draw(generator, 3, 2).requires_grad_() for _ in range(1 if name in DIRECT else 2)]
    y = draw(generator, 3, 2)
    assert torch.autograd.gradcheck(lambda *a: loss(*a, y, reduction="none"), arguments)


def test_mixture_gradients_are_those_of_finite_differences(generator: torch.Generator) -> None:
    arguments = [draw(generator, *shape).requires_grad_() for shape in ((3, 4), (3, 4, 2), (3, 4, 2))]
    y = draw(generator, 3, 2)
    assert torch.autograd.gradcheck(lambda *a: mdn_nll(*a, y, reduction="none"), arguments)


@pytest.mark.parametrize("name", SPREAD)
@pytest.mark.parametrize("s", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("distance", [0.0, 1e-12, 1.0, 1e6])
def test_gradients_stay_finite_far_out_and_at_the_mean(name: str, s: float, distance: float) -> None:
    mean = torch.zeros(1, 3, requires_grad=True)
    spread = torch.full((1, 3), s, requires_grad=True)
    loss = SPREAD[name](mean, spread, torch.full((1, 3), distance))
    loss.backward()
    assert loss.isfinite()
    assert mean.grad is not None
    assert spread.grad is not None
    assert mean.grad.isfinite().all()
    assert spread.grad.isfinite().all()


def test_mixture_is_finite_where_every_component_underflows() -> None:
    mean = torch.zeros(1, 4, 2, requires_grad=True)
    logits = torch.tensor([[0.0, -1e4, 5.0, 1e4]], requires_grad=True)
    loss = mdn_nll(logits, mean, torch.full((1, 4, 2), -8.0), torch.full((1, 2), 1e3))
    loss.backward()
    assert loss.isfinite()
    assert loss > 1e6
    assert mean.grad is not None
    assert mean.grad.isfinite().all()


def test_half_precision_is_widened_and_integers_are_cast() -> None:
    low = torch.full((2, 1), 0.5, dtype=torch.bfloat16)
    assert gaussian_nll(low, low, low).dtype == torch.float32
    assert l2(torch.zeros(2, 1), torch.tensor([[1], [3]]), scale="paper").item() == 5.0
    with pytest.raises(TypeError, match="real numbers"):
        l2(torch.zeros(2, 1), torch.ones(2, 1, dtype=torch.bool))


def test_no_items_give_zero() -> None:
    empty = torch.zeros(0, 3)
    assert gaussian_nll(empty, empty, empty).item() == 0.0
    assert gaussian_nll(empty, empty, empty, reduction="none").shape == (0,)


def test_errors_name_what_is_wrong() -> None:
    a, b = torch.zeros(2, 3), torch.zeros(2, 1)
    with pytest.raises(ShapeError, match=r"mean \(2, 3\), log_var \(2, 3\), y \(2, 1\)"):
        gaussian_nll(a, a, b)
    with pytest.raises(ShapeError, match="one shape"):
        l2(torch.tensor(1.0), torch.tensor(1.0))
    with pytest.raises(UnknownNameError, match="did you mean 'paper'"):
        l2(a, a, scale="papers")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="Unknown reduction"):
        l2(a, a, reduction="average")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="delta"):
        huber(a, a, delta=0.0)
    with pytest.raises(ShapeError, match=r"logits \(..., K\)"):
        mdn_nll(torch.zeros(2, 3), torch.zeros(2, 4, 1), torch.zeros(2, 4, 1), b)
    with pytest.raises(ShapeError, match=r"expected y"):
        mdn_nll(torch.zeros(2, 4), torch.zeros(2, 4, 1), torch.zeros(2, 4, 1), a)
