"""Box refinement on energies whose maximum and covariance are known."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pytracking.parameter.base import RefineParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import CropView, TargetState
from pytracking.tracker.common.refiner import (
    BoxRefiner,
    RefineJob,
    jittered_boxes,
    mean_of_best,
    refine_together,
)

RELATIVE = RefineParams(
    box_refinement_space="relative", box_refinement_iter=10, box_refinement_step_length=2.5e-3
)
VIEW = CropView(center=np.array([200.0, 300.0]), scale=2.0, crop_size=(288, 288))
FRAME = (480, 640)


def published_score(boxes: Tensor) -> Tensor:
    """The synthetic scorer of the published vectors: centre (150, 140), size (60, 50)."""
    center = boxes[..., :2] + boxes[..., 2:] / 2
    distance = ((center - boxes.new_tensor([150.0, 140.0])) ** 2).sum(-1) / 2000
    size = (boxes[..., 2:].log() - boxes.new_tensor([60.0, 50.0]).log()).square().sum(-1)
    return 1 - distance - size


class ScoreBranch:
    """A box branch whose energy is a given function; its modulation and features are passed through."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain
        self.feature_calls = 0
        self.references: list[Tensor] = []

    def get_modulation(self, features: Sequence[Tensor], boxes: Tensor) -> list[Tensor]:
        self.references.append(boxes)
        return [f.mean((2, 3), keepdim=True) for f in features]

    def get_iou_feat(self, features: Sequence[Tensor]) -> Sequence[Tensor]:
        self.feature_calls += 1
        return features

    def predict_iou(self, modulation: Sequence[Tensor], features: Sequence[Tensor], boxes: Tensor) -> Tensor:
        return self.gain * published_score(boxes)


FEATURES = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 2, 2)]


def target(x: float, y: float, w: float, h: float) -> TargetState:
    """The state whose box in VIEW's crop is (x, y, w, h)."""
    position, size = VIEW.locate(np.array([x, y, w, h]))
    return TargetState(position=position, size=size, scale=2.0, base_size=size / 2.0)


def refiner(params: RefineParams, state: TargetState, gain: float = 1.0) -> BoxRefiner:
    made = BoxRefiner(ScoreBranch(gain), params)
    made.set_reference(FEATURES, np.zeros((1, 4)), 1, state)
    return made


def refine(
    made: BoxRefiner,
    state: TargetState,
    generator: torch.Generator,
    flag: Flag = Flag.NORMAL,
    frame: tuple[int, int] = FRAME,
) -> TargetState:
    """One target refined."""
    (found,) = refine_together([RefineJob(made, VIEW, state, flag, frame, generator)], FEATURES)
    return found


VECTORS = [  # space, steps, step length, box 1, box 2
    ("default", 5, 1.0, (117.1682, 111.5851, 52.6814, 58.1043), (111.5616, 103.6663, 69.2792, 43.6808)),
    ("relative", 10, 2.5e-3, (115.3839, 112.0933, 50.4477, 59.4676), (110.5667, 101.5094, 69.4745, 40.4388)),
    (
        "relative",
        10,
        (1e-2, 5e-2),
        (114.0845, 114.7462, 56.3044, 53.2818),
        (114.4618, 103.0102, 63.3132, 46.2572),
    ),
]


@pytest.mark.parametrize(("space", "steps", "length", "first", "second"), VECTORS)
def test_published_refinements(
    space: str,
    steps: int,
    length: float | tuple[float, float],
    first: tuple[float, ...],
    second: tuple[float, ...],
    generator: torch.Generator,
) -> None:
    """A single start is the published box 1; in relative space box 2 would share the size of box 1."""
    params = replace(
        RELATIVE,
        box_refinement_space=space,
        box_refinement_iter=steps,
        box_refinement_step_length=length,
        num_init_random_boxes=0,
    )
    state = target(115, 112, 50, 60)
    refined = refine(refiner(params, state), state, generator)
    np.testing.assert_allclose(VIEW.box_of(refined), first, atol=1e-3)
    if space == "default":  # the step of this space depends on the box alone
        state = target(110, 100, 70, 40)
        refined = refine(refiner(params, state), state, generator)
        np.testing.assert_allclose(VIEW.box_of(refined), second, atol=1e-3)


def test_random_starts_agree_on_the_maximum(generator: torch.Generator) -> None:
    params = replace(RELATIVE, box_refinement_iter=400, box_refinement_step_length=(5e-2, 5e-2))
    state = target(110, 100, 70, 40)
    made = refiner(params, state)
    refined = refine(made, state, generator)
    np.testing.assert_allclose(VIEW.box_of(refined), [120, 115, 60, 50], atol=0.05)
    assert refined.scale == pytest.approx(2 * math.sqrt(60 * 50 / (70 * 40)), rel=1e-3)


def test_features_are_computed_once_per_frame(generator: torch.Generator) -> None:
    state = target(110, 100, 70, 40)
    branch = ScoreBranch()
    made = BoxRefiner(branch, RELATIVE)
    made.set_reference(FEATURES, np.zeros((1, 4)), 1, state)
    refine(made, state, generator)
    made.covariance(VIEW, state)
    assert branch.feature_calls == 1


def test_the_reference_is_the_first_sample_or_all_upright_ones() -> None:
    boxes = np.arange(12.0).reshape(3, 4)
    maps = [f.expand(3, -1, -1, -1) for f in FEATURES]
    for augmented, count in ((False, 1), (True, 2)):
        branch = ScoreBranch()
        params = replace(RELATIVE, iounet_augmentation=augmented)
        BoxRefiner(branch, params).set_reference(maps, boxes, 2, target(0, 0, 10, 10))
        np.testing.assert_array_equal(branch.references[0].numpy(), boxes[:count])


@pytest.mark.parametrize(("gain", "ratio"), [(math.nan, 6.0), (math.inf, 6.0), (1.0, 1.01)])
def test_where_all_boxes_are_rejected_the_classifiers_box_stays(
    gain: float, ratio: float, generator: torch.Generator
) -> None:
    params = replace(RELATIVE, maximal_aspect_ratio=ratio, num_init_random_boxes=1, box_jitter_sz=0.0)
    state = target(110, 100, 70, 40)
    refined = refine(refiner(params, state, gain), state, generator)
    np.testing.assert_array_equal(refined.box, state.box)


def test_the_search_scale_may_hold_while_uncertain(generator: torch.Generator) -> None:
    params = replace(RELATIVE, update_scale_when_uncertain=False, box_refinement_iter=100)
    state = target(110, 100, 70, 40)
    made = refiner(params, state)
    assert refine(made, state, generator, Flag.UNCERTAIN).scale == state.scale
    assert refine(made, state, generator).scale != state.scale


def test_refined_sizes_stay_between_a_few_pixels_and_the_frame(generator: torch.Generator) -> None:
    params = replace(RELATIVE, box_refinement_iter=0, num_init_random_boxes=0)
    large = target(110, 100, 400, 200)
    refined = refine(refiner(params, large), large, generator, frame=(300, 500))
    np.testing.assert_allclose(refined.size, [300, 500])
    small = target(110, 100, 1.2, 1.3)  # 2.4 x 2.6 px in the frame
    grown = refine(refiner(params, target(0, 0, 50, 50)), small, generator)
    np.testing.assert_allclose(grown.size, [4, 4])
    kept = refine(refiner(params, small), small, generator)
    np.testing.assert_allclose(kept.size, [2.6, 2.4])


def test_starts_lie_around_the_box_and_never_get_thin(generator: torch.Generator) -> None:
    params = replace(RELATIVE, num_init_random_boxes=2000, box_jitter_sz=3.0)
    boxes = jittered_boxes(np.array([100.0, 50.0, 40.0, 90.0]), params, generator)
    assert boxes.shape == (2001, 4)
    np.testing.assert_allclose(boxes[0], [100, 50, 40, 90])
    root = math.sqrt(40 * 90)
    centers = boxes[:, :2] + boxes[:, 2:] / 2 - [120, 95]
    assert np.abs(centers).max() == pytest.approx(0.05 * root, rel=0.01)
    assert np.abs(centers.mean(axis=0)).max() < 0.005 * root
    assert boxes[:, 2:].min() == pytest.approx(40 / 3)
    assert boxes[:, 2].max() == pytest.approx(40 + 1.5 * root, rel=0.01)


def test_the_best_fair_boxes_are_averaged() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [2, 2, 10, 10], [8, 8, 10, 10], [0, 0, 70, 10], [np.nan, 0, 1, 1]], dtype=float
    )
    scores = np.array([3.0, 2.0, 1.0, 9.0, 9.0])
    best = mean_of_best(boxes, scores, replace(RELATIVE, iounet_k=2))
    assert best is not None
    np.testing.assert_allclose(best, [1, 1, 10, 10])
    every = mean_of_best(boxes, scores, replace(RELATIVE, iounet_k=9))
    assert every is not None
    np.testing.assert_allclose(every, [10 / 3, 10 / 3, 10, 10])
    assert mean_of_best(boxes[3:], scores[3:], RELATIVE) is None
