"""Levels by the size of boxes, and pooling from them."""

import pytest
import torch

from ebm.exceptions import DomainError, ShapeError
from ebm.tasks.detection.pyramid import LevelRule, Pyramid

RULE = LevelRule((4, 8, 16, 32))


def square(side: float) -> list[float]:
    return [10.0, 20.0, 10.0 + side, 20.0 + side]


@pytest.mark.parametrize(
    ("side", "level"),
    [(1, 0), (111.9, 0), (112, 1), (223.9, 1), (224, 2), (447.9, 2), (448, 3), (5000, 3)],
)
def test_a_border_belongs_to_the_coarser_level(side: float, level: int) -> None:
    assert RULE.assign(torch.tensor([square(side)])).tolist() == [level]


def test_the_area_counts_not_the_shape() -> None:
    boxes = torch.tensor([[0.0, 0, 448, 112], [0, 0, 112, 448], [0, 0, 447, 112]])
    assert RULE.assign(boxes).tolist() == [2, 2, 1]


def test_a_box_without_area_is_on_the_finest_level() -> None:
    assert RULE.assign(torch.tensor([[5.0, 5, 5, 9], [9.0, 9, 3, 3]])).tolist() == [0, 0]


def test_levels_follow_strides_and_canonical_size() -> None:
    rule = LevelRule((8, 16, 32, 64, 128), 112.0)
    boxes = torch.tensor([square(side) for side in (30, 60, 112, 230, 500, 4000)])
    assert rule.assign(boxes).tolist() == [0, 0, 1, 2, 3, 4]


def test_a_rule_agrees_with_torchvision() -> None:
    from torchvision.ops.poolers import LevelMapper

    boxes = torch.rand(500, 4) * 600
    boxes[:, 2:] += boxes[:, :2]
    assert torch.equal(RULE.assign(boxes), LevelMapper(2, 5)([boxes]))


@pytest.mark.parametrize("strides", [(), (4, 16), (3, 6), (8, 4), (0, 0)])
def test_strides_that_are_no_pyramid_are_refused(strides: tuple[int, ...]) -> None:
    with pytest.raises(DomainError):
        LevelRule(strides)


def ramps(rule: LevelRule, side: int = 512) -> Pyramid:
    """Maps that hold, at every cell, the x of its centre in px, its y, and the number of the level."""
    maps = {}
    for level, stride in enumerate(rule.strides):
        cells = torch.arange(side // stride) * float(stride)
        y, x = torch.meshgrid(cells, cells, indexing="ij")
        one = torch.stack((x, y, torch.full_like(x, level)))
        maps[str(level)] = torch.stack((one, one + 1000))
    return Pyramid(maps, tuple(maps), rule)


def test_every_box_is_pooled_from_its_own_level_and_image_in_its_place() -> None:
    boxes = torch.tensor([[40.0, 60, 300, 320], [20, 30, 50, 80], [100, 90, 250, 200], [10, 10, 460, 470]])
    image = torch.tensor([1, 0, 1, 0])
    pooled = ramps(RULE).pool(image, boxes, 7)
    middle = pooled[:, :, 3, 3] - 1000.0 * image[:, None]  # the bin in the middle of the box
    torch.testing.assert_close(middle[:, 0], boxes[:, 0::2].mean(-1))
    torch.testing.assert_close(middle[:, 1], boxes[:, 1::2].mean(-1))
    assert middle[:, 2].round().tolist() == RULE.assign(boxes).tolist() == [2, 0, 1, 3]


def test_pooling_is_differentiable_in_the_boxes_of_all_levels() -> None:
    boxes = torch.tensor([[40.0, 60, 300, 320], [20, 30, 50, 80]], requires_grad=True)
    ramps(RULE).pool(torch.tensor([0, 0]), boxes, 7)[:, 0].mean((1, 2)).sum().backward()
    # The mean of x over a box is its centre.
    torch.testing.assert_close(boxes.grad, torch.tensor([[0.5, 0, 0.5, 0]] * 2), atol=1e-4, rtol=0)


def test_no_boxes_give_no_rows() -> None:
    assert ramps(RULE).pool(torch.zeros(0, dtype=torch.long), torch.zeros(0, 4), 7).shape == (0, 3, 7, 7)


def test_names_and_strides_must_be_as_many() -> None:
    with pytest.raises(ShapeError, match="1 levels and 4 strides"):
        Pyramid({"0": torch.zeros(1, 1, 2, 2)}, ("0",), RULE)


def test_areas_of_levels_are_where_boxes_change_level() -> None:
    rule = LevelRule((4, 8, 16, 32), 112.0)
    areas = rule.areas()
    assert areas[0, 0] == 0
    assert areas[-1, 1] == torch.inf
    torch.testing.assert_close(areas[1:, 0], areas[:-1, 1])
    for level, border in enumerate(areas[:-1, 1].sqrt().tolist()):
        sides = torch.tensor([0.999 * border, 1.001 * border])
        boxes = torch.stack((torch.zeros(2), torch.zeros(2), sides, sides), 1)
        assert rule.assign(boxes).tolist() == [level, level + 1]
