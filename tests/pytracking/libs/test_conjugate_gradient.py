"""Conjugate gradients against solutions known from linear algebra."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pytracking.libs.conjugate_gradient import Quadratic, conjugate_gradient, gauss_newton


def quadratic(matrix: Tensor, rhs: Tensor) -> Quadratic:
    return Quadratic(rhs=rhs, product=lambda v: matrix @ v, curvature=lambda v: v @ matrix @ v)


def system(size: int, seed: int) -> tuple[Tensor, Quadratic]:
    """A symmetric positive definite matrix, and its quadratic with some right-hand side."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(size, size, generator=generator, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(size, dtype=torch.float64)
    return matrix, quadratic(matrix, torch.randn(size, generator=generator, dtype=torch.float64))


@given(size=st.integers(1, 7), seed=st.integers(0, 999), polak_ribiere=st.booleans())
def test_as_many_steps_as_unknowns_solve_the_system(size: int, seed: int, polak_ribiere: bool) -> None:
    matrix, problem = system(size, seed)
    solution = conjugate_gradient(problem, size, polak_ribiere=polak_ribiere)
    torch.testing.assert_close(solution, torch.linalg.solve(matrix, problem.rhs), rtol=1e-6, atol=1e-8)


def test_the_inverse_as_preconditioner_needs_one_step() -> None:
    matrix, problem = system(6, 0)
    inverse = torch.linalg.inv(matrix)
    solution = conjugate_gradient(problem, 1, lambda v: inverse @ v)
    torch.testing.assert_close(solution, inverse @ problem.rhs)


def test_every_step_lowers_the_error_in_the_norm_of_the_matrix() -> None:
    matrix, problem = system(8, 1)
    exact = torch.linalg.solve(matrix, problem.rhs)
    errors = []
    for steps in range(7):
        difference = conjugate_gradient(problem, steps) - exact
        errors.append(float(difference @ matrix @ difference))
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("polak_ribiere", [False, True])
def test_zero_is_solved_by_zero_and_a_solved_system_stays_solved(polak_ribiere: bool) -> None:
    matrix, problem = system(3, 2)
    nothing = conjugate_gradient(quadratic(matrix, torch.zeros(3, dtype=torch.float64)), 4)
    assert nothing.tolist() == [0, 0, 0]
    twice = quadratic(2 * torch.eye(3, dtype=torch.float64), problem.rhs)
    solution = conjugate_gradient(twice, 9, polak_ribiere=polak_ribiere)
    torch.testing.assert_close(solution, problem.rhs / 2)


class Root:
    """``r(x) = x^2 - 2`` in every component: Gauss-Newton is Newton's iteration for the square root of 2."""

    def linearized(self, x: Tensor) -> Quadratic:
        return quadratic((4 * x.square()).diag(), -2 * x * (x.square() - 2))

    def precondition(self, v: Tensor) -> Tensor:
        return v


def test_gauss_newton_of_the_square_root_is_newtons_iteration() -> None:
    start = torch.tensor([1.0], dtype=torch.float64)
    assert gauss_newton(Root(), start, [1]).item() == pytest.approx(1.5)
    assert gauss_newton(Root(), start, [1, 0, 1]).item() == pytest.approx(17 / 12)
    assert gauss_newton(Root(), start, [1] * 6).item() == pytest.approx(2**0.5, rel=1e-15)
    assert gauss_newton(Root(), start, []).item() == 1
