"""What the trackers share: cropper, classifier with memory, localisation and box refiner in conversation."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ebm.exceptions import InputError
from pytracking.features.preprocessing import Pixels, images_to_tensor
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.base import Flag, LazyDensity, Tracked
from pytracking.tracker.common.box_density import BoxDensity
from pytracking.tracker.common.cropper import Cropper, Crops
from pytracking.tracker.common.geometry import ScoreGrid, TargetState, clamp_position
from pytracking.tracker.common.init_samples import first_frame_samples
from pytracking.tracker.common.inputs import check_box, check_image
from pytracking.tracker.common.localize import Localization, localize
from pytracking.tracker.common.memory import SampleMemory
from pytracking.tracker.common.network_info import adopt_geometry
from pytracking.tracker.common.refiner import BoxRefiner

__all__ = ["Classifier", "ClassifierTracker", "MakeClassifier"]


class Classifier(Protocol):
    """Learns on the first frame where in a crop the target is, and goes on learning; what trackers differ in.

    Attributes:
        memory: samples of past frames; None before the first frame or where nothing is learnt after it.
    """

    memory: SampleMemory | None

    def features(self, backbone: dict[str, Tensor]) -> Tensor:
        """What it reads, ``[N, C, h, w]``, of backbone maps."""

    def grid(self, features: Tensor) -> ScoreGrid:
        """How the score maps of features lie over their crops."""

    def learn(self, features: Tensor, boxes: NDArray[np.float64], generator: torch.Generator) -> None:
        """Learn from the first frame.

        Args:
            features: ``[N, C, h, w]``, the unaltered sample first.
            boxes: x, y, w, h ``[N, 4]``, crop px.
            generator: of everything that is drawn.
        """

    def score(self, features: Tensor) -> NDArray[np.float32]:
        """Score maps ``[N, h, w]`` of search features."""

    def update(
        self, features: Tensor, box: NDArray[np.float64], flag: Flag, frame_number: int, score: float
    ) -> None:
        """Learn from a frame, if it is sure enough, and from all that is remembered, when that is due.

        Args:
            features: ``[1, C, h, w]`` of the winning search scale.
            box: the refined target in that crop, x, y, w, h ``[4]``, crop px.
            flag: what localisation thinks of the frame.
            frame_number: 1 on the first frame.
            score: highest score of the frame.
        """


MakeClassifier = Callable[[Any, Any], Classifier]
"""A classifier from a network and the parameters in force."""


class ClassifierTracker:
    """Tracks one target with a classifier that is learnt online and an energy over boxes.

    Args:
        params: the parameter set.
        network: a network in evaluation mode on `device`, a DiMPnet or an ATOMnet as the classifier wants it;
            several trackers may share it.
        device: where the network runs.
        classifier: makes the classifier.
        seed: of everything drawn: equal seeds give equal tracks, whatever was tracked before.
        with_covariance: also give the box covariance, one more call of the box branch per frame.

    Raises:
        InputError: if the covariance is asked for and the box branch gives no log-densities.

    Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", arXiv:1811.07628; Bhat et
        al., "Learning Discriminative Model Prediction for Tracking", arXiv:1904.07220; Gustafsson et al.,
        "How to Train Your Energy-Based Model for Regression", arXiv:2005.01698.
    """

    def __init__(
        self,
        params: TrackingParams,
        network: Any,
        device: torch.device,
        classifier: MakeClassifier,
        *,
        seed: int = 0,
        with_covariance: bool = False,
    ) -> None:
        self.params, self.notes = adopt_geometry(params, getattr(network, "info", None))
        self.network = network
        self.device = device
        self.seed = seed
        self.with_covariance = with_covariance
        self.cropper = Cropper(self.params)
        self.classifier = classifier(network, self.params)
        self.refiner = BoxRefiner(network.bb_regressor, self.params)
        self.frame_number = 0
        self._state: TargetState | None = None
        self._generator = torch.Generator()
        self._density = LazyDensity(None)
        if with_covariance and (refusal := _no_density(self.params)):
            raise InputError(refusal)

    def initialize(self, image: ArrayLike, box: ArrayLike) -> None:
        """Start on `image`, uint8 RGB ``[H, W, 3]`` or grey ``[H, W]``, at `box` x, y, w, h, px.

        Raises:
            InputError: if the image is no uint8 picture.
            DomainError: if the box is not finite, has no area or lies outside the image.
        """
        frame = check_image(image)
        params = self.params
        state = TargetState.from_box(check_box(box, frame), params.crop_size, params.search_area_scale)
        self._generator.manual_seed(self.seed)
        self._density.release()
        self.frame_number = 1
        augmentation = params.augmentation if params.use_augmentation else None
        first = first_frame_samples(frame, state, params, augmentation, self._generator)
        with torch.inference_mode(False), torch.no_grad():
            backbone = self._backbone(first.images)
            features = self.classifier.features(backbone)
            self.cropper.set_grid(self.classifier.grid(features))
            self.classifier.learn(features, first.boxes, self._generator)
            if params.use_iou_net:
                maps = self.network.get_backbone_bbreg_feat(backbone)
                self.refiner.set_reference(maps, first.boxes, first.plain, state)
        self._state = state

    def track(self, image: ArrayLike) -> Tracked:
        """Find the target in the next frame.

        Raises:
            InputError: if the image is no uint8 picture or the tracker was not initialised.
        """
        if self._state is None:
            raise InputError(
                "The tracker has no target yet; call initialize(image, box) before track(image)."
            )
        crops = self.cropper.around(self._state, check_image(image))
        self.frame_number += 1
        covariance = None
        # Refinement differentiates, which tensors made in a caller's inference mode would forbid.
        with torch.inference_mode(False), torch.no_grad():
            backbone = self._backbone(crops.images)
            features = self.classifier.features(backbone)
            scores = self.classifier.score(features)
            grid = self.classifier.grid(features)
            found = localize(scores, crops.views, self._state, grid, self.params)
            if found.flag is not Flag.NOT_FOUND:
                self._state, covariance = self._settle(backbone, crops, found, self._state)
            chosen = found.scale_index
            box = crops.views[chosen].box_of(self._state)
            sample = features[chosen : chosen + 1]
            self.classifier.update(sample, box, found.flag, self.frame_number, found.score)
            self._density.release()
            self._density = self._lazy_density(backbone, crops, found, self._state)
            if found.flag is not Flag.NOT_FOUND:
                self._state = self.refiner.at_end_of_frame(self._state)
        score = min(max(0.0, found.score), 1.0)  # in this order a NaN becomes 0
        return Tracked(
            box=self._state.box,
            score=score,
            flag=found.flag,
            covariance=covariance,
            lazy_density=self._density,
        )

    def _settle(
        self, backbone: dict[str, Tensor], crops: Crops, found: Localization, state: TargetState
    ) -> tuple[TargetState, NDArray | None]:
        """Move the target to where it was found, refine its box, and estimate the covariance if wanted."""
        position = clamp_position(found.position, state.size, crops.frame, self.params.target_inside_ratio)
        state = state.moved(position)
        if not self.params.use_iou_net:
            return self._rescale(state, found, crops.frame), None
        view = crops.views[found.scale_index]
        maps = self._box_maps(backbone, found)
        state = self.refiner.refine(maps, view, state, found.flag, crops.frame, self._generator)
        return state, self.refiner.covariance(view, state) if self.with_covariance else None

    def _box_maps(self, backbone: dict[str, Tensor], found: Localization) -> list[Tensor]:
        """What the box branch reads, of the winning search scale."""
        index = found.scale_index
        return [m[index : index + 1] for m in self.network.get_backbone_bbreg_feat(backbone)]

    def _lazy_density(
        self, backbone: dict[str, Tensor], crops: Crops, found: Localization, state: TargetState
    ) -> LazyDensity:
        """The frame's density for whoever asks, or why there is none."""
        refusal = _no_density(self.params)
        if refusal:
            return LazyDensity(None, refusal)
        maps, view = self._box_maps(backbone, found), crops.views[found.scale_index]
        # A generator of the frame's own: what was read before makes no difference.
        seed = (self.seed ^ (self.frame_number * 0x9E3779B97F4A7C15)) & (2**63 - 1)

        def make() -> BoxDensity:
            generator = torch.Generator().manual_seed(seed)
            with torch.inference_mode(False), torch.no_grad():
                return self.refiner.density(maps, view, state, found.presence, generator)

        return LazyDensity(make)

    def _rescale(self, state: TargetState, found: Localization, frame: tuple[int, int]) -> TargetState:
        """Without a box branch the size follows the search scale, between 10 px and the frame."""
        lowest = float((10 / state.base_size).max())
        highest = float((frame / state.base_size).min())
        scale = min(max(state.scale * self.params.scale_factors[found.scale_index], lowest), highest)
        return state.resized(state.base_size * scale)

    def _backbone(self, images: list[Pixels]) -> dict[str, Tensor]:
        """Backbone maps of crops, by layer name."""
        return self.network.extract_backbone_features(images_to_tensor(images, self.device))


def _no_density(params: TrackingParams) -> str:
    """Why boxes have no density with these parameters; empty if they have one."""
    if not params.use_iou_net:
        return "This parameter set does without the box branch (use_iou_net=False): boxes have no density."
    if params.box_scores != "density":
        return (
            "The box branch of this network was trained to give overlaps (box_scores='overlap'), which are "
            "no log-densities: its boxes have no density. Networks that are trained by kld_is, nce, nce_plus "
            "or ml_is have one, e.g. dimp nce_plus."
        )
    return ""
