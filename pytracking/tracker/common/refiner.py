"""Box refinement: gradient ascent on the energy of boxes, and the densities that the energy implies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.boxes import rect_to_rel
from ebm.predict import ScoreFunction, refine_boxes
from pytracking.libs.box_energy import BoxEnergy, ImageEnergy, fold_head, is_foldable
from pytracking.parameter.base import RefineParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.box_density import BoxDensity
from pytracking.tracker.common.box_gaussian import gaussian_shape, laplace_covariance
from pytracking.tracker.common.geometry import CropView, TargetState
from pytracking.tracker.common.relative_energy import RelativeEnergy

__all__ = ["BoxRefiner", "RefineJob", "jittered_boxes", "mean_of_best", "refine_together"]

Array = NDArray[np.float64]


class BoxRefiner:
    """Refines the classifier's box with the network's box branch.

    Args:
        regressor: the network's ``bb_regressor``.
        params: starts, steps and limits.
    """

    def __init__(self, regressor: Any, params: RefineParams) -> None:
        self.params = params
        self.regressor = regressor
        self.modulation: tuple[Tensor, ...] = ()
        self.head: BoxEnergy | None = None
        self._maps: list[Tensor] | None = None
        self._smallest = np.zeros(2)
        self._last_position: Array | None = None

    def set_reference(self, features: list[Tensor], boxes: Array, plain: int, state: TargetState) -> None:
        """Remember how the target looks.

        Args:
            features: box-branch backbone maps of the first-frame crops, ``[N, C, h, w]`` each.
            boxes: the target in those crops, x, y, w, h ``[N, 4]``, crop px.
            plain: number of leading crops that are neither rotated nor rescaled.
            state: the target on the first frame.
        """
        count = plain if self.params.iounet_augmentation else 1
        known = torch.from_numpy(boxes[:count]).to(features[0])
        vectors = self.regressor.get_modulation([f[:count] for f in features], known)
        self.modulation = tuple(v.mean(dim=0, keepdim=True) for v in vectors)
        foldable = is_foldable(self.regressor)
        self.head = fold_head(self.regressor, self.modulation) if foldable else None
        self._smallest = np.minimum(self.params.min_target_size, state.size)
        self._last_position = None

    def refine(
        self,
        features: list[Tensor],
        view: CropView,
        state: TargetState,
        flag: Flag,
        frame: tuple[int, int],
        generator: torch.Generator,
    ) -> TargetState:
        """The target after refinement; unchanged where every refined box was rejected.

        Args:
            features: box-branch backbone maps of one crop, ``[1, C, h, w]`` each.
            view: where the crop lies.
            state: the target at the classifier's position.
            flag: the frame's flag, which may hold the search scale.
            frame: image (H, W), px.
            generator: source of the random starts.
        """
        (found,) = refine_together([RefineJob(self, view, state, flag, frame, generator)], features)
        return found

    def starts(self, job: "RefineJob") -> Tensor:
        """Where the ascent starts, ``[S, 4]``, crop px; draws from the job's generator."""
        return jittered_boxes(job.view.box_of(job.state), self.params, job.generator)

    def conclude(self, job: "RefineJob", rows: Array, maps: list[Tensor]) -> TargetState:
        """The target after an ascent.

        Args:
            job: what was refined.
            rows: x, y, w, h and score of every box where it ended, ``[S, 5]``, crop px.
            maps: the image features it saw, ``[1, C, h, w]`` each.
        """
        params, state = self.params, job.state
        self._maps = maps
        best = mean_of_best(rows[:, :4], rows[:, 4], params)
        if best is None:
            return state
        drift = params.reproduces("half_pixel_drift")
        position, size = job.view.locate(best, half_pixel_drift=drift)
        if not params.reproduces("unlimited_size"):
            size = np.maximum(size, self._smallest)
            size = np.minimum(size, np.asarray(job.frame)) if params.limit_to_frame else size
        self._last_position = position
        update_scale = params.update_scale_when_uncertain or job.flag is not Flag.UNCERTAIN
        return state.moved(position).resized(size, update_scale=update_scale)

    def at_end_of_frame(self, state: TargetState) -> TargetState:
        """The target that the next frame starts from: `state`, or what ``stale_position`` makes of it."""
        if self._last_position is None or not self.params.reproduces("stale_position"):
            return state
        return state.moved(self._last_position)

    def forget_position(self) -> None:
        """The target is put elsewhere: what the last refinement found is no longer its position."""
        self._last_position = None

    def covariance(self, view: CropView, state: TargetState) -> Array:
        """Covariance ``[4, 4]`` of (x, y, w, h), image px^2, in the crop that was refined last.

        That of the Gaussian with the energy's curvature at the box: a call of the energy, no samples.
        """
        if self._maps is None:
            raise RuntimeError("covariance needs a refined frame")
        around = self._around(energy_of([self], self._maps), view, state)
        shape = gaussian_shape(around, around.center, self.params.density_width)
        return laplace_covariance(around, around.center, shape)

    def density(
        self,
        features: list[Tensor],
        view: CropView,
        state: TargetState,
        presence: float,
        generator: torch.Generator,
    ) -> BoxDensity:
        """The density over boxes around the target.

        Args:
            features: box-branch backbone maps of one crop, ``[1, C, h, w]`` each.
            view: where the crop lies.
            state: the target.
            presence: how sure the classifier is that it is there, in [0, 1].
            generator: CPU generator, not the one that tracking draws from: asking changes no track.
        """
        params = self.params
        return BoxDensity(
            self._around(energy_of([self], self.image_features(features)), view, state),
            presence=presence**params.presence_power,
            num_samples=params.density_samples,
            width=params.density_width,
            generator=generator,
        )

    def _around(self, energy: ScoreFunction, view: CropView, state: TargetState) -> RelativeEnergy:
        box = torch.from_numpy(state.box)
        return RelativeEnergy(
            energy=energy,
            view=view,
            center=rect_to_rel(box, box[2:]),
            size=box[2:],
            reach=self.params.density_reach,
            temperature=self.params.density_temperature,
            device=self.modulation[0].device,
        )

    def image_features(self, features: list[Tensor]) -> list[Tensor]:
        """What the energy reads, ``[N, C, h, w]`` each, of box-branch backbone maps of N crops."""
        return list(self.regressor.get_iou_feat(features))


@dataclass(frozen=True, eq=False)
class RefineJob:
    """A target whose box is to be refined.

    Attributes:
        refiner: its own.
        view: where its crop lies.
        state: the target at the classifier's position.
        flag: the frame's flag, which may hold the search scale.
        frame: image (H, W), px.
        generator: source of the random starts.
    """

    refiner: BoxRefiner
    view: CropView
    state: TargetState
    flag: Flag
    frame: tuple[int, int]
    generator: torch.Generator


def refine_together(jobs: Sequence[RefineJob], features: list[Tensor]) -> list[TargetState]:
    """Targets after refinement, all in one ascent; a target whose boxes were all rejected is unchanged.

    Args:
        jobs: T targets of one network and one parameter set, at least one.
        features: box-branch backbone maps of their crops, ``[T, C, h, w]`` each.
    """
    refiners = [job.refiner for job in jobs]
    params, first = refiners[0].params, refiners[0]
    maps = first.image_features(features)
    starts = torch.stack([refiner.starts(job) for refiner, job in zip(refiners, jobs)]).to(features[0])
    boxes, scores = refine_boxes(
        energy_of(refiners, maps),
        starts.flatten(0, 1),
        space=params.box_refinement_space,
        steps=params.box_refinement_iter,
        step_length=params.box_refinement_step_length,
        decay=params.box_refinement_step_decay,
        on_decrease=params.box_refinement_on_decrease,
        sizes=starts[:, :1, 2:].expand(-1, starts.shape[1], 2).flatten(0, 1),
        validate=False,  # a score that is not finite rejects its box below
    )
    rows = torch.cat((boxes, scores[:, None]), dim=1).double().cpu().numpy().reshape(len(jobs), -1, 5)
    return [
        job.refiner.conclude(job, rows[i], [level[i : i + 1] for level in maps]) for i, job in enumerate(jobs)
    ]


def energy_of(refiners: Sequence[BoxRefiner], maps: list[Tensor]) -> ScoreFunction:
    """f of boxes ``[T * S, 4]``, crop px -> ``[T * S]``, target by target.

    Args:
        refiners: of T targets of one network.
        maps: image features of their crops, ``[T, C, h, w]`` each.
    """
    heads = [refiner.head for refiner in refiners]
    if all(head is not None for head in heads):
        return ImageEnergy([head for head in heads if head is not None], maps)
    regressor = refiners[0].regressor
    modulation = tuple(torch.cat(level) for level in zip(*(refiner.modulation for refiner in refiners)))

    def by_autograd(boxes: Tensor) -> Tensor:
        scores: Tensor = regressor.predict_iou(modulation, maps, boxes.reshape(len(refiners), -1, 4))
        return scores.flatten()

    return by_autograd


def jittered_boxes(box: Array, params: RefineParams, generator: torch.Generator) -> Tensor:
    """`box` followed by random variations of it, float64 ``[1 + R, 4]``.

    Args:
        box: x, y, w, h ``[4]``, crop px.
        params: number and range of the variations; a side never shrinks below a third of the box's shorter
            side.
        generator: CPU generator.
    """
    first = torch.from_numpy(np.asarray(box, dtype=np.float64))
    corner, size = first[:2], first[2:]
    noise = torch.rand(params.num_init_random_boxes, 4, generator=generator, dtype=torch.float64) - 0.5
    noise = noise * size.prod().sqrt()
    sizes = (size + noise[:, 2:] * params.box_jitter_sz).clamp(min=float(size.min()) / 3)
    centers = corner + size / 2 + noise[:, :2] * params.box_jitter_pos
    return torch.cat((first[None], torch.cat((centers - sizes / 2, sizes), dim=1)))


def mean_of_best(boxes: Array, scores: Array, params: RefineParams) -> Array | None:
    """Mean of the best boxes that are finite and not too elongated, ``[4]``; None if there is none.

    Args:
        boxes: x, y, w, h ``[S, 4]``; sides are raised to 1 px.
        scores: their energies ``[S]``.
        params: how many are averaged, and the largest aspect ratio.
    """
    good = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    boxes, scores = boxes[good], scores[good]
    boxes = np.concatenate((boxes[:, :2], np.maximum(boxes[:, 2:], 1)), axis=1)
    ratio = boxes[:, 2] / boxes[:, 3]
    fair = (ratio < params.maximal_aspect_ratio) & (ratio > 1 / params.maximal_aspect_ratio)
    if not fair.any():
        return None
    order = np.argsort(-scores[fair], kind="stable")[: params.iounet_k]
    return boxes[fair][order].mean(axis=0)
