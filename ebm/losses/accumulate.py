"""A loss summed over parts, differentiated part by part, so that one part's graph exists at a time."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["accumulate", "leaves_of"]


def accumulate(
    parts: Sequence[Callable[[], Tensor]],
    weigh: Callable[[Tensor], Tensor],
    inputs: Sequence[Tensor],
    sources: Sequence[Tensor] | None = None,
) -> Tensor:
    """``weigh(part())`` summed over the parts, connected to its inputs by gradients that are known already.

    Args:
        parts: each computes its losses per item ``(B,)``; at least one.
        weigh: ``(B,) -> ()``, linear.
        inputs: what to differentiate; parts may share the graph that leads to them.
        sources: what to hand these gradients to instead, one for each; None is `inputs`.

    Returns:
        ``()``; it can be differentiated once.
    """
    values: list[Tensor] = []
    sums: list[Tensor | None] = [None] * len(inputs)
    for part in parts:
        value = weigh(part())
        found = torch.autograd.grad(value, inputs, allow_unused=True, retain_graph=True) if inputs else ()
        sums = [_added(old, new) for old, new in zip(sums, found)]
        values.append(value.detach())
        del value, found  # with them goes this part's graph, before the next one is built
    return _Known.apply(torch.stack(values).sum(), sums, *(inputs if sources is None else sources))


def leaves_of(value: Tensor, but: Tensor) -> list[Tensor]:
    """Every leaf that `value` can be differentiated in, except `but`."""
    leaves: dict[int, Tensor] = {}
    seen, ahead = set(), [value.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and leaf is not but:
            leaves[id(leaf)] = leaf
        ahead += [following for following, _ in node.next_functions]
    return list(leaves.values())


class _Known(torch.autograd.Function):
    """A value whose gradients have been computed before."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor | None], *inputs: Tensor) -> Tensor:
        ctx.known = [gradient is not None for gradient in gradients]
        ctx.save_for_backward(*(gradient for gradient in gradients if gradient is not None))
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        saved = iter(ctx.saved_tensors)
        return (None, None, *(next(saved) * outer[0] if known else None for known in ctx.known))


def _added(old: Tensor | None, new: Tensor | None) -> Tensor | None:
    if new is None:
        return old
    # A copy first: two inputs may be handed one and the same gradient.
    return new.clone() if old is None else old.add_(new)
