"""DiMP's target classifier: a filter learnt on the first frame and refined while tracking."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytracking.libs.arrays import Array, as_numpy, like
from pytracking.libs.draws import Generator
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import ScoreGrid
from pytracking.tracker.common.init_samples import with_dropout
from pytracking.tracker.common.memory import SampleMemory

__all__ = ["DiMPClassifier"]


class DiMPClassifier:
    """A correlation filter over deep features, trained by the network's own unrolled optimiser.

    Args:
        network: a DiMPnet, or an exported one; its ``classifier`` and its classification features are used.
        params: learning schedule and memory.
    """

    def __init__(self, network: Any, params: DiMPParams) -> None:
        self.params = params
        self.memory: SampleMemory | None = None
        self._network = network
        self._filter: Array | None = None

    @property
    def kernel_size(self) -> tuple[int, int]:
        """(h, w) of the filter, cells."""
        size = self._network.classifier.filter_size
        return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))

    def features(self, backbone: dict[str, Array]) -> Array:
        """Classification features ``[N, C, h, w]`` of backbone maps."""
        return self._network.extract_classification_feat(backbone)

    def grid(self, features: Array) -> ScoreGrid:
        """How the score maps of features lie over their crops."""
        return ScoreGrid.of_filter((features.shape[-2], features.shape[-1]), self.kernel_size)

    def learn(self, features: Array, boxes: NDArray[np.float64], generator: Generator) -> None:
        """Learn the filter from the first frame; the channel dropout is drawn."""
        known = like(boxes, features)
        if self.params.use_augmentation:
            features, known = with_dropout(features, known, self.params.augmentation, generator)
        self._filter = self._network.classifier.get_filter(
            features, known, num_iter=self.params.net_opt_iter, **self.optimiser_options(features, known)
        )[0]
        self.memory = SampleMemory(features, known, self.params) if self.params.update_classifier else None

    def score(self, features: Array) -> NDArray[np.float32]:
        """Score maps ``[N, h, w]`` of search features, after the parameter set's preprocessing."""
        maps = as_numpy(self._network.classifier.classify(self._filter, features))
        maps = maps.reshape(-1, *maps.shape[-2:])
        if self.params.score_preprocess == "exp":
            return np.exp(maps)
        return self._softmax(maps) if self.params.score_preprocess == "softmax" else maps

    def _softmax(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability over the cells; a network with ``softmax_reg`` has one more outcome, "nowhere"."""
        nowhere = getattr(self._network.classifier.filter_optimizer, "softmax_reg", None)
        top = maps.max(axis=(1, 2), keepdims=True)
        top = top if nowhere is None else np.maximum(top, np.float32(nowhere))
        shares = np.exp(maps - top)
        total = shares.sum(axis=(1, 2), keepdims=True)
        return shares / (total if nowhere is None else total + np.exp(np.float32(nowhere) - top))

    def update(
        self, features: Array, box: NDArray[np.float64], flag: Flag, frame_number: int, score: float
    ) -> None:
        """Remember a frame that is sure enough and, when it is due, refine the filter on all of them."""
        memory = self.memory
        if memory is None or not flag.may_train:
            return
        memory.remember(features, box, flag, frame_number)
        iterations = self._iterations(flag is Flag.HARD_NEGATIVE, frame_number, score)
        if iterations == 0:
            return
        self._filter = self._network.classifier.filter_optimizer(
            self._filter,
            num_iter=iterations,
            feat=memory.features,
            bb=memory.boxes,
            sample_weight=memory.sample_weights,
            **self.optimiser_options(memory.features, memory.boxes),
        )[0]

    def optimiser_options(self, features: Array, boxes: Array) -> dict[str, Any]:
        """What the optimiser is told beside features ``[N, C, h, w]`` and boxes ``[N, 4]``.

        Most networks have learned what a box's label is; the simple ones are given label maps.
        """
        if not hasattr(self._network.classifier.filter_optimizer, "residual_module"):
            return {"compute_losses": False}
        from ltr.models.target_classifier.labels import gaussian_label_function

        height, width = self.kernel_size
        crop = self.params.crop_size
        label = gaussian_label_function(
            boxes,
            self.params.label_width / self.params.search_area_scale,
            (width, height),
            (features.shape[-1], features.shape[-2]),
            (crop[1], crop[0]),
        )
        return {"train_label": label}

    def _iterations(self, hard: bool, frame_number: int, score: float) -> int:
        """Optimiser steps this frame asks for."""
        params = self.params
        if hard:
            return params.net_opt_hn_iter
        if params.low_score_opt_threshold is not None and score < params.low_score_opt_threshold:
            return params.net_opt_low_iter
        return params.net_opt_update_iter if (frame_number - 1) % params.train_skipping == 0 else 0
