"""DiMP's target classifier: a filter learnt on the first frame and refined while tracking."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ltr.models.target_classifier.labels import gaussian_label_function
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import ScoreGrid
from pytracking.tracker.common.init_samples import with_dropout
from pytracking.tracker.common.memory import SampleMemory

__all__ = ["DiMPClassifier"]


class DiMPClassifier:
    """A correlation filter over deep features, trained by the network's own unrolled optimiser.

    Args:
        network: a DiMPnet; its ``classifier`` and its classification features are used.
        params: learning schedule and memory.
    """

    def __init__(self, network: Any, params: DiMPParams) -> None:
        self.params = params
        self.memory: SampleMemory | None = None
        self._network = network
        self._filter: Tensor | None = None

    @property
    def kernel_size(self) -> tuple[int, int]:
        """(h, w) of the filter, cells."""
        size = self._network.classifier.filter_size
        return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))

    def features(self, backbone: dict[str, Tensor]) -> Tensor:
        """Classification features ``[N, C, h, w]`` of backbone maps."""
        return self._network.extract_classification_feat(backbone)

    def grid(self, features: Tensor) -> ScoreGrid:
        """How the score maps of features lie over their crops."""
        return ScoreGrid.of_filter((features.shape[-2], features.shape[-1]), self.kernel_size)

    def learn(self, features: Tensor, boxes: NDArray[np.float64], generator: torch.Generator) -> None:
        """Learn the filter from the first frame; the channel dropout is drawn."""
        known = torch.from_numpy(boxes).to(features)
        if self.params.use_augmentation:
            features, known = with_dropout(features, known, self.params.augmentation, generator)
        self._filter = self._network.classifier.get_filter(
            features, known, num_iter=self.params.net_opt_iter, **self.optimiser_options(features, known)
        )[0]
        self.memory = SampleMemory(features, known, self.params) if self.params.update_classifier else None

    def score(self, features: Tensor) -> NDArray[np.float32]:
        """Score maps ``[N, h, w]`` of search features, after the parameter set's preprocessing."""
        maps = self._network.classifier.classify(self._filter, features)
        maps = maps.reshape(-1, *maps.shape[-2:]).float()
        if self.params.score_preprocess == "exp":
            maps = maps.exp()
        elif self.params.score_preprocess == "softmax":
            maps = self._softmax(maps)
        return maps.cpu().numpy()

    def _softmax(self, maps: Tensor) -> Tensor:
        """Probability over the cells; a network with ``softmax_reg`` has one more outcome, "nowhere"."""
        flat = maps.flatten(1)
        nowhere = getattr(self._network.classifier.filter_optimizer, "softmax_reg", None)
        if nowhere is not None:
            flat = torch.cat((flat, flat.new_full((len(flat), 1), float(nowhere))), dim=1)
        return flat.softmax(dim=1)[:, : maps[0].numel()].reshape(maps.shape)

    def update(
        self, features: Tensor, box: NDArray[np.float64], flag: Flag, frame_number: int, score: float
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

    def optimiser_options(self, features: Tensor, boxes: Tensor) -> dict[str, Any]:
        """What the optimiser is told beside features ``[N, C, h, w]`` and boxes ``[N, 4]``.

        Most networks have learned what a box's label is; the simple ones are given label maps.
        """
        if not hasattr(self._network.classifier.filter_optimizer, "residual_module"):
            return {"compute_losses": False}
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
