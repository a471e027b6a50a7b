"""ATOM's least-squares problems with their Jacobian products written out: no autograd graph.

Both fit a filter e to weighted samples, residuals ``sqrt(g) (phi(e * x) - y)``. The second problem's e is the
filter itself; in the first, on the first frame, it is ``P^T w`` of projection P and filter w: projecting the
samples and correlating them with w is the same as correlating them with e, at a quarter of the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pytracking.libs.conjugate_gradient import Quadratic

__all__ = ["FilterFit", "FilterProblem", "JointProblem", "correlate"]

PART = 2**20  # numbers, 4 MB: samples are read twice by a product, the second time from the cache


def correlate(samples: Tensor, filter: Tensor) -> Tensor:
    """Scores ``[N, h, w]`` of samples ``[N, C, h, w]``; row r of an even filter lies at row ``r - 1/2``.

    All taps are multiplied with all cells in one product; the answers are then shifted and added, first
    along the rows, then along the columns.

    Args:
        samples: zero outside.
        filter: ``[C, kh, kw]``.
    """
    count, _, height, width = samples.shape
    kh, kw = filter.shape[1:]
    taps = filter.flatten(1).T.expand(count, -1, -1)
    answers = torch.bmm(taps, samples.flatten(2)).reshape(count, kh, kw, height, width)
    rows = samples.new_zeros(count, kh, height, width + kw - 1)
    for tap in range(kw):
        start = kw - 1 - tap
        rows[..., start : start + width] += answers[:, :, tap]
    scores = samples.new_zeros(count, height + kh - 1, width + kw - 1)
    for tap in range(kh):
        start = kh - 1 - tap
        scores[:, start : start + height] += rows[:, tap]
    top, left = kh - 1 - kh // 2, kw - 1 - kw // 2
    return scores[:, top : top + height, left : left + width]


def correlate_transposed(samples: Tensor, maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Adjoint of `correlate` in the filter: ``[C, kh, kw]`` of maps ``[N, h, w]``."""
    (kh, kw), (height, width) = size, maps.shape[-2:]
    padded = F.pad(maps, (kw - 1 - kw // 2, kw // 2, kh - 1 - kh // 2, kh // 2))
    windows = padded.unfold(1, height, 1).unfold(2, width, 1).reshape(len(maps), kh * kw, -1)
    gradient = torch.bmm(samples.flatten(2), windows.transpose(1, 2)).sum(dim=0)
    return gradient.reshape(-1, kh, kw).flip(1, 2)


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

    def linearized(self, filter: Tensor) -> "FitQuadratic":
        """The quadratic that the sum is close to at a filter ``[C, kh, kw]``."""
        pull, gain = torch.zeros_like(filter), []
        for samples, labels, weights in zip(*(_parts(t, self.samples) for t in self._fields())):
            scores, factor = correlate(samples, filter), weights[:, None, None]
            if self.floor is None:
                pull += correlate_transposed(samples, factor * (labels - scores), self.size)
                gain.append(factor.expand_as(scores))
                continue
            slope = (scores.clamp(max=0) / self.floor).exp()
            answer = torch.where(scores < 0, self.floor * (slope - 1), scores)
            pull += correlate_transposed(samples, factor * slope * (labels - answer), self.size)
            gain.append(factor * slope.square())
        return FitQuadratic(pull=pull, samples=_parts(self.samples, self.samples), gain=gain)

    def _fields(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.samples, self.labels, self.weights


@dataclass(frozen=True, kw_only=True, eq=False)
class FitQuadratic:
    """A `FilterFit` at a filter.

    Attributes:
        pull: ``-J^T r``, ``[C, kh, kw]``.
        samples: the samples in parts.
        gain: what a squared change of their scores costs, ``[n, h, w]`` each.
    """

    pull: Tensor
    samples: Sequence[Tensor]
    gain: Sequence[Tensor]

    def product(self, step: Tensor) -> Tensor:
        """``J^T J v`` of a filter v."""
        size = (step.shape[-2], step.shape[-1])
        total = torch.zeros_like(step)
        for samples, gain in zip(self.samples, self.gain):
            total += correlate_transposed(samples, gain * correlate(samples, step), size)
        return total

    def curvature(self, step: Tensor) -> Tensor:
        """``|J v|^2`` of a filter v, half the work of the product."""
        total = step.new_zeros(())
        for samples, gain in zip(self.samples, self.gain):
            total += (gain * correlate(samples, step).square()).sum()
        return total


def _parts(tensor: Tensor, samples: Tensor) -> tuple[Tensor, ...]:
    """`tensor` in parts, those of `samples` fitting into a core's cache; in one part on other devices."""
    fitting = max(1, PART * len(samples) // max(samples.numel(), 1))
    return tensor.split(fitting if samples.device.type == "cpu" else max(len(samples), 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class FilterProblem:
    """Filter w of projected samples, ``fit(w) + reg |w|^2``; w as a vector ``[C * kh * kw]``."""

    fit: FilterFit
    reg: float

    def linearized(self, x: Tensor) -> Quadratic:
        """The quadratic at `x`."""
        shape = (-1, *self.fit.size)
        near = self.fit.linearized(x.reshape(shape))
        return Quadratic(
            rhs=near.pull.flatten() - self.reg * x,
            product=lambda v: near.product(v.reshape(shape)).flatten() + self.reg * v,
            curvature=lambda v: near.curvature(v.reshape(shape)) + self.reg * (v @ v),
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

    def linearized(self, x: Tensor) -> Quadratic:
        """The quadratic at `x`."""
        taps, projection = self.split(x)
        near = self.fit.linearized(self._whole(projection.T @ taps))

        def ahead(v: Tensor) -> Tensor:
            """A change of (w, P) as one of e ``[C, kh, kw]``."""
            by_taps, by_projection = self.split(v)
            return self._whole(projection.T @ by_taps + by_projection.T @ taps)

        def back(gradient: Tensor) -> Tensor:
            """A gradient in e ``[C, kh, kw]`` as one in (w, P)."""
            flat = gradient.flatten(1)
            return torch.cat(((projection @ flat).flatten(), (taps @ flat.T).flatten()))

        return Quadratic(
            rhs=back(near.pull) - self._regularized(x),
            product=lambda v: back(near.product(ahead(v))) + self._regularized(v),
            curvature=lambda v: near.curvature(ahead(v)) + v @ self._regularized(v),
        )

    def precondition(self, v: Tensor) -> Tensor:
        """The regularisation alone, inverted."""
        taps, projection = self.split(v)
        return torch.cat(((taps / self.filter_reg).flatten(), (projection / self.projection_reg).flatten()))

    def _regularized(self, v: Tensor) -> Tensor:
        taps, projection = self.split(v)
        return torch.cat(((taps * self.filter_reg).flatten(), (projection * self.projection_reg).flatten()))

    def _whole(self, taps: Tensor) -> Tensor:
        """``[C, kh * kw]`` as a filter."""
        return taps.reshape(-1, *self.fit.size)
