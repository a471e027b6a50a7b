"""The box branch on torch: the energy of boxes, its ascent, and the energy around a box found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.boxes import rect_to_rel
from ebm.gradients import score_and_gradient
from ebm.predict import ScoreFunction, refine_boxes
from pytracking.libs.box_energy import ImageEnergy
from pytracking.libs.box_head import BoxEnergy, fold_head, is_foldable
from pytracking.libs.box_maps import BoxMap
from pytracking.parameter.base import RefineParams
from pytracking.tracker.common.geometry import CropView, TargetState
from pytracking.tracker.common.relative_energy import RelativeEnergy

if TYPE_CHECKING:
    from pytracking.tracker.common.refiner import BoxRefiner

__all__ = ["Ascents", "ascended", "energy_around", "energy_of", "folded"]

Array = NDArray[np.float64]


def folded(regressor: Any, modulation: Sequence[Tensor]) -> BoxEnergy | None:
    """The box branch for one target, its batch norms folded in; None for a branch of another form."""
    return fold_head(regressor, modulation) if is_foldable(regressor) else None


def ascended(energy: ScoreFunction, starts: Tensor, params: RefineParams) -> Tensor:
    """Where the ascents of T targets end, and the scores there, ``[T, S, 5]``.

    Args:
        energy: f of boxes x, y, w, h ``[T * S, 4]``, crop px, target by target.
        starts: ``[T, S, 4]``, crop px.
        params: how the ascent goes.
    """
    boxes, scores = refine_boxes(
        energy,
        starts.flatten(0, 1),
        space=params.box_refinement_space,
        steps=params.box_refinement_iter,
        step_length=params.box_refinement_step_length,
        decay=params.box_refinement_step_decay,
        on_decrease=params.box_refinement_on_decrease,
        sizes=starts[:, :1, 2:].expand(-1, starts.shape[1], 2).flatten(0, 1),
        validate=False,  # a box whose score is not finite is rejected by whoever reads the rows
    )
    return torch.cat((boxes, scores[:, None]), dim=1).unflatten(0, starts.shape[:2])


def energy_of(refiners: "Sequence[BoxRefiner]", maps: Sequence[BoxMap]) -> ScoreFunction:
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


def energy_around(
    refiner: "BoxRefiner", maps: Sequence[BoxMap], view: CropView, state: TargetState
) -> RelativeEnergy:
    """The energy in relative coordinates around a target.

    Args:
        refiner: the target's.
        maps: image features of one crop, ``[1, C, h, w]`` each.
        view: where the crop lies.
        state: the target.
    """
    box = torch.from_numpy(state.box)
    return RelativeEnergy(
        energy=energy_of([refiner], maps),
        view=view,
        center=rect_to_rel(box, box[2:]),
        size=box[2:],
        reach=refiner.params.density_reach,
        temperature=refiner.params.density_temperature,
        device=refiner.modulation[0].device,
    )


@dataclass(eq=False)
class Ascents:
    """A score function that remembers which boxes it was asked for, in the order of the steps.

    Attributes:
        score_fn: what is asked.
        boxes: ``[S, 4]`` of every call.
        scores: ``[S]`` of every call.
    """

    score_fn: ScoreFunction
    boxes: list[Tensor] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)

    def __call__(self, y: Tensor) -> Tensor:
        """Scores ``[S]`` of boxes ``[S, 4]``."""
        return self._noted(y, self.score_fn(y))

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[S]`` of boxes ``[S, 4]`` and their gradient."""
        with torch.enable_grad():
            point = score_and_gradient(self.score_fn, y)
        return self._noted(y, point.score.detach()), point.gradient.detach()

    def _noted(self, y: Tensor, scores: Tensor) -> Tensor:
        self.boxes.append(y.detach().clone())
        self.scores.append(scores.detach().clone())
        return scores

    def paths(self, rows: Tensor) -> list[tuple[Array, Array]]:
        """Boxes ``[K, S, 4]`` and scores ``[K, S]`` of each target, crop px, with where the ascent ended.

        Args:
            rows: what `ascended` gave, ``[T, S, 5]``; NaN stands for the scores of these boxes, unless they
                were asked for last.
        """
        targets, ends = len(rows), rows[..., :4].reshape(-1, 4)
        boxes, scores = [*self.boxes], [*self.scores]
        if not (boxes and torch.equal(boxes[-1], ends)):
            boxes.append(ends)
            scores.append(torch.full_like(ends[:, 0], torch.nan))
        steps = torch.stack(boxes).double().cpu().reshape(len(boxes), targets, -1, 4).numpy()
        values = torch.stack(scores).double().cpu().reshape(len(boxes), targets, -1).numpy()
        return [(steps[:, t], values[:, t]) for t in range(targets)]
