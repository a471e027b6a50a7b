"""ATOM's target classifier: projection and filter learnt on the first frame, the filter while tracking."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ltr.models.layers.precision import at_least_float32
from pytracking.libs.conjugate_gradient import gauss_newton
from pytracking.libs.dcf import fourier_upsampling
from pytracking.parameter.atom_params import ATOMParams
from pytracking.tracker.atom.objective import FilterFit, FilterProblem, JointProblem, correlate
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import ScoreGrid
from pytracking.tracker.common.init_samples import with_dropout
from pytracking.tracker.common.memory import SampleMemory

__all__ = ["ATOMClassifier", "gaussian_labels", "label_sigma"]


class ATOMClassifier:
    """A correlation filter over compressed backbone features, fitted by conjugate gradients.

    Args:
        network: an ATOMnet; the coarser of the two layers that its box branch reads is the classifier's.
        params: learning schedule and memory.

    Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", arXiv:1811.07628.
    """

    def __init__(self, network: Any, params: ATOMParams) -> None:
        self.params = params
        self.memory: SampleMemory | None = None
        self._layer: str = network.bb_regressor_layer[-1]
        self._filter = self._projection = torch.empty(0)
        self._sigma = 0.0

    def features(self, backbone: dict[str, Tensor]) -> Tensor:
        """Backbone features ``[N, C, h, w]`` of root mean square 1 in every sample."""
        maps = at_least_float32(backbone[self._layer])
        return maps * (maps.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-10).rsqrt()

    def grid(self, features: Tensor) -> ScoreGrid:
        """How the score maps of features lie over their crops: one cell is one crop px."""
        height, width = self.params.crop_size
        return ScoreGrid(center=(height // 2, width // 2), cells=(height, width))

    def learn(self, features: Tensor, boxes: NDArray[np.float64], generator: torch.Generator) -> None:
        """Learn projection and filter from the first frame; dropout and the starting point are drawn."""
        params = self.params
        known = torch.from_numpy(boxes).to(features)
        if params.use_augmentation:
            features, known = with_dropout(features, known, params.augmentation, generator)
        self._sigma = label_sigma(boxes[0], params, (features.shape[-2], features.shape[-1]))
        weights = features.new_full((len(features),), 1 / len(features))
        problem = JointProblem(
            fit=self._fit(features, known, weights),
            channels=params.compressed_dim,
            filter_reg=params.filter_reg,
            projection_reg=params.projection_reg,
        )
        start = self._start(features.shape[1], generator).to(features)
        taps, projection = problem.split(gauss_newton(problem, start, _shares(params)))
        self._filter, self._projection = taps.reshape(-1, *params.filter_size), projection[:, :, None, None]
        projected = self._project(features)
        self.memory = SampleMemory(projected, known, params) if params.update_classifier else None

    def score(self, features: Tensor) -> NDArray[np.float32]:
        """Score maps ``[N, H, W]`` of search features, one value per crop px."""
        maps = correlate(self._project(features), self._filter)
        rows, columns = (
            torch.from_numpy(fourier_upsampling(n, up, odd=size % 2 == 1)).to(maps)
            for n, up, size in zip(maps.shape[-2:], self.params.crop_size, self.params.filter_size)
        )
        return (rows @ maps @ columns.T).cpu().numpy()

    def update(
        self, features: Tensor, box: NDArray[np.float64], flag: Flag, frame_number: int, score: float
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
        solved = gauss_newton(problem, self._filter.flatten(), [steps], polak_ribiere=True)
        self._filter = solved.reshape(self._filter.shape)

    def _project(self, features: Tensor) -> Tensor:
        """``[N, D, h, w]`` of features ``[N, C, h, w]``."""
        return torch.nn.functional.conv2d(features, self._projection).contiguous()

    def _fit(self, samples: Tensor, boxes: Tensor, weights: Tensor) -> FilterFit:
        size = (samples.shape[-2], samples.shape[-1])
        labels = gaussian_labels(boxes, self.params, size, self._sigma)
        floor, filter_size = self.params.response_floor, self.params.filter_size
        return FilterFit(samples=samples, labels=labels, weights=weights, floor=floor, size=filter_size)

    def _start(self, channels: int, generator: torch.Generator) -> Tensor:
        """Small random filter and projection, one behind the other."""
        dim, (height, width) = self.params.compressed_dim, self.params.filter_size
        taps = torch.randn(dim * height * width, generator=generator) / (dim * height * width)
        projection = torch.randn(dim * channels, generator=generator) / channels**0.5
        return torch.cat((taps, projection))


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


def gaussian_labels(boxes: Tensor, params: ATOMParams, size: tuple[int, int], sigma: float) -> Tensor:
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
        places = torch.arange(cells, device=boxes.device, dtype=boxes.dtype)
        lines.append((-((places - middle[:, None]) ** 2) / (2 * sigma**2)).exp())
    return lines[0][:, :, None] * lines[1][:, None, :]
