"""Gauss-Newton descent on any sum of squared residuals, unrolled and differentiable."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ltr.models.layers.precision import at_least_float32, full_precision

__all__ = ["GNSteepestDescent", "Linearised", "linearise"]

P = TypeVar("P", Tensor, list[Tensor])


class Linearised(NamedTuple):
    """Residuals at a point and their Jacobian J there, as two products."""

    residuals: list[Tensor]
    """The residuals, any shapes."""
    pull: Callable[[Sequence[Tensor]], list[Tensor]]
    """``J^T u``, the shapes of the parameters, of u with the residuals' shapes."""
    push: Callable[[Sequence[Tensor]], list[Tensor]]
    """``J v``, the shapes of the residuals, of v with the parameters' shapes."""


def linearise(residual_module: nn.Module, parameters: Sequence[Tensor], **kwargs: Any) -> Linearised:
    """Residuals and Jacobian products at `parameters`.

    A module that offers ``linearise(parameters, **kwargs)`` is asked for it; the products of any other one
    come from differentiating twice, also where gradients are off (but not in inference mode).

    Args:
        residual_module: ``(parameters, **kwargs) -> residuals``.
        parameters: where to linearise.
        **kwargs: passed on.
    """
    own: Callable[..., Linearised] | None = getattr(residual_module, "linearise", None)
    if own is not None:
        return own(parameters, **kwargs)
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        point = [p if p.requires_grad else p.detach().requires_grad_() for p in parameters]
        residuals = list(residual_module(point, **kwargs))

    def pull(u: Sequence[Tensor], create_graph: bool = further) -> list[Tensor]:
        # Plain tuples: autograd refuses subclasses of list.
        return list(
            torch.autograd.grad(
                tuple(residuals), tuple(point), tuple(u), retain_graph=True, create_graph=create_graph
            )
        )

    def push(v: Sequence[Tensor]) -> list[Tensor]:
        with torch.enable_grad():
            dummy = tuple(torch.zeros_like(r).requires_grad_() for r in residuals)
            pulled = tuple(pull(dummy, create_graph=True))
        return list(torch.autograd.grad(pulled, dummy, tuple(v), retain_graph=True, create_graph=further))

    return Linearised([r if further else r.detach() for r in residuals], pull, push)


class GNSteepestDescent(nn.Module):
    """Steepest descent on half the sum of squares, with the step that the Gauss-Newton model finds best.

    Args:
        residual_module: ``(parameters, **kwargs) -> residuals``, both lists; see `linearise`.
        num_iter: default number of iterations.
        compute_losses: whether to record the mean square at every iterate.
        detach_length: cut the graph at the parameters before every so many iterations; infinity never does.
        parameter_batch_dim: dimension of every parameter that counts independent problems.
        residual_batch_dim: the same of every residual.
        steplength_reg: added to the curvature, relative to the squared gradient.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019, arXiv:1904.07220.
    """

    def __init__(
        self,
        residual_module: nn.Module,
        num_iter: int = 1,
        compute_losses: bool = False,
        detach_length: float = math.inf,
        parameter_batch_dim: int = 0,
        residual_batch_dim: int = 0,
        steplength_reg: float = 0.0,
    ) -> None:
        super().__init__()
        self.residual_module = residual_module
        self.num_iter = num_iter
        self.compute_losses = compute_losses
        self.detach_length = detach_length
        self.parameter_batch_dim = parameter_batch_dim
        self.residual_batch_dim = residual_batch_dim
        self.steplength_reg = steplength_reg

    def forward(
        self, meta_parameter: P, num_iter: int | None = None, **kwargs: Any
    ) -> tuple[P, list[P], list[Tensor]]:
        """Improve the parameters.

        Args:
            meta_parameter: where to start, a tensor or a list of tensors.
            num_iter: number of iterations, default as constructed.
            **kwargs: passed to the residual module.

        Returns:
            The last parameters and all iterates, the first being where it started (n + 1), each of the kind
            that came in; the mean square at each, scalars, or an empty list.

        Raises:
            ShapeError: if parameters and residuals count different numbers of problems.
        """
        as_it_came: Callable[[list[Tensor]], P]
        if isinstance(meta_parameter, Tensor):
            as_it_came = lambda values: values[0]  # noqa: E731
            current = [meta_parameter]
        else:
            as_it_came, current = type(meta_parameter), list(meta_parameter)
        current = [at_least_float32(p) for p in current]
        iterates, losses = [current], []
        for i in range(self.num_iter if num_iter is None else num_iter):
            if self.detach_length <= 0 or (i > 0 and i % self.detach_length == 0):
                current = [p.detach() for p in current]
            current, loss = self._step(current, kwargs)
            iterates.append(current)
            losses.append(loss)
        if self.compute_losses:
            losses.append(_mean_square(linearise(self.residual_module, current, **kwargs).residuals))
        states = [as_it_came(values) for values in iterates]
        return states[-1], states, losses if self.compute_losses else []

    def _step(self, current: list[Tensor], kwargs: dict[str, Any]) -> tuple[list[Tensor], Tensor]:
        """The next iterate, and the mean square at `current`."""
        linear = linearise(self.residual_module, current, **kwargs)
        gradient = linear.pull(linear.residuals)
        image = linear.push(gradient)
        with full_precision(current[0]):
            energy = _batch_energy(gradient, self.parameter_batch_dim)
            bend = _batch_energy(image, self.residual_batch_dim)
            if energy.shape != bend.shape:
                raise ShapeError(
                    f"The parameters are {len(energy)} problems (dimension {self.parameter_batch_dim}), the "
                    f"residuals {len(bend)} (dimension {self.residual_batch_dim}); correct the dimensions."
                )
            step = energy / (bend + self.steplength_reg * energy).clamp(min=1e-8)
            dim = self.parameter_batch_dim
            moved = [p - _along(step, p, dim) * g for p, g in zip(current, gradient)]
        return moved, _mean_square(linear.residuals)


def _batch_energy(values: Sequence[Tensor], dim: int) -> Tensor:
    """Sum of squares of all tensors for each entry of dimension `dim`, ``(batch,)``."""
    return torch.stack([at_least_float32(v).movedim(dim, 0).flatten(1).square().sum(1) for v in values]).sum(
        0
    )


def _along(values: Tensor, like: Tensor, dim: int) -> Tensor:
    """Values ``(batch,)`` laid along dimension `dim` of `like`."""
    shape = [1] * like.dim()
    shape[dim] = -1
    return values.reshape(shape)


def _mean_square(residuals: Sequence[Tensor]) -> Tensor:
    count = sum(r.numel() for r in residuals)
    return torch.stack([at_least_float32(r).square().sum() for r in residuals]).sum() / count
