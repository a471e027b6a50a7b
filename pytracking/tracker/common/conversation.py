"""What the trackers share: cropper, classifier with memory, localisation and box refiner in conversation."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.input_statistics import input_statistics
from pytracking.features.preprocessing import Image, Pixels, images_to_tensor
from pytracking.libs.arrays import Array, joined, without_gradients
from pytracking.libs.draws import Generator, generator_for
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.base import Flag, LazyDensity, Tracked
from pytracking.tracker.common.cropper import Cropper, Crops
from pytracking.tracker.common.geometry import TargetState, clamp_position
from pytracking.tracker.common.glimpse import Glimpse, Search
from pytracking.tracker.common.init_samples import first_frame_samples
from pytracking.tracker.common.judge import confidence, judged
from pytracking.tracker.common.localize import localize
from pytracking.tracker.common.network_info import adopt_geometry
from pytracking.tracker.common.online_classifier import MakeClassifier
from pytracking.tracker.common.refiner import BoxRefiner, RefineJob, refine_together, why_no_density
from pytracking.tracker.common.second_look import best_place, places_around
from pytracking.tracker.common.several import SeveralTargets

if TYPE_CHECKING:
    import torch

__all__ = ["ClassifierTracker"]


class ClassifierTracker(SeveralTargets):
    """Tracks with a classifier that is learnt online and an energy over boxes, one target or several.

    Args:
        params: the parameter set.
        network: a network in evaluation mode on `device`, a DiMPnet or an ATOMnet as the classifier wants it,
            or an exported one; several trackers may share it.
        device: where the network runs; None for an exported one, which takes and gives numpy's arrays.
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
        device: "torch.device | None",
        classifier: MakeClassifier,
        *,
        seed: int = 0,
        with_covariance: bool = False,
    ) -> None:
        super().__init__()
        self.params, self.notes = adopt_geometry(params, getattr(network, "info", None))
        self.network = network
        self.device = device
        self._statistics = input_statistics(network)
        self.seed = seed
        self.with_covariance = with_covariance
        self.cropper = Cropper(self.params)
        self._make_classifier = classifier
        self.classifier = classifier(network, self.params)
        self.refiner = BoxRefiner(network.bb_regressor, self.params)
        self.frame_number = 0
        self._state: TargetState | None = None
        self._in_vain = 0  # second looks, one after another, that found nothing
        self._generator: Generator = generator_for(device)
        self._density = LazyDensity(None)
        self._no_density = why_no_density(self.params) or getattr(network, "no_density", "")
        if with_covariance and self._no_density:
            raise InputError(self._no_density)

    def twin(self, seed: int | None = None) -> Self:
        """A tracker with the same network and parameters that has no target yet; `seed` in place of its."""
        made = type(self)(
            self.params,
            self.network,
            self.device,
            self._make_classifier,
            seed=self.seed if seed is None else seed,
            with_covariance=self.with_covariance,
        )
        made.watched = self.watched
        return made

    def begin(self, frame: Image, box: NDArray[np.float64]) -> None:
        """Learn the target from a frame, ``[H, W, 3]``, and its box x, y, w, h ``[4]``, px."""
        params = self.params
        state = TargetState.from_box(box, params.crop_size, params.search_area_scale)
        self._generator.manual_seed(self.seed)
        self._density.release()
        self.frame_number, self._in_vain = 1, 0
        augmentation = params.augmentation if params.use_augmentation else None
        first = first_frame_samples(frame, state, params, augmentation, self._generator)
        with without_gradients():
            backbone = self._backbone(first.images)
            features = self.classifier.features(backbone)
            self.cropper.set_grid(self.classifier.grid(features))
            self.classifier.learn(features, first.boxes, self._generator)
            if params.use_iou_net:
                maps = self.network.get_backbone_bbreg_feat(backbone)
                self.refiner.set_reference(maps, first.boxes, first.plain, state)
        self._state = state

    def move(self, box: NDArray[np.float64]) -> None:
        """Search around another box, x, y, w, h ``[4]``, px, from the next frame on."""
        there = TargetState.from_box(box, self.params.crop_size, self.params.search_area_scale)
        self._state = self.state.moved(there.position).resized(there.size)
        self.refiner.forget_position()
        self.release()

    def release(self) -> None:
        """The last frame's density, unless it was read, can be read no longer; its features are freed."""
        self._density.release()

    @property
    def state(self) -> TargetState:
        """Where the target is thought to be."""
        if self._state is None:
            raise RuntimeError("there is no target before begin()")
        return self._state

    def advance(self, targets: Sequence[Self], frames: Sequence[Image]) -> list[Tracked]:
        """The next frame of every target: the crops of all are one batch, and so are their boxes."""
        crops = [target.cropper.around(target.state, frame) for target, frame in zip(targets, frames)]
        for target in targets:
            target.frame_number += 1
            target.refiner.watch(target.watched)
        # Refinement differentiates, which tensors made in a caller's inference mode would forbid.
        with without_gradients():
            backbone = self._backbone([image for each in crops for image in each.images])
            features = self.classifier.features(backbone)
            maps = self.network.get_backbone_bbreg_feat(backbone) if self.params.use_iou_net else []
            count = len(self.params.scale_factors)
            searches = [
                target._find(each, features, maps, slice(i * count, (i + 1) * count))
                for i, (target, each) in enumerate(zip(targets, crops))
            ]
            self._refine(targets, searches)
            searches = [t._look_around(frame, s) for t, frame, s in zip(targets, frames, searches)]
            return [target._conclude(search) for target, search in zip(targets, searches)]

    def _look_around(self, frame: Image, first: Search) -> Search:
        """Where the target is not believed, look around where it was: the surer find counts."""
        sure = self._confidence(first)
        if sure is None or sure >= self.params.second_look_below:
            self._in_vain = 0
            return first
        place = self._place_around(frame, first)
        second = first if place is None else self._look_at(place, frame, first, sure)
        believed = (self._confidence(second) or 0.0) >= self.params.lost_confidence
        self._in_vain = 0 if believed else self._in_vain + 1
        return second

    def _look_at(self, place: NDArray[np.float64], frame: Image, first: Search, sure: float) -> Search:
        """Search around a place, (y, x), px; the first search again where that is no surer."""
        state, refiner = self.state, self.refiner
        self._state, self.refiner = first.before.moved(place), copy.copy(refiner)
        crops = self.cropper.around(self.state, frame)
        backbone = self._backbone(crops.images)
        maps = self.network.get_backbone_bbreg_feat(backbone)
        features = self.classifier.features(backbone)
        second = self._find(crops, features, maps, slice(0, len(crops.images)))
        self._refine([self], [second])
        if (self._confidence(second) or 0.0) > sure:
            return replace(second, before=first.before)
        self._state, self.refiner = state, refiner
        return first

    def _place_around(self, frame: Image, first: Search) -> NDArray[np.float64] | None:
        """Where the classifier scores highest in the crops around the one it has seen."""
        places = places_around(first.before, first.frame, self.params, self._in_vain)
        crops = [self.cropper.around(place, frame) for place in places]
        if not crops:
            return None
        images = [image for each in crops for image in each.images]
        features = self.classifier.features(self._backbone(images))
        views = [view for each in crops for view in each.views]
        return best_place(self.classifier.score(features), views, self.classifier.grid(features))

    def _confidence(self, search: Search) -> float | None:
        """Of the box found; None without a calibrated one."""
        if not self.params.use_iou_net:
            return None
        refined = search.found.flag is not Flag.NOT_FOUND
        return confidence(search.found.presence, self.refiner.energy if refined else -math.inf, self.params)

    def _find(self, crops: Crops, features: Array, maps: list[Array], part: slice) -> Search:
        """Where the classifier sees the target, in its part of the batch."""
        own, before = features[part], self.state
        scores, grid = self.classifier.score(own), self.classifier.grid(own)
        found = localize(scores, crops.views, self.state, grid, self.params)
        if found.flag is not Flag.NOT_FOUND:
            ratio = self.params.target_inside_ratio
            self._state = self.state.moved(
                clamp_position(found.position, self.state.size, crops.frame, ratio)
            )
            if not self.params.use_iou_net:
                factor = self.params.scale_factors[found.scale_index]
                self._state = self.state.searched_at(factor, crops.frame)
        chosen = found.scale_index
        row = slice(part.start + chosen, part.start + chosen + 1)
        return Search(
            found=found,
            before=before,
            view=crops.views[chosen],
            frame=crops.frame,
            features=features[row],
            maps=[level[row] for level in maps],
            crop=crops.images[chosen],
            scores=scores[chosen],
            grid=grid,
        )

    def _refine(self, targets: Sequence[Self], searches: list[Search]) -> None:
        """Refine the boxes of all targets that were found, together."""
        if not self.params.use_iou_net:
            return
        found = [(t, s) for t, s in zip(targets, searches) if s.found.flag is not Flag.NOT_FOUND]
        if not found:
            return
        jobs = [
            RefineJob(t.refiner, s.view, t.state, s.found.flag, s.frame, t._generator, s.found.presence)
            for t, s in found
        ]
        maps = [joined(level) for level in zip(*(search.maps for _, search in found))]
        for (target, _), state in zip(found, refine_together(jobs, maps)):
            target._state = state

    def _conclude(self, search: "Search") -> Tracked:
        """Learn from the frame, and answer."""
        found = search.found
        refined = found.flag is not Flag.NOT_FOUND
        energy = self.refiner.energy if refined and self.params.use_iou_net else -math.inf
        sure = self._confidence(search)
        flag = judged(found.flag, sure, self.params)
        believed = flag if self.params.confidence_acts else found.flag
        seen = believed is not Flag.NOT_FOUND
        if refined and not seen:  # found, and not believed
            self._state = search.before
        state = self.state
        wanted = self.with_covariance and seen and self.params.use_iou_net
        covariance = self.refiner.covariance(search.view, state) if wanted else None
        box = search.view.box_of(state)
        self.classifier.update(search.features, box, believed, self.frame_number, found.score)
        self.glimpse = self._glimpse(search, believed)
        self._density.release()
        self._density = self._lazy_density(search, state)
        if seen:
            self._state = self.refiner.at_end_of_frame(state)
        score = min(max(0.0, found.score), 1.0)  # in this order a NaN becomes 0
        return Tracked(
            box=self.state.box,
            score=score,
            flag=flag,
            confidence=sure,
            energy=energy,
            covariance=covariance,
            lazy_density=self._density,
        )

    def _glimpse(self, search: "Search", flag: Flag) -> Glimpse | None:
        """What the frame has shown, while somebody watches."""
        return search.glimpse(self.refiner.path, self.classifier.memory, flag) if self.watched else None

    def _lazy_density(self, search: "Search", state: TargetState) -> LazyDensity:
        """The frame's density for whoever asks, or why there is none."""
        if self._no_density:
            return LazyDensity(None, self._no_density)
        # A generator of the frame's own: what was read before makes no difference.
        seed = (self.seed ^ (self.frame_number * 0x9E3779B97F4A7C15)) & (2**63 - 1)
        return self.refiner.lazy_density(search.maps, search.view, state, search.found.presence, seed)

    def _backbone(self, images: list[Pixels]) -> dict[str, Array]:
        """Backbone maps of crops, by layer name."""
        if self.device is None:
            return self.network.extract_backbone_features(np.stack(images))
        mean, std = self._statistics
        return self.network.extract_backbone_features(
            images_to_tensor(images, self.device, mean=mean, std=std)
        )
