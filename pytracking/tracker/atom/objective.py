"""ATOM's least-squares problems with their Jacobian products written out: no autograd graph, no torch.

Both fit a filter e to weighted samples, residuals ``sqrt(g) (phi(e * x) - y)``. The second problem's e is the
filter itself; in the first, on the first frame, it is ``P^T w`` of projection P and filter w: projecting the
samples and correlating them with w is the same as correlating them with e, at a quarter of the work.

Arrays are torch's tensors or, of a tracker in ONNX Runtime, numpy's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytracking.libs.arrays import Array, batch_product, exponential, flipped, joined, where, windows, zeros
from pytracking.libs.conjugate_gradient import Quadratic

__all__ = ["FilterFit", "FilterProblem", "JointProblem", "correlate", "projected"]

PART = 2**20  # numbers, 4 MB: samples are read twice by a product, the second time from the cache


def correlate(samples: Array, filter: Array) -> Array:
    """Scores ``[N, h, w]`` of samples ``[N, C, h, w]``; row r of an even filter lies at row ``r - 1/2``.

    All taps are multiplied with all cells in one product; the answers are then shifted and added, first
    along the rows, then along the columns.

    Args:
        samples: zero outside.
        filter: ``[C, kh, kw]``.
    """
    count, _, height, width = samples.shape
    kh, kw = filter.shape[1:]
    taps = filter.reshape(len(filter), -1).T
    answers = batch_product(taps, _cells(samples)).reshape(count, kh, kw, height, width)
    rows = zeros((count, kh, height, width + kw - 1), samples)
    for tap in range(kw):
        start = kw - 1 - tap
        rows[..., start : start + width] += answers[:, :, tap]
    scores = zeros((count, height + kh - 1, width + kw - 1), samples)
    for tap in range(kh):
        start = kh - 1 - tap
        scores[:, start : start + height] += rows[:, tap]
    top, left = kh - 1 - kh // 2, kw - 1 - kw // 2
    return scores[:, top : top + height, left : left + width]


def correlate_transposed(samples: Array, maps: Array, size: tuple[int, int]) -> Array:
    """Adjoint of `correlate` in the filter: ``[C, kh, kw]`` of maps ``[N, h, w]``."""
    kh, kw = size
    around = windows(maps, (kh - 1 - kh // 2, kw - 1 - kw // 2), (kh // 2, kw // 2))
    shown = around.reshape(len(maps), kh * kw, -1)
    gradient = (_cells(samples) @ shown.swapaxes(1, 2)).sum(axis=0)
    return flipped(gradient.reshape(-1, kh, kw))


def projected(samples: Array, projection: Array) -> Array:
    """``[N, D, h, w]`` of samples ``[N, C, h, w]`` and a projection ``[D, C]``."""
    count, _, height, width = samples.shape
    return batch_product(projection, _cells(samples)).reshape(count, -1, height, width)


def _cells(samples: Array) -> Array:
    """``[N, C, h * w]`` of ``[N, C, h, w]``."""
    return samples.reshape(*samples.shape[:2], -1)


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

    samples: Array
    labels: Array
    weights: Array
    floor: float | None
    size: tuple[int, int]

    def linearized(self, filter: Array) -> "FitQuadratic":
        """The quadratic that the sum is close to at a filter ``[C, kh, kw]``."""
        pull, gain = zeros(filter.shape, filter), []
        for samples, labels, weights in zip(*(_parts(t, self.samples) for t in self._fields())):
            scores, factor = correlate(samples, filter), weights[:, None, None]
            if self.floor is None:
                pull += correlate_transposed(samples, factor * (labels - scores), self.size)
                gain.append(factor)
                continue
            slope = exponential(where(scores < 0, scores, 0.0) / self.floor)
            answer = where(scores < 0, self.floor * (slope - 1), scores)
            pull += correlate_transposed(samples, factor * slope * (labels - answer), self.size)
            gain.append(factor * slope * slope)
        return FitQuadratic(pull=pull, samples=_parts(self.samples, self.samples), gain=gain)

    def _fields(self) -> tuple[Array, Array, Array]:
        return self.samples, self.labels, self.weights


@dataclass(frozen=True, kw_only=True, eq=False)
class FitQuadratic:
    """A `FilterFit` at a filter.

    Attributes:
        pull: ``-J^T r``, ``[C, kh, kw]``.
        samples: the samples in parts.
        gain: what a squared change of their scores costs, ``[n, h, w]`` or ``[n, 1, 1]`` each.
    """

    pull: Array
    samples: Sequence[Array]
    gain: Sequence[Array]

    def product(self, step: Array) -> Array:
        """``J^T J v`` of a filter v."""
        size = (step.shape[-2], step.shape[-1])
        total = zeros(step.shape, step)
        for samples, gain in zip(self.samples, self.gain):
            total += correlate_transposed(samples, gain * correlate(samples, step), size)
        return total

    def curvature(self, step: Array) -> Array:
        """``|J v|^2`` of a filter v, half the work of the product."""
        changes = ((gain, correlate(samples, step)) for samples, gain in zip(self.samples, self.gain))
        return sum((gain * change * change).sum() for gain, change in changes)


def _parts(tensor: Array, samples: Array) -> tuple[Array, ...]:
    """`tensor` in parts, those of `samples` fitting into a core's cache; in one part on other devices."""
    count = len(samples)
    on_device = not isinstance(samples, np.ndarray) and samples.device.type != "cpu"
    numbers = math.prod(samples.shape)
    size = max(count, 1) if on_device else max(1, PART * count // max(numbers, 1))
    return tuple(tensor[first : first + size] for first in range(0, count, size))


@dataclass(frozen=True, kw_only=True, eq=False)
class FilterProblem:
    """Filter w of projected samples, ``fit(w) + reg |w|^2``; w as a vector ``[C * kh * kw]``."""

    fit: FilterFit
    reg: float

    def linearized(self, x: Array) -> Quadratic:
        """The quadratic at `x`."""
        shape = (-1, *self.fit.size)
        near = self.fit.linearized(x.reshape(shape))
        return Quadratic(
            rhs=near.pull.reshape(-1) - self.reg * x,
            product=lambda v: near.product(v.reshape(shape)).reshape(-1) + self.reg * v,
            curvature=lambda v: near.curvature(v.reshape(shape)) + self.reg * (v @ v),
        )

    def precondition(self, v: Array) -> Array:
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

    def split(self, x: Array) -> tuple[Array, Array]:
        """w ``[D, kh * kw]`` and P ``[D, C]``."""
        count = self.channels * self.fit.size[0] * self.fit.size[1]
        return x[:count].reshape(self.channels, -1), x[count:].reshape(self.channels, -1)

    def linearized(self, x: Array) -> Quadratic:
        """The quadratic at `x`."""
        taps, projection = self.split(x)
        near = self.fit.linearized(self._whole(projection.T @ taps))

        def ahead(v: Array) -> Array:
            """A change of (w, P) as one of e ``[C, kh, kw]``."""
            by_taps, by_projection = self.split(v)
            return self._whole(projection.T @ by_taps + by_projection.T @ taps)

        def back(gradient: Array) -> Array:
            """A gradient in e ``[C, kh, kw]`` as one in (w, P)."""
            flat = gradient.reshape(len(gradient), -1)
            return _vector(projection @ flat, taps @ flat.T)

        return Quadratic(
            rhs=back(near.pull) - self._regularized(x),
            product=lambda v: back(near.product(ahead(v))) + self._regularized(v),
            curvature=lambda v: near.curvature(ahead(v)) + v @ self._regularized(v),
        )

    def precondition(self, v: Array) -> Array:
        """The regularisation alone, inverted."""
        taps, projection = self.split(v)
        return _vector(taps / self.filter_reg, projection / self.projection_reg)

    def _regularized(self, v: Array) -> Array:
        taps, projection = self.split(v)
        return _vector(taps * self.filter_reg, projection * self.projection_reg)

    def _whole(self, taps: Array) -> Array:
        """``[C, kh * kw]`` as a filter."""
        return taps.reshape(-1, *self.fit.size)


def _vector(taps: Array, projection: Array) -> Array:
    """w and P one behind the other, ``[n]``."""
    return joined((taps.reshape(-1), projection.reshape(-1)))
