"""ATOM's least-squares problems with their Jacobian products written out: no autograd graph.

Both fit a filter e to weighted samples, residuals ``sqrt(g) (phi(e * x) - y)``. The second problem's e is the
filter itself; in the first, on the first frame, it is ``P^T w`` of projection P and filter w: projecting the
samples and correlating them with w is the same as correlating them with e, at a quarter of the work.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ltr.models.layers.filter import apply_feat_transpose, apply_filter

__all__ = ["FilterFit", "FilterProblem", "JointProblem", "correlate"]

Operator = Callable[[Tensor], Tensor]


def correlate(samples: Tensor, filter: Tensor) -> Tensor:
    """Scores ``[N, h, w]`` of samples ``[N, C, h, w]``; row r of an even filter lies at row ``r - 1/2``.

    Args:
        samples: zero outside.
        filter: ``[C, kh, kw]``.
    """
    height, width = samples.shape[-2:]
    return apply_filter(samples, filter[None])[:, 0, :height, :width]


def correlate_transposed(samples: Tensor, maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Adjoint of `correlate` in the filter: ``[C, kh, kw]`` of maps ``[N, h, w]``."""
    padded = F.pad(maps, (0, (size[1] + 1) % 2, 0, (size[0] + 1) % 2))
    return apply_feat_transpose(samples, padded[:, None], size)[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class FilterFit:
    """How well a filter fits samples, ``sum_j g_j |phi(e * x_j) - y_j|^2``.

    Attributes:
        samples: x ``[N, C, h, w]``.
        labels: y ``[N, h, w]``.
        weights: g ``[N]``.
        floor: phi bends negative scores s to ``floor (exp(s / floor) - 1)``; None leaves them.
        size: (kh, kw) of the filter.
    """

    samples: Tensor
    labels: Tensor
    weights: Tensor
    floor: float | None
    size: tuple[int, int]

    def linearized(self, filter: Tensor) -> tuple[Tensor, Operator]:
        """``-J^T r`` at a filter ``[C, kh, kw]``, and the map ``v -> J^T J v`` of filters."""
        weights = self.weights[:, None, None]
        scores = correlate(self.samples, filter)
        slope: Tensor | None = None
        if self.floor is not None:
            slope = (scores.clamp(max=0) / self.floor).exp()
            scores = torch.where(scores < 0, self.floor * (slope - 1), scores)
        pull = weights * (self.labels - scores)
        gain = weights if slope is None else weights * slope.square()

        def product(step: Tensor) -> Tensor:
            return self._gather(gain * correlate(self.samples, step))

        return self._gather(pull if slope is None else pull * slope), product

    def _gather(self, maps: Tensor) -> Tensor:
        return correlate_transposed(self.samples, maps, self.size)


@dataclass(frozen=True, kw_only=True, eq=False)
class FilterProblem:
    """Filter w of projected samples, ``fit(w) + reg |w|^2``; w as a vector ``[C * kh * kw]``."""

    fit: FilterFit
    reg: float

    def linearized(self, x: Tensor) -> tuple[Tensor, Operator]:
        """``-J^T r`` at `x`, and ``v -> J^T J v``."""
        shape = (-1, *self.fit.size)
        pull, product = self.fit.linearized(x.reshape(shape))
        return (
            pull.flatten() - self.reg * x,
            lambda v: product(v.reshape(shape)).flatten() + self.reg * v,
        )

    def precondition(self, v: Tensor) -> Tensor:
        """`v` as it is: every cell of the filter has the same regularisation."""
        return v


@dataclass(frozen=True, kw_only=True, eq=False)
class JointProblem:
    """Filter w and projection P, ``fit(P^T w) + filter_reg |w|^2 + projection_reg |P|^2``.

    Vectors are w ``[D, kh, kw]`` and P ``[D, C]`` one behind the other.

    Attributes:
        fit: of filters over unprojected samples of C channels.
        channels: D.
        filter_reg: weight of w's squares.
        projection_reg: weight of P's squares.
    """

    fit: FilterFit
    channels: int
    filter_reg: float
    projection_reg: float

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """w ``[D, kh * kw]`` and P ``[D, C]``."""
        count = self.channels * self.fit.size[0] * self.fit.size[1]
        return x[:count].reshape(self.channels, -1), x[count:].reshape(self.channels, -1)

    def linearized(self, x: Tensor) -> tuple[Tensor, Operator]:
        """``-J^T r`` at `x`, and ``v -> J^T J v``."""
        taps, projection = self.split(x)
        pull, fit_product = self.fit.linearized(self._whole(projection.T @ taps))

        def back(gradient: Tensor, v: Tensor) -> Tensor:
            """Gradient in e ``[C, kh, kw]`` as one in (w, P), with the regularisation of `v` added."""
            flat = gradient.flatten(1)
            joined = torch.cat(((projection @ flat).flatten(), (taps @ flat.T).flatten()))
            return joined + self._regularization(v)

        def product(v: Tensor) -> Tensor:
            by_taps, by_projection = self.split(v)
            step = projection.T @ by_taps + by_projection.T @ taps
            return back(fit_product(self._whole(step)), v)

        return back(pull, -x), product

    def precondition(self, v: Tensor) -> Tensor:
        """The regularisation alone, inverted."""
        taps, projection = self.split(v)
        return torch.cat(((taps / self.filter_reg).flatten(), (projection / self.projection_reg).flatten()))

    def _regularization(self, v: Tensor) -> Tensor:
        taps, projection = self.split(v)
        return torch.cat(((taps * self.filter_reg).flatten(), (projection * self.projection_reg).flatten()))

    def _whole(self, taps: Tensor) -> Tensor:
        """``[C, kh * kw]`` as a filter."""
        return taps.reshape(-1, *self.fit.size)
