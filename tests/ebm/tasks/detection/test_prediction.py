"""Suppression, ascent and densities, with energies whose numbers are known."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.tasks.detection.branch import ConfidenceBranch, corners_of, rects_of
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.prediction import Found, ascended, plain_detections, suppressed, uncertainty_of
from ebm.tasks.detection.protocol import Hypotheses
from ebm.tasks.detection.pyramid import LevelRule, Pyramid
from ebm.tasks.detection.recipes import SETTABLE, BranchRecipe, find_recipe

MAPS = {"0": torch.zeros(2, 1, 8, 8)}
PYRAMID = Pyramid(MAPS, ("0",), LevelRule((8,)))


class Known(PyramidEnergy):
    """An energy of boxes xywh that a test writes down."""

    def __init__(self, of: Callable[[Tensor], Tensor]) -> None:
        super().__init__(ConfidenceBranch(1, 3, hidden=2, bins=2), PYRAMID)
        self.of = of

    def of_boxes(self, image: Tensor, column: Tensor) -> Callable[[Tensor], Tensor]:
        return self.of

    def score(self, features: tuple[Tensor, ...], y: Tensor) -> Tensor:
        rects = rel_to_rect(y, features[2][:, None])
        return self.of(rects.flatten(0, 1)).view(y.shape[:2])


def recipe_of(*changes: str) -> BranchRecipe:
    recipe = SETTABLE.set_fields(find_recipe("nce+", "light"), changes)
    assert isinstance(recipe, BranchRecipe)
    return recipe


def found_of(boxes: list[list[float]], p: list[float], column: list[int], image: list[int]) -> Found:
    return Found(torch.tensor(image), torch.tensor(boxes), torch.tensor(p), torch.tensor(column))


FIVE = found_of(
    [[0.0, 0, 10, 10], [0, 1, 10, 11], [0, 0, 10, 10], [40, 40, 60, 60], [0, 2, 10, 12]],
    [0.9, 0.3, 0.8, 0.2, 0.7],
    [1, 1, 2, 1, 1],
    [0, 0, 0, 0, 1],
)


def test_five_boxes_are_suppressed_as_by_hand() -> None:
    # f prefers lower boxes. Boxes 0 and 1 are one object (IoU 9/11): 1 survives, with the 0.9 of 0.
    # Box 2 is of another class, 3 is alone, 4 is in another picture.
    kept = suppressed(Known(lambda rects: rects[:, 1]), recipe_of(), FIVE, 2)
    rows = sorted(zip(kept.image.tolist(), kept.column.tolist(), kept.boxes.tolist(), kept.scores.tolist()))
    expected = [
        (0, 1, [0, 1, 10, 11], 0.9),
        (0, 1, [40, 40, 60, 60], 0.2),
        (0, 2, [0, 0, 10, 10], 0.8),
        (1, 1, [0, 2, 10, 12], 0.7),
    ]
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    assert [row[3] for row in rows] == pytest.approx([row[3] for row in expected])
    assert kept.energy is not None
    torch.testing.assert_close(kept.energy, kept.boxes[:, 1])


def test_the_detectors_own_suppression_keeps_the_surest() -> None:
    rows = [Hypotheses(FIVE.boxes[:4], FIVE.scores[:4], FIVE.column[:4])]
    kept = plain_detections(rows)
    assert kept.boxes.tolist() == [[0, 0, 10, 10], [0, 0, 10, 10], [40, 40, 60, 60]]
    assert kept.column.tolist() == [1, 2, 1]


def test_the_surest_detections_of_every_picture_are_kept() -> None:
    kept = suppressed(Known(lambda rects: rects[:, 1]), recipe_of("prediction.max_detections=1"), FIVE, 2)
    assert kept.image.tolist() == [0, 1]
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7])


TARGET = torch.tensor([[12.0, 8, 20, 30]])  # xywh


def quadratic(rects: Tensor) -> Tensor:
    """Of relative coordinates, normalised by the size (10, 20) of the box that the ascent begins at."""
    size = torch.tensor([10.0, 20.0])
    away = rect_to_rel(rects, size, validate=False) - rect_to_rel(TARGET, size)
    return -0.5 * away.square().sum(-1)


START = found_of([[10.0, 10, 20, 30]], [0.6], [1], [0])  # 10 wide, 20 high


def test_one_full_step_reaches_the_top_of_a_quadratic_energy() -> None:
    recipe = recipe_of("method.refine.steps=1", "method.refine.step_length=(1.0,1.0)")
    found = ascended(Known(quadratic), recipe, START)
    torch.testing.assert_close(rects_of(found.boxes), TARGET, atol=1e-4, rtol=0)
    assert found.scores.tolist() == pytest.approx([0.6])
    assert found.energy is not None
    assert found.energy.item() == pytest.approx(0, abs=1e-6)


def test_a_short_step_goes_its_share_of_the_way() -> None:
    recipe = recipe_of("method.refine.steps=1", "method.refine.step_length=(0.5,0.25)")
    box = rects_of(ascended(Known(quadratic), recipe, START).boxes)[0]
    # Centre (15, 20) goes half of the way to (22, 23); the size (10, 20) a quarter, in logarithms.
    width, height = 10 * 2**0.25, 20 * 1.5**0.25
    torch.testing.assert_close(box[:2] + 0.5 * box[2:], torch.tensor([18.5, 21.5]), atol=1e-4, rtol=0)
    torch.testing.assert_close(box[2:], torch.tensor([width, height]), atol=1e-4, rtol=0)


def test_a_step_that_is_too_long_is_halved_until_f_rises() -> None:
    recipe = recipe_of("method.refine.steps=2", "method.refine.step_length=(2.0,2.0)")
    # A step of 2 mirrors the box at the top, where f is as low: refused. The step of 1 is exact.
    torch.testing.assert_close(
        rects_of(ascended(Known(quadratic), recipe, START).boxes), TARGET, atol=1e-3, rtol=0
    )
    stuck = ascended(Known(quadratic), replace_steps(recipe, 1), START)
    torch.testing.assert_close(stuck.boxes, START.boxes)


def replace_steps(recipe: BranchRecipe, steps: int) -> BranchRecipe:
    return SETTABLE.set_fields(recipe, [f"method.refine.steps={steps}"])


def test_passes_change_nothing() -> None:
    recipe = recipe_of("method.refine.step_length=(0.1,0.1)")
    boxes = [[10.0 + k, 10, 20 + k, 30] for k in range(5)]
    many = found_of(boxes, [0.5] * 5, [1] * 5, [0] * 5)
    apart = ascended(Known(quadratic), replace(recipe, rois_per_pass=2), many)
    torch.testing.assert_close(apart.boxes, ascended(Known(quadratic), recipe, many).boxes)


def test_nothing_found_stays_nothing() -> None:
    none = found_of([], [], [], [])
    none = replace(none, boxes=torch.zeros(0, 4), image=none.image.long(), column=none.column.long())
    model = Known(quadratic)
    assert len(ascended(model, recipe_of(), suppressed(model, recipe_of(), none, 1)).image) == 0


def test_the_uncertainty_of_a_gaussian_energy_is_its_own() -> None:
    deviations = torch.tensor([0.05, 0.03, 0.04, 0.02])  # relative: of the centre and of the log-sizes
    size = torch.tensor([40.0, 80.0])
    center = rect_to_rel(torch.tensor([[100.0, 50, 40, 80]]), size)

    def gaussian(rects: Tensor) -> Tensor:
        return -0.5 * ((rect_to_rel(rects, size, validate=False) - center) / deviations).square().sum(-1)

    found = Found(torch.tensor([0]), torch.tensor([[100.0, 50, 140, 130]]), torch.ones(1), torch.tensor([1]))
    told = uncertainty_of(Known(gaussian), found, torch.tensor([[2.0, 2.0]]), samples=20_000)
    # Sides left and right in px of the picture, half those of the batch: x = cx 40 -+ 40 exp(s) / 2.
    left = math.hypot(40 * 0.05, 20 * 0.04) / 2
    top = math.hypot(80 * 0.03, 40 * 0.02) / 2
    expected = torch.tensor([left, top, left, top])
    deviation = told.covariance[0].diagonal().sqrt()
    torch.testing.assert_close(deviation, expected, atol=0, rtol=0.05)
    across = (40 * 0.05) ** 2 / 4 - (20 * 0.04) ** 2 / 4
    assert told.covariance[0, 0, 2].item() == pytest.approx(across, rel=0.1)
    middle = torch.tensor([50.0, 25, 70, 65])
    torch.testing.assert_close(told.interval[0].mean(-1), middle, atol=0.2, rtol=0)
    torch.testing.assert_close(told.interval[0].diff(dim=-1)[:, 0], 2 * 1.96 * expected, atol=0, rtol=0.06)
    log_density = -0.5 * 4 * math.log(2 * math.pi) - deviations.log().sum().item()
    assert told.log_density.item() == pytest.approx(log_density, abs=0.05)
    assert corners_of(rects_of(found.boxes)).tolist() == found.boxes.tolist()
