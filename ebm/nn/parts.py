"""Scores of very many candidates in parts that stay in a core's cache, where no graph is recorded.

Of 32 times 1024 candidates a layer of 512 leaves 64 MB, which the next one fetches from memory again: twice
the time of the products themselves. Of a part's 1 MB nothing leaves the cache, and its memory is used again.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

__all__ = ["PART", "Layer", "is_plain", "scores_in_parts"]

Layer = tuple[Tensor, Tensor | None]
"""Weight ``(out, in)`` and bias ``(out,)``; None stands for the share of the input, another for each."""

PART = 2**18
"""Numbers in the widest layer's output that a core's second cache holds, 1 MB in float32."""


def is_plain(*tensors: Tensor) -> bool:
    """Whether results can be written where one says: neither vmap nor a derivative forwards is under way."""
    if torch._C._are_functorch_transforms_active():
        return False
    return all(unpack_dual(tensor).tangent is None for tensor in tensors)


def scores_in_parts(
    layers: Sequence[Layer], activate: Callable[[Tensor], Tensor], projected: Tensor, y: Tensor
) -> Tensor:
    """Scores of candidates ``(B, M, D) -> (B, M)``; M and B are not 0.

    Of candidates that all inputs share, as those of a grid, what does not depend on the input is computed
    once.

    Args:
        layers: from a candidate to its score; exactly one of them has the share of the input for a bias.
        activate: follows every layer but the last, in place.
        projected: the share of the input, ``(B, out)`` of that layer.
        y: the candidates, in the dtype of all.
    """
    with torch.no_grad():
        return _Parts(layers, activate, projected.detach(), y.detach()).scores()


class _Parts:
    """See `scores_in_parts`."""

    def __init__(
        self, layers: Sequence[Layer], activate: Callable[[Tensor], Tensor], projected: Tensor, y: Tensor
    ) -> None:
        self._activate, self._projected, self._y = activate, projected, y
        rows = max(1, PART * torch.get_num_threads() // max(len(weight) for weight, _ in layers))
        self._columns = min(rows, y.shape[1])
        self._inputs = max(1, rows // y.shape[1])
        most = self._columns * self._inputs
        joint = [bias is None for _, bias in layers].index(True)
        self._before, self._after = (
            [(w.t(), bias, y.new_empty(most, len(w))) for w, bias in part if bias is not None]
            for part in (layers[:joint], layers[joint + 1 :])
        )
        weight = layers[joint][0]
        self._joint, self._room = weight.t(), y.new_empty(most, len(weight))
        self._shared = len(y) > 1 and torch.equal(y[0], y[1]) and bool((y == y[0]).all())

    def scores(self) -> Tensor:
        """Scores ``(B, M)``."""
        y, projected = self._y, self._projected
        scores = y.new_empty(y.shape[:2])
        for first in range(0, y.shape[1], self._columns):
            columns = slice(first, first + self._columns)
            shares = self._before_joint(y[:1, columns]) @ self._joint if self._shared else None
            for start in range(0, len(y), self._inputs):
                some = slice(start, start + self._inputs)
                sums = self._sums(y[some, columns], projected[some], shares)
                scores[some, columns] = self._after_joint(sums).view_as(scores[some, columns])
        return scores

    def _before_joint(self, y: Tensor) -> Tensor:
        """What the joint layer sees of candidates, ``(b, m, D) -> (b * m, in)``."""
        x = y.flatten(0, 1)
        for weight, bias, room in self._before:
            x = self._activate(torch.addmm(bias, x, weight, out=room[: len(x)]))
        return x

    def _sums(self, y: Tensor, projected: Tensor, shares: Tensor | None) -> Tensor:
        """What the joint layer gives for candidates ``(b, m, D)`` of inputs ``(b, out)``: ``(b * m, out)``.

        Args:
            y: candidates.
            projected: the share of their inputs.
            shares: that of the candidates, ``(m, out)``, where all inputs have the same.
        """
        size = y.shape[:2]
        sums = self._room[: size.numel()]
        if shares is not None:
            torch.add(shares, projected[:, None], out=sums.unflatten(0, size))
        elif len(y) == 1:
            torch.addmm(projected[0], self._before_joint(y), self._joint, out=sums)
        else:
            torch.mm(self._before_joint(y), self._joint, out=sums)
            sums.unflatten(0, size).add_(projected[:, None])
        return sums

    def _after_joint(self, x: Tensor) -> Tensor:
        for weight, bias, room in self._after:
            x = torch.addmm(bias, self._activate(x), weight, out=room[: len(x)])
        return x
