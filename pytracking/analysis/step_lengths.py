"""Which step lengths bring perturbed boxes nearest to the annotated ones?"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.boxes import box_iou
from ebm.exceptions import InputError
from pytracking.analysis.trials import Study, Trial, double_or_halve
from pytracking.evaluation import data
from pytracking.evaluation.data import check_frames, true_box
from pytracking.features.preprocessing import images_to_tensor
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.box_ascent import ascended, energy_of
from pytracking.tracker.common.conversation import ClassifierTracker
from pytracking.tracker.common.geometry import CropView, TargetState
from pytracking.tracker.common.refiner import BoxRefiner, RefineJob

__all__ = ["Steps", "Task", "perturbed", "record_tasks", "study_steps"]

Array = NDArray[np.float64]
Steps = tuple[float, float]  # position, size
SHIFT = 0.2  # largest move of a centre / side: about a cell of the score map
STRETCH = 0.25  # largest change of a log side: the growth of a few frames


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A frame whose box is to be refined.

    Attributes:
        sequence: data set and name.
        refiner: knows how the target looked in the first frame.
        maps: image features that the energy reads, ``[1, C, h, w]`` each.
        view: where the crop lies.
        state: the perturbed box.
        truth: the annotated box x, y, w, h ``[4]``, px.
        frame: image (H, W), px.
    """

    sequence: str
    refiner: BoxRefiner
    maps: list[Tensor]
    view: CropView
    state: TargetState
    truth: Array
    frame: tuple[int, int]

    def overlap(self, params: TrackingParams) -> float:
        """IoU of the refined box with the annotated one; every set of parameters has the same starts."""
        refiner = copy.copy(self.refiner)
        refiner.params = params
        generator = torch.Generator().manual_seed(0)
        job = RefineJob(refiner, self.view, self.state, Flag.NORMAL, self.frame, generator)
        with torch.inference_mode(False), torch.no_grad():
            starts = torch.from_numpy(refiner.starts(job))[None].to(self.maps[0])
            rows = ascended(energy_of([refiner], self.maps), starts, params)
            found = refiner.conclude(job, rows[0].double().cpu().numpy(), self.maps)
        return _iou(found.box, self.truth)

    @property
    def overlap_before(self) -> float:
        """IoU of the perturbed box."""
        return _iou(self.state.box, self.truth)


def _iou(box: Array, truth: Array) -> float:
    return float(box_iou(torch.from_numpy(box), torch.from_numpy(truth)))


def perturbed(box: Array, generator: torch.Generator) -> Array:
    """A box near another: centre by up to `SHIFT` sides, log sides by up to `STRETCH`, x, y, w, h ``[4]``."""
    noise = 2 * torch.rand(4, generator=generator, dtype=torch.float64).numpy() - 1
    size = box[2:] * np.exp(STRETCH * noise[2:])
    centre = box[:2] + box[2:] / 2 + SHIFT * noise[:2] * box[2:]
    return np.concatenate((centre - size / 2, size))


def record_tasks(
    make: Callable[[data.Sequence], ClassifierTracker],
    sequences: Sequence[data.Sequence],
    read: Callable[[data.Sequence, int], Any],
    *,
    stride: int = 5,
    seed: int = 0,
    on_frame: Callable[[], None] = lambda: None,
) -> list[Task]:
    """Look at every so many frames of sequences, around a box that is a little wrong.

    Args:
        make: a tracker for a sequence.
        sequences: with boxes or NaN in every frame.
        read: a sequence and the number of a frame to uint8 RGB ``[H, W, 3]``.
        stride: frames from one look to the next.
        seed: of the perturbations.
        on_frame: called after every frame that was looked at.

    Raises:
        InputError: if a frame cannot be read, or none but the first ones shows a target.
    """
    tasks = []
    generator = torch.Generator().manual_seed(seed)
    for sequence in sequences:
        check_frames(sequence)
        tracker = make(sequence)
        tracker.initialize(read(sequence, 0), sequence.init_box)
        for number in range(stride, len(sequence), stride):
            box = true_box(sequence, number)
            if box is not None:
                tasks.append(_task(tracker, sequence, read(sequence, number), box, generator))
            on_frame()
    if not tasks:
        raise InputError(
            f"No frame to refine a box in: {len(sequences)} sequences, of which every {stride}th frame is "
            "taken. Give longer ones, or a smaller --stride."
        )
    return tasks


def _task(
    tracker: ClassifierTracker, sequence: data.Sequence, image: Any, box: Array, generator: torch.Generator
) -> Task:
    params = tracker.params
    state = TargetState.from_box(perturbed(box, generator), params.crop_size, params.search_area_scale)
    crops = tracker.cropper.around(state, image)
    with torch.inference_mode(False), torch.no_grad():
        backbone = tracker.network.extract_backbone_features(
            images_to_tensor(crops.images[:1], torch.device(tracker.device or "cpu"))
        )
        # The whole maps, as they are read again and again by ascents that go far.
        levels = tracker.network.get_backbone_bbreg_feat(backbone)
        maps = list(tracker.network.bb_regressor.get_iou_feat(levels))
    return Task(
        sequence=f"{sequence.dataset}/{sequence.name}",
        refiner=copy.copy(tracker.refiner),
        maps=maps,
        view=crops.views[0],
        state=state,
        truth=box,
        frame=(image.shape[0], image.shape[1]),
    )


def study_steps(tasks: Sequence[Task], params: TrackingParams) -> Study[Steps]:
    """Mean IoU of refined boxes, by step lengths: both, then that of sizes, then that of positions.

    Args:
        tasks: frames.
        params: the parameter set, whose steps are the start.
    """
    names = list(dict.fromkeys(task.sequence for task in tasks))

    def evaluate(steps: Steps) -> Trial[Steps]:
        tried = replace(params, box_refinement_step_length=steps)
        overlaps = [task.overlap(tried) for task in tasks]
        by_sequence = [
            np.mean([value for value, task in zip(overlaps, tasks) if task.sequence == name])
            for name in names
        ]
        return Trial(value=steps, scores=np.array(by_sequence))

    own = params.box_refinement_step_length
    study = Study(evaluate, own if isinstance(own, tuple) else (own, own))
    double_or_halve(study, lambda steps, factor: (steps[0] * factor, steps[1] * factor))
    double_or_halve(study, lambda steps, factor: (steps[0], steps[1] * factor))
    double_or_halve(study, lambda steps, factor: (steps[0] * factor, steps[1]), furthest=2)
    return study
