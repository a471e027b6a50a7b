"""An energy head at one target by numpy, for ascents of one start.

At so few numbers an operation of numpy takes a third of torch's time. Products of several targets are left
to torch: numpy's may go to threads of its own, whose number nobody has said.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST", "ArrayHead"]

Array = NDArray[Any]

LARGEST = 2**18
"""Numbers in a layer's weight up to which a product with one vector is too short for threads."""


class ArrayHead:
    """A multi-layer perceptron of one output at one input, with its slope in closed form.

    Activations are kept with the opposite sign: ``exp(-z)`` is what SiLU is made of, and the biases' sign is
    changed once. Arrays are written over by the next call; results are not.

    Args:
        layers: weight ``(out, in)`` and bias ``(out,)`` of every layer, the last one of a single output.
        smooth: SiLU follows every layer but the last; else ReLU.
    """

    def __init__(self, layers: Sequence[tuple[Array, Array]], smooth: bool) -> None:
        # A product with columns cut out of a matrix makes such a copy every time.
        self._weights = [np.ascontiguousarray(weight) for weight, _ in layers]
        self._biases = [-bias for _, bias in layers]
        self._smooth = smooth
        ends = list(accumulate(len(bias) for bias in self._biases[:-1]))
        # Before the activations, exp + 1, after them, slopes: of all layers side by side.
        self._all = np.empty((4, ends[-1]), self._weights[0].dtype)
        parts = [self._all[:, start:end] for start, end in zip((0, *ends), ends)]
        self._layers = [
            (weight, bias, *part) for weight, bias, part in zip(self._weights, self._biases, parts)
        ]
        self._last, self._bias = self._weights[-1][0], self._biases[-1][0]
        self._one = np.ones((), self._last.dtype)  # an integer would be converted every time

    def value(self, y: Array) -> Any:
        """The output ``()`` of inputs ``(in,)``."""
        out = -y
        for weight, bias, before, grown, after, _ in self._layers:
            np.add(weight.dot(out, out=before), bias, before)
            if self._smooth:
                np.exp(before, grown)
                np.add(grown, self._one, grown)
                np.divide(before, grown, after)
            else:
                np.minimum(before, 0, out=after)
            out = after
        return -(self._last.dot(out) + self._bias)

    def value_and_gradient(self, y: Array) -> tuple[Any, Array]:
        """The output ``()`` of inputs ``(in,)`` and its gradient in these ``(in,)``."""
        value = self.value(y)
        before, grown, after, slopes = self._all
        if self._smooth:
            # With s = 1 / grown: silu'(z) = s (1 + z - silu(z)), and before = -z, after = -silu(z).
            np.subtract(after, before, slopes)
            np.add(slopes, self._one, slopes)
            np.divide(slopes, grown, slopes)
        else:
            np.less(before, 0, out=slopes)
        gradient = self._last
        for weight, *_, slope in reversed(self._layers):
            gradient = np.multiply(gradient, slope, slope).dot(weight)
        return value, gradient
