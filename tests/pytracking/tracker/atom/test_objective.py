"""The closed-form Jacobian products against autograd of the residuals as the paper writes them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pytracking.libs.conjugate_gradient import Quadratic, conjugate_gradient, gauss_newton
from pytracking.tracker.atom import objective
from pytracking.tracker.atom.objective import FilterFit, FilterProblem, JointProblem, correlate

Residuals = Callable[[Tensor], Tensor]

DIM, CHANNELS, FILTER_REG, PROJECTION_REG = 3, 5, 0.1, 1e-2


def make_fit(channels: int, size: tuple[int, int], floor: float | None, count: int = 4) -> FilterFit:
    generator = torch.Generator().manual_seed(0)
    samples, labels, weights = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((count, channels, 6, 7), (count, 6, 7), (count,))
    )
    return FilterFit(samples=samples, labels=labels, weights=weights.square(), floor=floor, size=size)


def bent(scores: Tensor, floor: float | None) -> Tensor:
    """ATOM's response activation as a composition of torch's."""
    return scores if floor is None else F.elu(F.leaky_relu(scores, 1 / floor), floor)


def same_correlation(samples: Tensor, filter: Tensor) -> Tensor:
    """Padded by half a filter; of an even side the last row or column is dropped."""
    height, width = samples.shape[-2:]
    padding = (filter.shape[-2] // 2, filter.shape[-1] // 2)
    return F.conv2d(samples, filter[None], padding=padding)[:, 0, :height, :width]


def pushed(residuals: Residuals, x: Tensor, v: Tensor) -> Tensor:
    """``J v`` by autograd."""
    return torch.autograd.functional.jvp(residuals, x, v)[1]


def pulled(residuals: Residuals, x: Tensor, u: Tensor) -> Tensor:
    """``J^T u`` by autograd."""
    return torch.autograd.functional.vjp(residuals, x, u)[1]


def filter_residuals(fit: FilterFit) -> Residuals:
    def residuals(x: Tensor) -> Tensor:
        scores = same_correlation(fit.samples, x.reshape(-1, *fit.size))
        data = fit.weights.sqrt()[:, None, None] * (bent(scores, fit.floor) - fit.labels)
        return torch.cat((data.flatten(), FILTER_REG**0.5 * x))

    return residuals


def joint_residuals(fit: FilterFit) -> Residuals:
    count = DIM * fit.size[0] * fit.size[1]

    def residuals(x: Tensor) -> Tensor:
        taps, projection = x[:count], x[count:]
        projected = F.conv2d(fit.samples, projection.reshape(DIM, CHANNELS, 1, 1))
        scores = same_correlation(projected, taps.reshape(DIM, *fit.size))
        data = fit.weights.sqrt()[:, None, None] * (bent(scores, fit.floor) - fit.labels)
        return torch.cat((data.flatten(), FILTER_REG**0.5 * taps, PROJECTION_REG**0.5 * projection))

    return residuals


def make_problem(
    joint: bool, size: tuple[int, int], floor: float | None
) -> tuple[FilterProblem | JointProblem, Residuals, Tensor]:
    """A problem, its residuals for autograd, and a point."""
    fit = make_fit(CHANNELS if joint else DIM, size, floor)
    count = DIM * size[0] * size[1] + (DIM * CHANNELS if joint else 0)
    x = 0.3 * torch.randn(count, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if not joint:
        return FilterProblem(fit=fit, reg=FILTER_REG), filter_residuals(fit), x
    problem = JointProblem(fit=fit, channels=DIM, filter_reg=FILTER_REG, projection_reg=PROJECTION_REG)
    return problem, joint_residuals(fit), x


BOTH = pytest.mark.parametrize("joint", [False, True], ids=["filter", "joint"])


@BOTH
@pytest.mark.parametrize("floor", [None, 0.05])
@pytest.mark.parametrize("size", [(4, 4), (3, 3), (4, 3), (1, 2)])
def test_both_products_are_autograds(joint: bool, size: tuple[int, int], floor: float | None) -> None:
    problem, residuals, x = make_problem(joint, size, floor)
    ours = problem.linearized(x)
    torch.testing.assert_close(ours.rhs, -pulled(residuals, x, residuals(x)))
    for seed in range(3):
        v = torch.randn(len(x), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        image = pushed(residuals, x, v)
        torch.testing.assert_close(ours.product(v), pulled(residuals, x, image))
        torch.testing.assert_close(ours.curvature(v), image @ image)


@BOTH
def test_no_graph_is_left_and_none_is_needed(joint: bool) -> None:
    problem, _, x = make_problem(joint, (4, 4), 0.05)
    with torch.no_grad():
        assert not gauss_newton(problem, x, [2]).requires_grad
    with torch.inference_mode():
        gauss_newton(problem, x, [2])


@BOTH
@pytest.mark.parametrize("polak_ribiere", [False, True])
def test_gauss_newton_takes_the_steps_of_an_autograd_one(joint: bool, polak_ribiere: bool) -> None:
    problem, residuals, start = make_problem(joint, (4, 4), 0.05)
    x = start
    for _ in range(3):
        near = Quadratic(
            rhs=-pulled(residuals, x, residuals(x)),
            product=lambda v, at=x: pulled(residuals, at, pushed(residuals, at, v)),
            curvature=lambda v, at=x: pushed(residuals, at, v).square().sum(),
        )
        x = x + conjugate_gradient(near, 4, problem.precondition, polak_ribiere=polak_ribiere)
    ours = gauss_newton(problem, start, [4, 4, 4], polak_ribiere=polak_ribiere)
    torch.testing.assert_close(ours, x, rtol=1e-8, atol=1e-10)
    assert residuals(x).square().sum() < 0.8 * residuals(start).square().sum()


def test_the_preconditioner_inverts_the_regularisation() -> None:
    problem, _, x = make_problem(True, (4, 4), None)
    assert isinstance(problem, JointProblem)
    taps, projection = problem.split(problem.precondition(x))
    count = DIM * 16
    torch.testing.assert_close(taps.flatten(), x[:count] / FILTER_REG)
    torch.testing.assert_close(projection.flatten(), x[count:] / PROJECTION_REG)


def test_slots_that_weigh_nothing_change_nothing() -> None:
    fit = make_fit(DIM, (4, 4), 0.05, count=6)
    weights = fit.weights.clone()
    weights[4:] = 0
    used = FilterFit(
        samples=fit.samples[:4], labels=fit.labels[:4], weights=weights[:4], floor=0.05, size=(4, 4)
    )
    whole = FilterFit(samples=fit.samples, labels=fit.labels, weights=weights, floor=0.05, size=(4, 4))
    x = torch.linspace(-0.2, 0.2, DIM * 16, dtype=torch.float64)
    a, b = (gauss_newton(FilterProblem(fit=f, reg=0.1), x, [5], polak_ribiere=True) for f in (used, whole))
    torch.testing.assert_close(a, b)


def test_samples_are_read_in_parts_that_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _, x = make_problem(True, (4, 4), 0.05)
    v = torch.linspace(-1, 1, len(x), dtype=torch.float64)
    one = whole.linearized(x)
    monkeypatch.setattr(objective, "PART", 2 * CHANNELS * 6 * 7)
    several = whole.linearized(x)
    assert len(whole.fit.linearized(torch.zeros(CHANNELS, 4, 4, dtype=torch.float64)).samples) == 2
    torch.testing.assert_close(one.rhs, several.rhs)
    torch.testing.assert_close(one.product(v), several.product(v))
    torch.testing.assert_close(one.curvature(v), several.curvature(v))


def test_a_single_tap_moves_the_scores_by_half_a_cell_to_the_front() -> None:
    samples = torch.zeros(1, 1, 6, 6)
    samples[0, 0, 3, 2] = 1
    filter = torch.zeros(1, 4, 4)
    filter[0, 2, 2] = 1  # the tap half a cell behind the middle, which lies between rows 1 and 2
    scores = correlate(samples, filter)
    assert scores.shape == (1, 6, 6)
    assert scores[0].nonzero().tolist() == [[3, 2]]


def as_numpy(fit: FilterFit) -> FilterFit:
    values = {name: getattr(fit, name).numpy() for name in ("samples", "labels", "weights")}
    return FilterFit(**values, floor=fit.floor, size=fit.size)


@pytest.mark.parametrize(("size", "floor"), [((4, 4), 0.05), ((3, 5), None)])
def test_without_torch_the_solutions_are_the_same(size: tuple[int, int], floor: float | None) -> None:
    fit = make_fit(CHANNELS, size, floor)
    options = {"channels": DIM, "filter_reg": FILTER_REG, "projection_reg": PROJECTION_REG}
    start = torch.randn(
        DIM * (size[0] * size[1] + CHANNELS), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    expected = gauss_newton(JointProblem(fit=fit, **options), start, [6, 6])
    found = gauss_newton(JointProblem(fit=as_numpy(fit), **options), start.numpy(), [6, 6])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-9)
    taps = torch.zeros(CHANNELS * size[0] * size[1], dtype=torch.float64)
    expected = gauss_newton(FilterProblem(fit=fit, reg=FILTER_REG), taps, [5], polak_ribiere=True)
    alone = FilterProblem(fit=as_numpy(fit), reg=FILTER_REG)
    found = gauss_newton(alone, taps.numpy(), [5], polak_ribiere=True)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-9)
    assert not gauss_newton(alone, found * 0, [0]).any()
