"""Conjugate gradients for a few steps, and Gauss-Newton on top of them; no step waits for the device."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["LeastSquares", "conjugate_gradient", "gauss_newton"]

Operator = Callable[[Tensor], Tensor]


class LeastSquares(Protocol):
    """A sum of squared residuals ``|r(x)|^2`` of one vector x ``[n]``."""

    def linearized(self, x: Tensor) -> tuple[Tensor, Operator]:
        """``-J^T r`` at `x`, and the map ``v -> J^T J v``, ``[n] -> [n]``."""

    def precondition(self, v: Tensor) -> Tensor:
        """An easily inverted guess of ``J^T J``, applied inversely to `v`, ``[n]``."""


def conjugate_gradient(
    product: Operator,
    rhs: Tensor,
    steps: int,
    precondition: Operator = lambda v: v,
    *,
    polak_ribiere: bool = False,
) -> Tensor:
    """Approximate solution v of ``A v = rhs`` after `steps` steps from 0, ``[n]``.

    Args:
        product: ``v -> A v``, A symmetric and positive semidefinite.
        rhs: right-hand side ``[n]``.
        steps: their number. Once the residual is zero, further ones change nothing.
        precondition: ``v -> M^-1 v``.
        polak_ribiere: how a direction is made conjugate to the last one; otherwise by Fletcher and Reeves.

    Source: the published ATOM tracker. One repair: a right-hand side of zero has the solution zero.
    """
    solution, residual = torch.zeros_like(rhs), rhs
    last = direction = torch.zeros_like(rhs)
    size = rhs.new_ones(())
    for step in range(steps):
        steepest = precondition(residual)
        before, size = size, residual @ steepest
        if step:
            gain = size - last @ steepest if polak_ribiere else size
            direction = steepest + _ratio(gain, before).clamp(min=0) * direction
        else:
            direction = steepest
        image = product(direction)
        length = _ratio(size, direction @ image)
        solution = solution + length * direction
        last, residual = residual, residual - length * image
    return solution


def gauss_newton(
    problem: LeastSquares, x: Tensor, steps: Sequence[int], *, polak_ribiere: bool = False
) -> Tensor:
    """x ``[n]`` after one Gauss-Newton step for each of `steps`, its number of conjugate-gradient steps."""
    for count in steps:
        if count:
            rhs, product = problem.linearized(x)
            x = x + conjugate_gradient(product, rhs, count, problem.precondition, polak_ribiere=polak_ribiere)
    return x


def _ratio(over: Tensor, under: Tensor) -> Tensor:
    """``over / under``, 0 where `under` is not positive."""
    return torch.where(under > 0, over / under, 0.0)
