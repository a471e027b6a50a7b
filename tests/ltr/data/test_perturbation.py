"""Moved labels: the published mean overlaps, and the limits that every box keeps."""

import pytest
import torch

from ebm.boxes import box_iou
from ebm.exceptions import DomainError, ShapeError
from ltr.data.perturbation import perturb_boxes

LABEL = torch.tensor([[100.0, 100.0, 80.0, 60.0]])


@pytest.mark.parametrize(
    ("sigma", "mean"), [(0.01, 0.97), (0.05, 0.84), (0.1, 0.71), (0.2, 0.52), (0.3, 0.39)]
)
def test_published_mean_overlaps(sigma: float, mean: float, generator: torch.Generator) -> None:
    count = 4000
    boxes, overlaps = perturb_boxes(LABEL.repeat(count, 1), torch.full((count,), sigma), 0.1, generator)
    assert overlaps.mean().item() == pytest.approx(mean, abs=0.02)  # published from 400 draws
    torch.testing.assert_close(overlaps, box_iou(boxes, LABEL))
    assert (overlaps > 0.1).all()


def test_boxes_are_whole_pixels_with_an_area(generator: torch.Generator) -> None:
    boxes, _ = perturb_boxes(LABEL.repeat(500, 1), torch.full((500,), 0.5), 0.0, generator)
    assert (boxes[:, 2:] > 1).all()
    assert torch.equal(boxes[:, :2], boxes[:, :2].round())


def test_tiny_labels_end_with_the_last_draw(generator: torch.Generator) -> None:
    labels = torch.tensor([[10.3, 20.7, 0.5, 0.5]]).repeat(8, 1)
    boxes, overlaps = perturb_boxes(labels, torch.full((8,), 0.3), 0.9, generator)
    assert boxes.isfinite().all()
    assert (boxes[:, 2:] > 0).all()
    assert (overlaps <= 0.9).all()


def test_the_generator_decides_and_labels_stay() -> None:
    labels, sigma = LABEL.repeat(3, 1), torch.tensor([0.1, 0.2, 0.3])
    first = perturb_boxes(labels, sigma, generator=torch.Generator().manual_seed(1))[0]
    assert torch.equal(first, perturb_boxes(labels, sigma, generator=torch.Generator().manual_seed(1))[0])
    assert torch.equal(labels, LABEL.repeat(3, 1))
    assert torch.equal(sigma, torch.tensor([0.1, 0.2, 0.3]))


def test_bad_labels() -> None:
    with pytest.raises(ShapeError, match=r"not \[4\] and \[1\]"):
        perturb_boxes(LABEL[0], torch.ones(1))
    with pytest.raises(DomainError, match="width and height > 0"):
        perturb_boxes(torch.tensor([[1.0, 2.0, 0.0, 4.0]]), torch.ones(1))
