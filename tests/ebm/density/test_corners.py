"""The density of a corner, of an energy whose slice is known."""

import pytest
import torch
from torch import Tensor

from ebm.density.corners import CORNERS, corner_density
from ebm.exceptions import UnknownNameError

BOX = torch.tensor([30.0, 40.0, 20.0, 10.0], dtype=torch.float64)


def energy(boxes: Tensor) -> Tensor:
    """Gaussian in width and height, 1 and 0.5 px wide, per px^2: the slice takes the logarithms off."""
    away = (boxes[..., 2:] - BOX[2:]) / torch.tensor([1.0, 0.5], dtype=torch.float64)
    return -0.5 * away.square().sum(-1) + boxes[..., 2:].log().sum(-1)


@pytest.mark.parametrize("corner", CORNERS)
def test_a_gaussian_corner_is_found_where_and_as_wide_as_it_is(corner: str) -> None:
    right, bottom = CORNERS[corner]
    density = corner_density(energy, BOX, corner, reach=0.5)
    place = BOX[:2] + torch.tensor([right, bottom]) * BOX[2:]
    torch.testing.assert_close(density.mean()[0], place, atol=0.01, rtol=0)
    std = density.covariance()[0].diagonal().sqrt()
    torch.testing.assert_close(std, torch.tensor([1.0, 0.5], dtype=torch.float64), atol=0, rtol=0.02)


def test_another_corner_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'top-left'"):
        corner_density(energy, BOX, "topleft", reach=0.5)  # type: ignore[arg-type]
