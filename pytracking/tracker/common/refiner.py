"""Box refinement: gradient ascent on the energy of boxes, and the densities that the energy implies."""

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

__all__ = ["BoxRefiner", "jittered_boxes", "mean_of_best"]

Array = NDArray[np.float64]


class BoxRefiner:
    """Refines the classifier's box with the network's box branch.

    Args:
        regressor: the network's ``bb_regressor``.
        params: starts, steps and limits.
    """

    def __init__(self, regressor: Any, params: RefineParams) -> None:
        self.params = params
        self._regressor = regressor
        self._modulation: tuple[Tensor, ...] = ()
        self._head: BoxEnergy | None = None
        self._energy: ScoreFunction | None = None
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
        vectors = self._regressor.get_modulation([f[:count] for f in features], known)
        self._modulation = tuple(v.mean(dim=0, keepdim=True) for v in vectors)
        foldable = is_foldable(self._regressor)
        self._head = fold_head(self._regressor, self._modulation) if foldable else None
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
        params = self.params
        energy = self._energy = self._make_energy(features)
        starts = jittered_boxes(view.box_of(state), params, generator).to(features[0])
        boxes, scores = refine_boxes(
            energy,
            starts,
            space=params.box_refinement_space,
            steps=params.box_refinement_iter,
            step_length=params.box_refinement_step_length,
            decay=params.box_refinement_step_decay,
            on_decrease=params.box_refinement_on_decrease,
            validate=False,  # a score that is not finite rejects its box below
        )
        rows = torch.cat((boxes, scores[:, None]), dim=1).double().cpu().numpy()
        best = mean_of_best(rows[:, :4], rows[:, 4], params)
        if best is None:
            return state
        drift = params.reproduces("half_pixel_drift")
        position, size = view.locate(best, half_pixel_drift=drift)
        if not params.reproduces("unlimited_size"):
            size = np.maximum(size, self._smallest)
            size = np.minimum(size, np.asarray(frame)) if params.limit_to_frame else size
        self._last_position = position
        update_scale = params.update_scale_when_uncertain or flag is not Flag.UNCERTAIN
        return state.moved(position).resized(size, update_scale=update_scale)

    def at_end_of_frame(self, state: TargetState) -> TargetState:
        """The target that the next frame starts from: `state`, or what ``stale_position`` makes of it."""
        if self._last_position is None or not self.params.reproduces("stale_position"):
            return state
        return state.moved(self._last_position)

    def covariance(self, view: CropView, state: TargetState) -> Array:
        """Covariance ``[4, 4]`` of (x, y, w, h), image px^2, in the crop that was refined last.

        That of the Gaussian with the energy's curvature at the box: a call of the energy, no samples.
        """
        if self._energy is None:
            raise RuntimeError("covariance needs a refined frame")
        around = self._around(self._energy, view, state)
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
            self._around(self._make_energy(features), view, state),
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
            device=self._modulation[0].device,
        )

    def _make_energy(self, features: list[Tensor]) -> ScoreFunction:
        """f of boxes ``[S, 4]``, crop px -> ``[S]``; image features are computed once, here."""
        maps = self._regressor.get_iou_feat(features)
        modulation, regressor = self._modulation, self._regressor

        def by_autograd(boxes: Tensor) -> Tensor:
            scores: Tensor = regressor.predict_iou(modulation, maps, boxes[None])[0]
            return scores

        return by_autograd if self._head is None else ImageEnergy(self._head, maps)


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
