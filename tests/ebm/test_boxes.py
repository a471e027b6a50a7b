"""Boxes against values worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ebm.boxes import box_iou, expand_box_sigmas, rect_to_rel, rel_to_rect
from ebm.exceptions import DomainError, ShapeError


def random_boxes(count: int, generator: torch.Generator) -> Tensor:
    corner = 1000 * torch.rand(count, 2, dtype=torch.float64, generator=generator) - 200
    size = 0.5 + 800 * torch.rand(count, 2, dtype=torch.float64, generator=generator) ** 2
    return torch.cat((corner, size), 1)


def test_published_anchor_values() -> None:
    box = torch.tensor([100.0, 120, 60, 40])
    rel = rect_to_rel(box, box[2:])
    torch.testing.assert_close(rel, torch.tensor([2.166667, 3.5, 4.094345, 3.688879]))
    moved = rel_to_rect(rel + torch.tensor([0.1, -0.2, 0.3, -0.1]), box[2:])
    torch.testing.assert_close(moved, torch.tensor([95.504227, 113.903252, 80.991547, 36.193501]))


@pytest.mark.parametrize("foreign", [False, True])
def test_round_trip_of_many_boxes(foreign: bool, generator: torch.Generator) -> None:
    boxes = random_boxes(100_000, generator)
    size = torch.tensor([37.0, 251.0]).double() if foreign else boxes[:, 2:]
    torch.testing.assert_close(rel_to_rect(rect_to_rel(boxes, size), size), boxes, rtol=1e-6, atol=1e-8)


def test_offsets_mean_shares_of_the_size() -> None:
    box = torch.tensor([10.0, 20, 30, 40])
    rel = rect_to_rel(box, box[2:])
    shifted = rel_to_rect(rel + torch.tensor([0.1, 0, 0, 0]), box[2:])
    torch.testing.assert_close(shifted, torch.tensor([13.0, 20, 30, 40]))
    doubled = rel_to_rect(rel + torch.tensor([0, 0, math.log(2), 0]), box[2:])
    torch.testing.assert_close(doubled, torch.tensor([-5.0, 20, 60, 40]))


def test_conversion_has_the_gradient_of_finite_differences(generator: torch.Generator) -> None:
    boxes = random_boxes(3, generator).requires_grad_()
    size = torch.tensor([12.0, 30.0]).double()
    assert torch.autograd.gradcheck(rect_to_rel, (boxes, size))
    assert torch.autograd.gradcheck(rel_to_rect, (rect_to_rel(boxes, size).detach().requires_grad_(), size))


@pytest.mark.parametrize(
    "bad", [[5.0, 5, 0, 3], [5.0, 5, 4, -1], [float("nan"), 5, 4, 4], [1.0, 1, float("inf"), 4]]
)
def test_boxes_without_area_or_number_are_refused(bad: list[float]) -> None:
    boxes = torch.tensor([[1.0, 2, 3, 4], bad])
    with pytest.raises(DomainError, match=r"rect\[1"):
        rect_to_rel(boxes, torch.ones(2))
    assert rect_to_rel(boxes, torch.ones(2), validate=False).shape == (2, 4)


def test_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match=r"rect of shape \(\.\.\., 4\), got \(3,\)"):
        rect_to_rel(torch.ones(3), torch.ones(2))
    with pytest.raises(ShapeError, match="size of shape"):
        rel_to_rect(torch.ones(4), torch.ones(4))
    with pytest.raises(ShapeError, match="pairs"):
        expand_box_sigmas([(0.1, 0.2, 0.3)])
    with pytest.raises(DomainError, match="size"):
        rect_to_rel(torch.ones(4), torch.tensor([1.0, 0.0]))


def test_boxes_of_another_kind_are_refused() -> None:
    box, size = torch.ones(4), torch.ones(2)
    for call in (lambda d: rect_to_rel(box.to(d), size), lambda d: rel_to_rect(box, size.to(d))):
        with pytest.raises(TypeError, match="one device"):
            call("meta")
        with pytest.raises(TypeError, match="bool"):
            call(torch.bool)
    with pytest.raises(TypeError, match="one device"):
        box_iou(box, box.to("meta"))
    whole = torch.tensor([[1, 2, 3, 4]])
    torch.testing.assert_close(
        rect_to_rel(whole, whole[:, 2:]), rect_to_rel(whole.float(), whole[:, 2:].float())
    )


def test_published_overlaps() -> None:
    boxes = torch.tensor([[15.0, 15, 20, 20], [40, 40, 5, 5], [10, 10, 20, 20]])
    overlap = box_iou(torch.tensor([10.0, 10, 20, 20]), boxes)
    torch.testing.assert_close(overlap, torch.tensor([0.391304, 0, 1]), atol=1e-6, rtol=0)


def test_overlap_of_all_pairs_and_of_boxes_without_area() -> None:
    a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 4, 4]])
    b = torch.tensor([[0.0, 0, 2, 2], [2, 2, 2, 2], [1, 1, 0, 0]])
    torch.testing.assert_close(box_iou(a[:, None], b[None]), torch.tensor([[1.0, 0, 0], [0.25, 0.25, 0]]))
    assert box_iou(torch.zeros(4), torch.zeros(4)) == 0
    assert box_iou(torch.zeros(0, 4), torch.ones(1, 4)).shape == (0,)


numbers = st.floats(-50, 50)
sides = st.floats(0, 60)


@given(
    a=st.tuples(numbers, numbers, sides, sides), b=st.tuples(numbers, numbers, sides, sides), shift=numbers
)
def test_overlap_is_symmetric_bounded_and_moves_with_the_boxes(
    a: tuple[float, ...], b: tuple[float, ...], shift: float
) -> None:
    first, second = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    overlap = box_iou(first, second)
    move = torch.tensor([shift, -shift, 0, 0], dtype=torch.float64)
    assert 0 <= overlap <= 1
    assert overlap == box_iou(second, first)
    if min(*a[2:], *b[2:]) > 1e-3:
        torch.testing.assert_close(box_iou(first + move, second + move), overlap, atol=1e-6, rtol=1e-6)


def test_sigma_pairs_become_rows() -> None:
    expanded = expand_box_sigmas([(0.05, 0.1), (0.5, 0.7)])
    torch.testing.assert_close(expanded, torch.tensor([[0.05, 0.05, 0.1, 0.1], [0.5, 0.5, 0.7, 0.7]]))
    assert expand_box_sigmas([]).shape == (0, 4)
