"""Box refinement: gradient ascent on the energy of boxes, and the densities that the energy implies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pytracking.libs import arrays
from pytracking.libs.draws import Generator, uniform
from pytracking.parameter.base import RefineParams
from pytracking.parameter.state_params import StateParams
from pytracking.tracker.base import Flag, LazyDensity
from pytracking.tracker.common.geometry import CropView, TargetState
from pytracking.tracker.common.judge import energy_found, guarded_size

if TYPE_CHECKING:  # an exported box branch needs no torch; see `refine_together`
    import torch

    from pytracking.libs.box_head import BoxEnergy
    from pytracking.tracker.common.box_density import BoxDensity

__all__ = ["BoxRefiner", "RefineJob", "jittered_boxes", "mean_of_best", "refine_together", "why_no_density"]

Array = NDArray[np.float64]


class BoxRefiner:
    """Refines the classifier's box with the network's box branch.

    Args:
        regressor: the network's ``bb_regressor``; one that has a method ``ascend`` refines by itself.
        params: starts, steps and limits.

    Attributes:
        watched: keep the way of the boxes.
        path: while it is watched, the boxes of the last refinement, frame px, ``[T, S, 4]``, and their
            scores ``[T, S]``; None where there was none.
    """

    def __init__(self, regressor: Any, params: RefineParams) -> None:
        self.params = params
        self.watched = False
        self.path: tuple[Array, Array] | None = None
        self.regressor = regressor
        self.modulation: tuple[arrays.Array, ...] = ()
        self.head: BoxEnergy | None = None
        self._maps: list[arrays.Array] | None = None
        self._smallest = self._first_size = np.zeros(2)
        self.energy = -np.inf
        """Of the box that the last refinement found; minus infinity where it found none."""
        self._last_position: Array | None = None

    def watch(self, wanted: bool) -> None:
        """Keep the way of the boxes from the next refinement on, or no longer; forget the last."""
        self.watched, self.path = wanted, None

    def set_reference(
        self, features: list[arrays.Array], boxes: Array, plain: int, state: TargetState
    ) -> None:
        """Remember how the target looks.

        Args:
            features: box-branch backbone maps of the first-frame crops, ``[N, C, h, w]`` each.
            boxes: the target in those crops, x, y, w, h ``[N, 4]``, crop px.
            plain: number of leading crops that are neither rotated nor rescaled.
            state: the target on the first frame.
        """
        count = plain if self.params.iounet_augmentation else 1
        known = arrays.like(boxes[:count], features[0])
        vectors = self.regressor.get_modulation([f[:count] for f in features], known)
        self.modulation = tuple(v.mean(axis=0, keepdims=True) for v in vectors)
        if not hasattr(self.regressor, "ascend"):
            from pytracking.tracker.common.box_ascent import folded

            self.head = folded(self.regressor, self.modulation)
        self._smallest = np.minimum(self.params.min_target_size, state.size)
        self._first_size = state.size
        self._last_position = None

    def starts(self, job: "RefineJob") -> Array:
        """Where the ascent starts, ``[S, 4]``, crop px; draws from the job's generator."""
        return jittered_boxes(job.view.box_of(job.state), self.params, job.generator)

    def conclude(self, job: "RefineJob", rows: Array, maps: list[arrays.Array]) -> TargetState:
        """The target after an ascent.

        Args:
            job: what was refined.
            rows: x, y, w, h and score of every box where it ended, ``[S, 5]``, crop px.
            maps: the image features it saw, ``[1, C, h, w]`` each.
        """
        params, state = self.params, job.state
        self._maps = maps
        best = mean_of_best(rows[:, :4], rows[:, 4], params)
        self.energy = -np.inf if best is None else energy_found(rows[:, 4], params.iounet_k)
        if best is None:
            return state
        drift = params.reproduces("half_pixel_drift")
        position, size = job.view.locate(best, half_pixel_drift=drift)
        if not params.reproduces("unlimited_size"):
            size = np.maximum(size, self._smallest)
            size = np.minimum(size, np.asarray(job.frame)) if params.limit_to_frame else size
        if isinstance(params, StateParams):
            size = guarded_size(size, state.size, self._first_size, job.presence, params)
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
        from pytracking.tracker.common.box_ascent import energy_around
        from pytracking.tracker.common.box_gaussian import gaussian_shape, laplace_covariance

        around = energy_around(self, self._maps, view, state)
        shape = gaussian_shape(around, around.center, self.params.density_width)
        return laplace_covariance(around, around.center, shape)

    def density(
        self,
        features: list[arrays.Array],
        view: CropView,
        state: TargetState,
        presence: float,
        generator: "torch.Generator",
    ) -> "BoxDensity":
        """The density over boxes around the target.

        Args:
            features: box-branch backbone maps of one crop, ``[1, C, h, w]`` each.
            view: where the crop lies.
            state: the target.
            presence: how sure the classifier is that it is there, in [0, 1].
            generator: CPU generator, not the one that tracking draws from: asking changes no track.
        """
        from pytracking.tracker.common.box_ascent import energy_around
        from pytracking.tracker.common.box_density import BoxDensity

        params = self.params
        return BoxDensity(
            energy_around(self, self.image_features(features), view, state),
            presence=presence**params.presence_power,
            num_samples=params.density_samples,
            width=params.density_width,
            generator=generator,
        )

    def lazy_density(
        self, features: list[arrays.Array], view: CropView, state: TargetState, presence: float, seed: int
    ) -> LazyDensity:
        """`density`, made when somebody asks for it; `seed` is of its samples."""

        def make() -> "BoxDensity":
            import torch

            generator = torch.Generator().manual_seed(seed)
            with arrays.without_gradients():
                return self.density(features, view, state, presence, generator)

        return LazyDensity(make)

    def image_features(self, features: list[arrays.Array]) -> list[arrays.Array]:
        """What the energy reads, ``[N, C, h, w]`` each, of box-branch backbone maps of N crops.

        On a CPU, where boxes can be looked at before, it is computed where they are.
        """
        if self.head is not None and features[0].device.type == "cpu":
            from pytracking.libs.box_maps import windowed_maps

            maps = windowed_maps(self.regressor, features)
            if maps is not None:
                return list(maps)
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
        presence: how sure the classifier is that the target is there, in [0, 1].
    """

    refiner: BoxRefiner
    view: CropView
    state: TargetState
    flag: Flag
    frame: tuple[int, int]
    generator: Generator
    presence: float = 1.0


def refine_together(jobs: Sequence[RefineJob], features: list[arrays.Array]) -> list[TargetState]:
    """Targets after refinement, all in one ascent; a target whose boxes were all rejected is unchanged.

    Args:
        jobs: T targets of one network and one parameter set, at least one.
        features: box-branch backbone maps of their crops, ``[T, C, h, w]`` each.
    """
    refiners = [job.refiner for job in jobs]
    first = refiners[0]
    starts = arrays.like(np.stack([job.refiner.starts(job) for job in jobs]), features[0])
    exported = getattr(first.regressor, "ascend", None)
    if exported is not None:
        modulation = [arrays.joined(level) for level in zip(*(r.modulation for r in refiners))]
        maps, found = features, exported(features, modulation, starts)
    else:
        from pytracking.tracker.common.box_ascent import Ascents, ascended, energy_of

        maps = first.image_features(features)
        ascents = Ascents(energy_of(refiners, maps))
        watched = any(refiner.watched for refiner in refiners)
        found = ascended(ascents if watched else ascents.score_fn, starts, first.params)
        for job, (path, values) in zip(jobs, ascents.paths(found) if watched else ()):
            job.refiner.path = (job.view.image_boxes(path.reshape(-1, 4)).reshape(path.shape), values)
    rows = arrays.as_numpy(found).astype(np.float64)
    return [
        job.refiner.conclude(job, rows[i], [level[i : i + 1] for level in maps]) for i, job in enumerate(jobs)
    ]


def jittered_boxes(box: Array, params: RefineParams, generator: Generator) -> Array:
    """`box` followed by random variations of it, float64 ``[1 + R, 4]``.

    Args:
        box: x, y, w, h ``[4]``, crop px.
        params: number and range of the variations; a side never shrinks below a third of the box's shorter
            side.
        generator: torch's on the CPU, or `Draws`.
    """
    first = np.asarray(box, dtype=np.float64)
    corner, size = first[:2], first[2:]
    noise = (uniform(generator, params.num_init_random_boxes, 4) - 0.5) * np.sqrt(size.prod())
    sizes = np.maximum(size + noise[:, 2:] * params.box_jitter_sz, size.min() / 3)
    centers = corner + size / 2 + noise[:, :2] * params.box_jitter_pos
    return np.concatenate((first[None], np.concatenate((centers - sizes / 2, sizes), axis=1)))


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


def why_no_density(params: RefineParams) -> str:
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
