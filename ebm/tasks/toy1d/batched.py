"""The training steps of the 1D network as batched tensor operations: all seeds at once, on any device.

The first joint layer is split, so that x is projected once per input and y once per candidate, and the two
are never concatenated. Derivatives in y are carried along with the values (forward differentiation).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["COMPARISONS", "BatchedSteps", "Comparison", "Layers", "jet"]

# How scores become a loss; the C code counts them in this order.
Comparison = Literal["linear", "softmax", "pairs"]
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)

HIDDEN = 10


@dataclass(frozen=True)
class Layers:
    """Weights ``(S, out, in)`` and biases ``(S, out)`` of S networks, in `ebm.nn.ToyEnergyNet`'s order."""

    x0: Tensor
    x0_bias: Tensor
    x1: Tensor
    x1_bias: Tensor
    y: Tensor
    y_bias: Tensor
    joint0: Tensor
    joint0_bias: Tensor
    joint1: Tensor
    joint1_bias: Tensor
    joint2: Tensor
    joint2_bias: Tensor
    out: Tensor
    out_bias: Tensor

    @classmethod
    def of(cls, weights: Tensor) -> "Layers":
        """Views of flat weights ``(S, 591)``."""
        h = HIDDEN
        shapes: Sequence[tuple[int, ...]] = (
            *((h, 1), (h,), (h, h), (h,)),
            *((h, 1), (h,)),
            *((h, 2 * h), (h,), (h, h), (h,), (h, h), (h,), (1, h), (1,)),
        )
        sizes = [torch.Size(shape).numel() for shape in shapes]
        parts = weights.split(sizes, dim=1)
        return cls(*(part.unflatten(1, shape) for part, shape in zip(parts, shapes)))

    def x_part(self, x: Tensor) -> Tensor:
        """What inputs ``(S, B)`` add to the first joint layer, its bias included, ``(S, B, 10)``."""
        h = torch.relu(x[..., None] * self.x0.mT + self.x0_bias[:, None])
        h = torch.relu(torch.baddbmm(self.x1_bias[:, None], h, self.x1.mT))
        return torch.baddbmm(self.joint0_bias[:, None], h, self.joint0[..., :HIDDEN].mT)


def jet(layers: Layers, x: Tensor, y: Tensor, order: int) -> list[Tensor]:
    """f and its derivatives in y up to `order` (0, 1 or 2).

    Args:
        layers: weights of S networks.
        x: inputs ``(S, B)``.
        y: candidates ``(S, B, C)``.
        order: highest derivative.

    Returns:
        ``order + 1`` tensors ``(S, B, C)``.
    """
    shape = y.shape
    flat = y.reshape(shape[0], -1, 1)
    first = [torch.baddbmm(layers.y_bias[:, None], flat, layers.y.mT)]
    first += [layers.y.mT.expand_as(first[0]), torch.zeros_like(first[0])][:order]
    z = _linear(_tanh(first), layers.joint0[..., HIDDEN:], None)
    part = layers.x_part(x)
    z[0] = (z[0].unflatten(1, shape[1:]) + part[:, :, None]).flatten(1, 2)
    u = _tanh(z)
    for weight, bias in ((layers.joint1, layers.joint1_bias), (layers.joint2, layers.joint2_bias)):
        u = [t + before for t, before in zip(_tanh(_linear(u, weight, bias)), u)]
    return [f.reshape(shape) for f in _linear(u, layers.out, layers.out_bias)]


def _linear(jets: list[Tensor], weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    out = [torch.bmm(jet_, weight.mT) for jet_ in jets]
    if bias is not None:
        out[0] = out[0] + bias[:, None]
    return out


def _tanh(z: list[Tensor]) -> list[Tensor]:
    t = torch.tanh(z[0])
    if len(z) == 1:
        return [t]
    gain = 1 - t * t
    first = gain * z[1]
    if len(z) == 2:
        return [t, first]
    return [t, first, gain * z[2] - 2 * t * first * z[1]]


class BatchedSteps:
    """Losses and gradients of S networks on S batches."""

    def candidate_step(
        self, weights: Tensor, x: Tensor, y: Tensor, log_q: Tensor, coefficient: Tensor, how: Comparison
    ) -> tuple[Tensor, Tensor]:
        """Mean over inputs of a loss that compares the scores of candidates, and its gradient.

        ``"linear"``: ``-sum_c coefficient_c f_c``; ``"softmax"``: ``LSE_c(f_c - log_q_c)`` in addition;
        ``"pairs"``: ``sum_c coefficient_c softplus(f_c - log_q_c - f_0)``.

        Args:
            weights: ``(S, 591)``.
            x: inputs ``(S, B)``.
            y: candidates ``(S, B, C)``.
            log_q: ``(S, B, C)``, or ``(S, 1, C)`` where the inputs share it; +inf leaves a candidate out.
            coefficient: shape of `log_q`.
            how: scores become a loss.

        Returns:
            Losses ``(S,)`` and gradients ``(S, 591)``.
        """

        def loss(at: Tensor) -> Tensor:
            (f,) = jet(Layers.of(at), x, y, 0)
            if how == "pairs":
                return -(coefficient * logsigmoid(f[..., :1] + log_q - f)).sum(-1).mean(1)
            linear = (coefficient * f).sum(-1)
            return ((f - log_q).logsumexp(-1) - linear if how == "softmax" else -linear).mean(1)

        return _with_gradient(loss, weights)

    def slope_step(self, weights: Tensor, x: Tensor, y: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of ``(df/dy + target)^2``: denoising score matching with target ``(y - label) / sigma^2``.

        Args:
            weights: ``(S, 591)``.
            x: inputs ``(S, B)``.
            y: noised labels ``(S, B, M)``.
            target: ``(S, B, M)``.

        Returns:
            Losses ``(S,)`` and gradients ``(S, 591)``.
        """

        def loss(at: Tensor) -> Tensor:
            return (jet(Layers.of(at), x, y, 1)[1] + target).square().mean((1, 2))

        return _with_gradient(loss, weights)

    def curvature_step(self, weights: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of ``d2f/dy2 + (df/dy)^2 / 2`` at labels `y` ``(S, B)``: score matching.

        Returns:
            Losses ``(S,)`` and gradients ``(S, 591)``.
        """

        def loss(at: Tensor) -> Tensor:
            _, slope, curvature = jet(Layers.of(at), x, y[..., None], 2)
            return (curvature + 0.5 * slope.square()).mean((1, 2))

        return _with_gradient(loss, weights)

    @torch.no_grad()
    def langevin(self, weights: Tensor, x: Tensor, y: Tensor, noise: Tensor, alpha: float) -> Tensor:
        """Chains after one step ``y + alpha^2 / 2 df/dy + alpha noise`` per row of `noise`.

        Args:
            weights: ``(S, 591)``.
            x: inputs ``(S, B)``.
            y: starts ``(S, B, M)``.
            noise: standard normal, ``(S, L, B, M)``.
            alpha: step size.

        Returns:
            ``(S, B, M)``.
        """
        layers = Layers.of(weights)
        for draw in noise.unbind(1):
            y = y + 0.5 * alpha**2 * jet(layers, x, y, 1)[1] + alpha * draw
        return y


def _with_gradient(loss: Callable[[Tensor], Tensor], weights: Tensor) -> tuple[Tensor, Tensor]:
    at = weights.detach().requires_grad_()
    value = loss(at)
    (gradient,) = torch.autograd.grad(value.sum(), at)
    return value.detach().double(), gradient
