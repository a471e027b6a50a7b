"""The classifier's memory: a preallocated ring of samples and the rule that weighs them."""

import numpy as np
from numpy.typing import NDArray

from pytracking.libs.arrays import Array, like, zeros
from pytracking.parameter.base import MemoryParams
from pytracking.tracker.base import Flag

__all__ = ["SampleMemory", "SampleWeights"]


class SampleWeights:
    """Weight of every memory slot, the newest heaviest and older ones decaying geometrically.

    Args:
        capacity: number of slots.
        initial: samples stored on the first frame; they share a floor that they never fall below.
        floor: their smallest total weight, 0 for none.
        fill_in_order: while slots are free take the next one (DiMP); otherwise always the lightest (ATOM).
            They differ only in which of several equally light slots is named.

    Source: the published ATOM and DiMP trackers.
    """

    def __init__(self, capacity: int, initial: int, floor: float, *, fill_in_order: bool = True) -> None:
        self.values: NDArray[np.float64] = np.zeros(capacity)
        self.values[:initial] = 1 / initial
        self.count = initial
        self._initial = initial
        self._floor = floor
        self._in_order = fill_in_order
        self._previous: int | None = None

    def next_slot(self, rate: float) -> int:
        """Slot for a new sample of learning rate `rate` in (0, 1]; updates all weights.

        Returns:
            Index of the slot whose sample is replaced.
        """
        slot = self._choose(rate)
        if rate == 1:
            self.values[:] = 0
            self.values[slot] = 1
        elif self._previous is None:
            self.values /= 1 - rate
            self.values[slot] = rate
        else:
            self.values[slot] = self.values[self._previous] / (1 - rate)
        self.values /= self.values.sum()
        self._hold_floor()
        self._previous = slot
        self.count = min(self.count + 1, len(self.values))
        return slot

    def _choose(self, rate: float) -> int:
        if rate == 1:
            return 0
        if self._in_order and self.count < len(self.values):
            return self.count
        first = self._initial if self._floor > 0 else 0
        first = first if first < len(self.values) else 0
        return first + int(np.argmin(self.values[first:]))

    def _hold_floor(self) -> None:
        first = self.values[: self._initial]
        if self._floor > 0 and self._initial < len(self.values) and first.sum() < self._floor:
            self.values /= self._floor + self.values[self._initial :].sum()
            first[:] = self._floor / self._initial


class SampleMemory:
    """Features and boxes of past frames in two fixed buffers; a new sample is written into its slot.

    Args:
        features: first-frame samples ``[N, C, h, w]``; N is at most the memory size, later rows are dropped.
        boxes: their boxes x, y, w, h ``[N, 4]``, crop px.
        params: size and learning rates.
    """

    def __init__(self, features: Array, boxes: Array, params: MemoryParams) -> None:
        size = params.sample_memory_size
        initial = min(size, len(features))
        self.params = params
        self.weights = SampleWeights(size, initial, params.init_samples_minimum_weight)
        self._features = zeros((size, *features.shape[1:]), features)
        self._boxes = zeros((size, 4), boxes)
        self._features[:initial] = features[:initial]
        self._boxes[:initial] = boxes[:initial]

    def remember(self, features: Array, box: NDArray[np.float64], flag: Flag, frame_number: int) -> None:
        """Store a frame's sample if the frame is sure enough and its turn; a hard negative's always is.

        Args:
            features: ``[1, C, h, w]``.
            box: x, y, w, h ``[4]``, crop px.
            flag: what localisation thinks of the frame.
            frame_number: 1 on the first frame.
        """
        hard = flag is Flag.HARD_NEGATIVE
        if flag.may_train and (hard or frame_number % self.params.train_sample_interval == 0):
            self.add(features, box, hard_negative=hard)

    def add(self, features: Array, box: NDArray[np.float64], *, hard_negative: bool = False) -> None:
        """Store one sample.

        Args:
            features: ``[1, C, h, w]``.
            box: x, y, w, h ``[4]``, crop px.
            hard_negative: learn faster, as a distractor is in view.
        """
        rate = self.params.hard_negative_learning_rate if hard_negative else self.params.learning_rate
        slot = self.weights.next_slot(rate)
        self._features[slot] = features[0]
        self._boxes[slot] = like(box, self._boxes)

    @property
    def features(self) -> Array:
        """Stored features ``[n, C, h, w]``, a view."""
        return self._features[: self.weights.count]

    @property
    def boxes(self) -> Array:
        """Stored boxes ``[n, 4]``, crop px, a view."""
        return self._boxes[: self.weights.count]

    @property
    def sample_weights(self) -> Array:
        """Weights ``[n]`` on the features' device."""
        return like(self.weights.values[: self.weights.count], self._features)
