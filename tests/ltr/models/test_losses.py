"""The hinged regression loss against published numbers and by hand."""

import math

import pytest
import torch
from torch import Tensor

from ltr.models.loss import LBHinge


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
