"""Conjugate gradients for a few steps, and Gauss-Newton on top of them; no step waits for the device.

Vectors are torch's tensors or numpy's arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytracking.libs.arrays import Array, at_least, ratio, zeros

__all__ = ["LeastSquares", "Quadratic", "conjugate_gradient", "gauss_newton"]

Operator = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Quadratic:
    """``v A v / 2 - rhs v`` of vectors v ``[n]``, A symmetric and positive semidefinite.

    Attributes:
        rhs: ``[n]``.
        product: ``v -> A v``.
        curvature: ``v -> v A v``, which may cost less than the product.
    """

    rhs: Array
    product: Operator
    curvature: Operator


class LeastSquares(Protocol):
    """A sum of squared residuals ``|r(x)|^2`` of one vector x ``[n]``."""

    def linearized(self, x: Array) -> Quadratic:
        """Half the sum at ``x + v`` with r taken as linear in v: A is ``J^T J``, rhs ``-J^T r``."""

    def precondition(self, v: Array) -> Array:
        """An easily inverted guess of ``J^T J``, applied inversely to `v`, ``[n]``."""


def conjugate_gradient(
    system: Quadratic,
    steps: int,
    precondition: Operator = lambda v: v,
    *,
    polak_ribiere: bool = False,
) -> Array:
    """Approximate minimum v ``[n]`` of a quadratic after `steps` steps from 0.

    Args:
        system: A and the right-hand side.
        steps: their number. Once the residual is zero, further ones change nothing.
        precondition: ``v -> M^-1 v`` for an M close to A.
        polak_ribiere: how a direction is made conjugate to the last one; otherwise by Fletcher and Reeves.

    Source: the published ATOM tracker. One repair: a right-hand side of zero has the solution zero.
    """
    residual = last = system.rhs
    solution = direction = zeros(residual.shape, residual)
    size: Array = 1.0
    for step in range(steps):
        steepest = precondition(residual)
        before, size = size, residual @ steepest
        if step:
            gain = size - last @ steepest if polak_ribiere else size
            direction = steepest + at_least(ratio(gain, before), 0) * direction
        else:
            direction = steepest
        if step + 1 == steps:
            return solution + ratio(size, system.curvature(direction)) * direction
        image = system.product(direction)
        length = ratio(size, direction @ image)
        solution = solution + length * direction
        last, residual = residual, residual - length * image
    return solution


def gauss_newton(
    problem: LeastSquares, x: Array, steps: Sequence[int], *, polak_ribiere: bool = False
) -> Array:
    """x ``[n]`` after one Gauss-Newton step for each of `steps`, its number of conjugate-gradient steps."""
    for count in steps:
        if count:
            system = problem.linearized(x)
            x = x + conjugate_gradient(system, count, problem.precondition, polak_ribiere=polak_ribiere)
    return x
