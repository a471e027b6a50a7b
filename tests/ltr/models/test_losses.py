"""Losses against published numbers, by hand and by geometry."""

import math

import pytest
import torch
from torch import Tensor

from ltr.models.loss import LBHinge
from ltr.models.loss.bbr_loss import box_giou, giou_loss, iou_loss
from ltr.models.loss.kl_regression import KLRegression, KLRegressionGrid, MLRegression


def gaussian_labels(
    boxes: Tensor, sigma_factor: float, kernel: int, feat: tuple[int, int], image: tuple[int, int]
) -> Tensor:
    """Label maps ``(N, h, w)`` of xywh boxes ``(N, 4)`` px; `feat` and `image` are (x, y) sizes."""
    sigma = sigma_factor * math.sqrt(feat[0] * feat[1])
    axes = []
    for k in range(2):
        cells = feat[k] + (kernel + 1) % 2
        grid = torch.arange(cells) - (feat[k] - 1) / 2
        middle = boxes[:, k] + boxes[:, 2 + k] / 2
        center = feat[k] * (middle - image[k] / 2) / image[k] + 0.5 * ((kernel + 1) % 2)
        axes.append(torch.exp(-((grid[None] - center[:, None]) ** 2) / (2 * sigma**2)))
    return axes[1][:, :, None] * axes[0][:, None, :]


@pytest.fixture
def maps(pattern) -> tuple[Tensor, Tensor]:
    boxes = torch.tensor(
        [
            [[20.0, 16, 30, 24], [30, 24, 28, 20], [10, 30, 40, 26]],
            [[24.0, 20, 30, 24], [26, 28, 28, 20], [14, 26, 40, 26]],
        ]
    )
    label = gaussian_labels(boxes.reshape(6, 4), 0.05, 4, (6, 5), (96, 80)).reshape(2, 3, 6, 7)
    assert label.sum().item() == pytest.approx(2.620845, rel=1e-5)
    return pattern((2, 3, 6, 7), 0.9), label


def test_anchors(maps) -> None:
    assert LBHinge(threshold=0.05)(*maps).item() == pytest.approx(0.238747, rel=1e-4)
    assert LBHinge(threshold=0.05, clip=0.1)(*maps).item() == pytest.approx(0.1, rel=1e-6)
    assert LBHinge()(*maps).item() == pytest.approx(0.488758, rel=1e-4)


def test_low_scores_on_the_background_cost_nothing_and_take_no_gradient() -> None:
    scores = torch.tensor([-5.0, 2.0, 0.5], requires_grad=True)
    loss = LBHinge(threshold=0.05)(scores, torch.tensor([0.01, 0.01, 1.0]))
    assert loss.item() == pytest.approx((0.0 + 4.0 + 0.25) / 3)
    loss.backward()
    torch.testing.assert_close(scores.grad, torch.tensor([0.0, 4.0 / 3, -1.0 / 3]))


def test_the_loss_is_float32_under_autocast(maps) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = LBHinge(threshold=0.05)(*maps)
    assert loss.dtype == torch.float32


def test_anchors_of_regression_by_samples(pattern) -> None:
    scores, q, p = pattern((2, 5), 0.8), pattern((2, 5), 0.3).exp(), pattern((2, 5), 0.5, 1.0).exp()
    assert KLRegression()(scores, q, p, mc_dim=1).item() == pytest.approx(-0.623535, rel=1e-4)
    marked = torch.cat((-torch.ones(2, 1), q[:, 1:]), dim=1)
    assert MLRegression()(scores, marked, mc_dim=1).item() == pytest.approx(0.159039, rel=1e-4)


def test_anchors_of_regression_on_a_grid(pattern) -> None:
    scores = pattern((2, 3, 6, 7), 0.9)
    density = pattern((2, 3, 42), 0.4).softmax(dim=-1).reshape(2, 3, 6, 7)
    loss = KLRegressionGrid()
    assert loss(scores, density, grid_dim=(-2, -1)).item() == pytest.approx(3.970535, rel=1e-4)
    scaled = loss(scores, density, grid_dim=(-2, -1), grid_scale=0.5)
    assert scaled.item() == pytest.approx(3.278467, rel=1e-4)


BOX = [0.0, 0.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("other", "iou", "giou"),
    [
        (BOX, 1.0, 1.0),
        ([0.0, 0.0, 5.0, 5.0], 0.25, 0.25),  # a quarter of it: the hull is the larger box
        ([10.0, 0.0, 10.0, 10.0], 0.0, 0.0),  # side by side: the hull is their union
        ([10.0, 10.0, 10.0, 10.0], 0.0, -0.5),  # diagonal: half the hull is wasted
        ([5.0, 0.0, 10.0, 10.0], 1 / 3, 1 / 3),
    ],
)
def test_overlaps_by_geometry(other, iou, giou) -> None:
    a, b = torch.tensor([BOX]), torch.tensor([other])
    assert iou_loss(a, b).item() == pytest.approx(1 - iou)
    assert giou_loss(a, b).item() == pytest.approx(1 - giou)
    torch.testing.assert_close(box_giou(a, b), box_giou(b, a))


def test_boxes_apart_are_drawn_together_by_the_generalised_overlap_alone() -> None:
    a = torch.tensor([[30.0, 0.0, 10.0, 10.0]], requires_grad=True)
    b = torch.tensor([BOX])
    (pull,) = torch.autograd.grad(giou_loss(a, b), a)
    assert pull[0, 0] > 0  # a smaller x lowers the loss
    (none,) = torch.autograd.grad(iou_loss(a, b), a)
    assert none.eq(0).all()


def test_no_box_is_no_loss_and_points_are_finite() -> None:
    assert giou_loss(torch.zeros(0, 4), torch.zeros(0, 4)).item() == 0.0
    point = torch.tensor([[3.0, 3.0, 0.0, 0.0]])
    assert giou_loss(point, point, reduction="none").isfinite().all()
