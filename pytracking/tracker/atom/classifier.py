"""ATOM's target classifier: projection and filter learnt on the first frame, the filter while tracking."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytracking.libs.arrays import Array, as_numpy, as_they_lie, exponential, like, zeros
from pytracking.libs.conjugate_gradient import gauss_newton
from pytracking.libs.dcf import fourier_upsampling
from pytracking.libs.draws import Generator, normal
from pytracking.parameter.atom_params import ATOMParams
from pytracking.tracker.atom.objective import FilterFit, FilterProblem, JointProblem, correlate, projected
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import ScoreGrid
from pytracking.tracker.common.init_samples import with_dropout
from pytracking.tracker.common.memory import SampleMemory

__all__ = ["ATOMClassifier", "first_weights", "gaussian_labels", "label_sigma"]


class ATOMClassifier:
    """A correlation filter over compressed backbone features, fitted by conjugate gradients.

    Args:
        network: an ATOMnet; the coarser of the two layers that its box branch reads is the classifier's,
            unless the parameters name strides. Or an exported one, which gives the features itself.
        params: learning schedule and memory.

    Raises:
        DomainError: if the network's backbone has no layer of one of the strides.

    Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", arXiv:1811.07628.
    """

    def __init__(self, network: Any, params: ATOMParams) -> None:
        self.params = params
        self.memory: SampleMemory | None = None
        self._read: Callable[[dict[str, Array]], Array]
        if hasattr(network, "extract_classification_feat"):
            self._read = network.extract_classification_feat
        else:
            from pytracking.tracker.atom.features import ATOMFeatures

            self._read = ATOMFeatures(network, params)
        self._filter: Array = np.empty(0)
        self._projection: Array | None = None
        self._sigma = 0.0

    def features(self, backbone: dict[str, Array]) -> Array:
        """What it reads of backbone maps, ``[N, C, h, w]``, see `ATOMFeatures`."""
        return self._read(backbone)

    def grid(self, features: Array) -> ScoreGrid:
        """How the score maps of features lie over their crops: one cell is one crop px."""
        height, width = self.params.crop_size
        return ScoreGrid(center=(height // 2, width // 2), cells=(height, width))

    def learn(self, features: Array, boxes: NDArray[np.float64], generator: Generator) -> None:
        """Learn projection and filter from the first frame; dropout and the starting point are drawn."""
        params = self.params
        known = like(boxes, features)
        if params.use_augmentation:
            features, known = with_dropout(features, known, params.augmentation, generator)
        self._sigma = label_sigma(boxes[0], params, (features.shape[-2], features.shape[-1]))
        weights = like(np.full(len(features), 1 / len(features)), features)
        self._learn_from(self._fit(features, known, weights), generator)
        projected = self._project(features)
        self.memory = SampleMemory(projected, known, params) if params.update_classifier else None

    def _learn_from(self, fit: FilterFit, generator: Generator) -> None:
        """Fit the filter, and the projection if there is one."""
        params, channels = self.params, fit.samples.shape[1]
        if params.compressed_dim is None:
            alone = FilterProblem(fit=fit, reg=params.filter_reg)
            zero = zeros((channels * params.filter_size[0] * params.filter_size[1],), fit.samples)
            self._filter = gauss_newton(alone, zero, _shares(params)).reshape(channels, *params.filter_size)
            self._projection = None
            return
        problem = JointProblem(
            fit=fit,
            channels=params.compressed_dim,
            filter_reg=params.filter_reg,
            projection_reg=params.projection_reg,
        )
        drawn = first_weights(params.compressed_dim, channels, params.filter_size, generator)
        start = like(drawn, fit.samples)
        taps, projection = problem.split(gauss_newton(problem, start, _shares(params)))
        self._filter, self._projection = taps.reshape(-1, *params.filter_size), projection

    def score(self, features: Array) -> NDArray[np.float32]:
        """Score maps ``[N, H, W]`` of search features, one value per crop px."""
        maps = correlate(self._project(features), self._filter)
        rows, columns = (
            like(fourier_upsampling(n, up, odd=size % 2 == 1), maps)
            for n, up, size in zip(maps.shape[-2:], self.params.crop_size, self.params.filter_size)
        )
        return as_numpy(rows @ maps @ columns.T)

    def update(
        self, features: Array, box: NDArray[np.float64], flag: Flag, frame_number: int, score: float
    ) -> None:
        """Remember a frame that is sure enough and, when it is due, refit the filter to all of them."""
        memory, params = self.memory, self.params
        if memory is None:
            return
        memory.remember(self._project(features), box, flag, frame_number)
        steps = params.cg_iter if (frame_number - 1) % params.train_skipping == 0 else 0
        if flag is Flag.HARD_NEGATIVE:
            steps = params.hard_negative_cg_iter
        if steps == 0:
            return
        fit = self._fit(memory.features, memory.boxes, memory.sample_weights)
        problem = FilterProblem(fit=fit, reg=params.filter_reg)
        solved = gauss_newton(problem, self._filter.reshape(-1), [steps], polak_ribiere=True)
        self._filter = solved.reshape(self._filter.shape)

    def _project(self, features: Array) -> Array:
        """``[N, D, h, w]`` of features ``[N, C, h, w]``."""
        if self._projection is None:
            return as_they_lie(features)
        return projected(features, self._projection)

    def _fit(self, samples: Array, boxes: Array, weights: Array) -> FilterFit:
        size = (samples.shape[-2], samples.shape[-1])
        labels = gaussian_labels(boxes, self.params, size, self._sigma)
        floor, filter_size = self.params.response_floor, self.params.filter_size
        return FilterFit(samples=samples, labels=labels, weights=weights, floor=floor, size=filter_size)


def first_weights(
    dim: int, channels: int, size: tuple[int, int], generator: Generator
) -> NDArray[np.float32]:
    """Small random filter of `dim` channels and projection, one behind the other."""
    count = dim * size[0] * size[1]
    taps = normal(generator, count) / count
    projection = normal(generator, dim * channels) / channels**0.5
    return np.concatenate((taps, projection)).astype(np.float32)


def _shares(params: ATOMParams) -> Sequence[int]:
    """Conjugate-gradient steps of each Gauss-Newton step on the first frame."""
    return [params.init_cg_iter // params.init_gn_iter] * params.init_gn_iter


def label_sigma(box: NDArray[np.float64], params: ATOMParams, size: tuple[int, int]) -> float:
    """Standard deviation of the labels, cells.

    Args:
        box: the target on the first frame, x, y, w, h ``[4]``, crop px.
        params: crop size and the factor.
        size: (h, w) of the features, cells.
    """
    cells = box[2:] * size[::-1] / np.asarray(params.crop_size[::-1])
    return params.output_sigma_factor * float(np.sqrt(cells.prod()))


def gaussian_labels(boxes: Array, params: ATOMParams, size: tuple[int, int], sigma: float) -> Array:
    """What a filter should answer: Gaussians ``[N, h, w]`` of peak 1 over the boxes' centres.

    Args:
        boxes: x, y, w, h ``[N, 4]``, crop px.
        params: crop size and filter size. Row r of an even filter's answer lies at row ``r - 1/2``.
        size: (h, w) of the features, cells.
        sigma: standard deviation, cells.
    """
    lines = []
    for axis, (start, extent) in enumerate(((1, 3), (0, 2))):
        cells, crop = size[axis], params.crop_size[axis]
        middle = boxes[:, start] + (boxes[:, extent] - 1) / 2 - (crop - 1) / 2
        middle = middle * cells / crop + 0.5 * ((params.filter_size[axis] + 1) % 2) + (cells - 1) / 2
        places = like(np.arange(cells, dtype=np.float64), boxes)
        lines.append(exponential(-((places - middle[:, None]) ** 2) / (2 * sigma**2)))
    return lines[0][:, :, None] * lines[1][:, None, :]
