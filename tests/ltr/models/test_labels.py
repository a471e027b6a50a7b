"""Label maps against the published numbers and by geometry."""

import pytest
import torch

from ebm.exceptions import ShapeError
from ltr.models.target_classifier.labels import gaussian_label_function

BOX = torch.tensor([[100.0, 120.0, 60.0, 40.0]])


def test_published_label_of_an_even_filter() -> None:
    label = gaussian_label_function(BOX, 0.05, 4, 18, 288)
    assert label.shape == (1, 19, 19)
    assert label.double().sum().item() == pytest.approx(5.089381, rel=1e-5)
    assert label.argmax().item() == 179
    assert label.max().item() == pytest.approx(0.952919, rel=1e-5)
    assert label[0, 8, 8].item() == pytest.approx(0.699865, rel=1e-5)


@pytest.mark.parametrize(
    ("sigma", "kernel", "feat", "image", "side", "total"),
    [(0.05, 3, 18, 288, 18, 5.089379), (0.25 / 6, 4, 22, 352, 23, 5.279621)],
)
def test_published_sums(sigma: float, kernel: int, feat: int, image: int, side: int, total: float) -> None:
    label = gaussian_label_function(BOX, sigma, kernel, feat, image)
    assert label.shape == (1, side, side)
    assert label.double().sum().item() == pytest.approx(total, rel=1e-5)


def test_published_densities() -> None:
    density = gaussian_label_function(BOX, 0.05, 4, 18, 288, density=True)
    assert density.double().sum().item() == pytest.approx(1.0, rel=1e-5)
    mixed = gaussian_label_function(BOX, 0.05, 4, 18, 288, density=True, uni_bias=0.2)
    assert mixed[0, 0, 0].item() == pytest.approx(0.000554, abs=5e-7)


def test_peak_is_at_centre_over_stride_for_even_filters_and_half_a_cell_less_for_odd_ones() -> None:
    box = torch.tensor([[0.0, 0.0, 16 * 2 * 5.0, 16 * 2 * 7.0]])  # centre at cell (5, 7)
    even = gaussian_label_function(box, 0.05, 4, 18, 288)[0]
    assert even[7, 5].item() == pytest.approx(1.0)
    odd = gaussian_label_function(box + torch.tensor([8.0, 8.0, 0.0, 0.0]), 0.05, 3, 18, 288)[0]
    assert odd[7, 5].item() == pytest.approx(1.0)


def test_pairs_are_width_and_height() -> None:
    box = torch.tensor([[0.0, 0.0, 64.0, 32.0]])
    label = gaussian_label_function(box, 0.05, (4, 3), (20, 10), (320, 160))
    assert label.shape == (1, 10, 21)
    unpadded = gaussian_label_function(box, 0.05, (4, 3), (20, 10), (320, 160), end_pad_if_even=False)
    torch.testing.assert_close(unpadded, label[:, :, :20])
    torch.testing.assert_close(
        gaussian_label_function(box, 0.05, 4, 18, 288, uni_bias=0.5).min(), torch.tensor(0.5)
    )


def test_labels_of_several_boxes_are_their_own() -> None:
    boxes = torch.tensor([[10.0, 20, 30, 40], [100, 120, 60, 40], [200, 100, 20, 20]])
    together = gaussian_label_function(boxes, 0.05, 4, 18, 288)
    for row, box in enumerate(boxes):
        torch.testing.assert_close(
            together[row : row + 1], gaussian_label_function(box[None], 0.05, 4, 18, 288)
        )


def test_shape_is_checked() -> None:
    with pytest.raises(ShapeError, match=r"\[N, 4\], not \[4\]"):
        gaussian_label_function(BOX[0], 0.05, 4, 18, 288)
