"""Step lengths by the boxes that they lead to, on an energy whose peak is known."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pytracking.analysis.step_lengths import SHIFT, STRETCH, Task, perturbed, study_steps
from pytracking.parameter import find_parameters
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.tracker.common.geometry import CropView, TargetState
from pytracking.tracker.common.refiner import BoxRefiner

VIEW = CropView(center=np.array([63.5, 63.5]), scale=1.0, crop_size=(128, 128))


class Bowl:
    """Energy -(|centre offset|^2 + |log size offset|^2 / 4) around a box, in its own sides.

    One step of 0.5 ends at the centre, one of 2 at the size.
    """

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = torch.from_numpy(truth)

    def predict_iou(self, modulation: Any, maps: Any, boxes: Tensor) -> Tensor:
        size = self.truth[2:]
        centre = (boxes[..., :2] + boxes[..., 2:] / 2 - self.truth[:2] - size / 2) / size
        return -(centre.square().sum(-1) + (boxes[..., 2:] / size).log().square().sum(-1) / 4)


def tasks_of(params: DiMPParams) -> list[Task]:
    generator = torch.Generator().manual_seed(0)
    tasks = []
    for number in range(6):
        truth = np.array([40.0 + number, 50, 30, 20])
        refiner = BoxRefiner(Bowl(truth), params)
        refiner.modulation = (torch.zeros(1, 1),)
        state = TargetState.from_box(perturbed(truth, generator), (128, 128), 4.0)
        tasks.append(
            Task(
                sequence=f"s{number // 2}",
                refiner=refiner,
                maps=[torch.zeros(1, 1, 2, 2, dtype=torch.float64)],
                view=VIEW,
                state=state,
                truth=truth,
                frame=(128, 128),
            )
        )
    return tasks


def test_lengths_of_positions_and_sizes_are_found_apart() -> None:
    found = find_parameters("dimp", "nce_plus_small")
    assert isinstance(found, DiMPParams)
    params = replace(
        found, box_refinement_step_length=0.125, box_refinement_iter=2, box_refinement_step_decay=1.0
    )
    tasks = tasks_of(params)
    study = study_steps(tasks, params)
    assert study.trials[0].value == (0.125, 0.125)
    position, size = study.chosen
    assert position == 0.5
    assert size >= 1.0  # as near as factors of two come to 2, in two steps
    before = np.mean([task.overlap_before for task in tasks])
    assert before < study.trials[0].mean < study.best.mean
    assert study.best.mean > 0.9
    assert len(study.trials[0].scores) == 3  # sequences
    assert len(study.trials) <= 15


def test_what_was_measured_with_is_left_as_it_was() -> None:
    found = find_parameters("dimp", "nce_plus_small")
    assert isinstance(found, DiMPParams)
    (task, *_) = tasks_of(found)
    longer = replace(found, box_refinement_step_length=0.5)
    assert task.overlap(longer) != task.overlap(found)
    assert task.overlap(longer) == task.overlap(longer)
    assert task.refiner.params is found


@pytest.mark.parametrize("seed", range(5))
def test_perturbed_boxes_stay_near(seed: int) -> None:
    box = np.array([10.0, 20, 30, 60])
    near = perturbed(box, torch.Generator().manual_seed(seed))
    assert np.abs(np.log(near[2:] / box[2:])).max() <= STRETCH + 1e-12
    moved = near[:2] + near[2:] / 2 - box[:2] - box[2:] / 2
    assert (np.abs(moved) <= SHIFT * box[2:] + 1e-12).all()
    assert not math.isclose(near[0], box[0])
