"""Guided suppression against examples done by hand and a plain loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.boxes import box_iou
from ebm.exceptions import DomainError, ShapeError
from ebm.nms import guided_nms

# Boxes 0 to 2 overlap each other by more than a half, 3 overlaps 1 by exactly a half, 4 stands alone.
BOXES = torch.tensor([[0.0, 0, 10, 10], [1, 0, 10, 10], [2, 0, 10, 10], [1, 0, 10, 5], [50, 50, 4, 4]])
F = torch.tensor([1.0, 3.0, 2.0, 0.5, -1.0])
P = torch.tensor([0.9, 0.2, 0.4, 0.3, 0.6])
ONE_CLASS = torch.ones(5, dtype=torch.long)


def test_five_boxes_by_hand() -> None:
    kept = guided_nms(BOXES, F, P, ONE_CLASS)
    # Box 1 has the best score and gathers 0 and 2; exactly a half is not more than a half, so 3 stays.
    assert kept.index.tolist() == [1, 4, 3]
    torch.testing.assert_close(kept.confidence, torch.tensor([0.9, 0.6, 0.3]))


def test_classes_do_not_suppress_each_other() -> None:
    kept = guided_nms(BOXES, F, P, torch.tensor([1, 2, 1, 7, 7]))
    # Class 1: box 2 beats box 0 and takes its 0.9. Class 2: box 1 alone. Class 7: 3 and 4 do not overlap.
    assert kept.index.tolist() == [2, 4, 3, 1]
    torch.testing.assert_close(kept.confidence, torch.tensor([0.9, 0.6, 0.3, 0.2]))


def test_a_removed_box_does_not_lend_its_probability_twice() -> None:
    # 0 leads and takes 1; 2 overlaps 1 but not 0, and keeps its own probability.
    boxes = torch.tensor([[0.0, 0, 10, 10], [3, 0, 10, 10], [6, 0, 10, 10]])
    kept = guided_nms(boxes, torch.tensor([3.0, 2, 1]), torch.tensor([0.1, 0.8, 0.2]), ONE_CLASS[:3])
    assert kept.index.tolist() == [0, 2]
    torch.testing.assert_close(kept.confidence, torch.tensor([0.8, 0.2]))


def test_equal_scores_favour_the_earlier_box_and_empty_boxes_stand_alone() -> None:
    same = BOXES[:1].expand(3, -1)
    kept = guided_nms(same, torch.zeros(3), torch.tensor([0.1, 0.2, 0.3]), ONE_CLASS[:3])
    assert kept.index.tolist() == [0]
    assert kept.confidence.item() == pytest.approx(0.3)
    flat = torch.tensor([[5.0, 5, 0, 0], [5, 5, 0, 0]])
    kept = guided_nms(flat, torch.tensor([1.0, 2.0]), torch.tensor([0.1, 0.2]), ONE_CLASS[:2])
    assert kept.index.tolist() == [1, 0]
    torch.testing.assert_close(kept.confidence, torch.tensor([0.2, 0.1]))


def test_the_cut_keeps_ties() -> None:
    apart = torch.stack([torch.tensor([20.0 * i, 0, 10, 10]) for i in range(6)])
    p = torch.tensor([0.5, 0.9, 0.5, 0.7, 0.5, 0.1])
    kept = guided_nms(apart, torch.zeros(6), p, torch.arange(6), max_detections=3)
    assert kept.index.tolist() == [1, 3, 0, 2, 4]
    assert guided_nms(apart, torch.zeros(6), p, torch.arange(6), max_detections=2).index.tolist() == [1, 3]
    assert len(guided_nms(apart, torch.zeros(6), p, torch.arange(6), max_detections=6).index) == 6
    assert len(guided_nms(apart, torch.zeros(6), p, torch.arange(6), max_detections=None).index) == 6


def test_no_hypotheses_give_no_detections() -> None:
    kept = guided_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0), torch.zeros(0, dtype=torch.long))
    assert kept.index.shape == kept.confidence.shape == (0,)
    assert kept.index.dtype == torch.long


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 40),
    threshold=st.floats(0, 1),
    classes=st.integers(1, 3),
)
@settings(max_examples=50, deadline=None)
def test_agrees_with_a_plain_loop(seed: int, count: int, threshold: float, classes: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    boxes = torch.cat(
        (20 * torch.rand(count, 2, generator=draw), 1 + 20 * torch.rand(count, 2, generator=draw)), 1
    )
    f = torch.randint(0, 6, (count,), generator=draw).float()
    p = torch.rand(count, generator=draw)
    labels = torch.randint(0, classes, (count,), generator=draw)
    overlap = box_iou(boxes[:, None], boxes[None])
    expected, rest = {}, set(range(count))
    while rest:
        top = min(rest, key=lambda i: (-f[i].item(), i))
        cluster = {i for i in rest if labels[i] == labels[top] and overlap[top, i] > threshold} | {top}
        expected[top] = max(p[i].item() for i in cluster)
        rest -= cluster
    kept = guided_nms(boxes, f, p, labels, iou_threshold=threshold)
    assert dict(zip(kept.index.tolist(), kept.confidence.tolist())) == expected
    assert kept.confidence.tolist() == sorted(kept.confidence.tolist(), reverse=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"boxes": torch.zeros(5, 3)}, ShapeError, r"\(N, 4\)"),
        ({"f": F[:4]}, ShapeError, r"expected f of shape \(5,\), got \(4,\)"),
        ({"labels": ONE_CLASS.float()}, TypeError, "labels must be integers"),
        ({"f": F.log()}, DomainError, r"f\[4\] is nan"),
        ({"probability": P / 0}, DomainError, r"probability\[0\] is inf"),
        ({"boxes": BOXES * math.nan}, DomainError, r"boxes\[0, 0\] is nan"),
        ({"iou_threshold": 1.5}, ValueError, "iou_threshold"),
        ({"max_detections": 0}, ValueError, "max_detections must be an integer >= 1"),
    ],
)
def test_impossible_input_is_refused(change: dict, error: type, message: str) -> None:
    arguments = {"boxes": BOXES, "f": F, "probability": P, "labels": ONE_CLASS} | change
    with pytest.raises(error, match=message):
        guided_nms(**arguments)
