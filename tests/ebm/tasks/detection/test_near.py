"""f of boxes that move little: the values and gradients that autograd finds on the whole maps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.gradients import ScoreWithGradient, score_and_gradient
from ebm.tasks.detection import prediction
from ebm.tasks.detection.branch import ConfidenceBranch, corners_of
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.near import NearEnergy, fits_near
from ebm.tasks.detection.near_cells import NearCells
from ebm.tasks.detection.prediction import Found, ascended
from ebm.tasks.detection.recipes import BranchRecipe, find_recipe
from tests.ebm.tasks.detection.energies import boxes, energy


def require_same(
    near: NearEnergy, model: PyramidEnergy, rects: Tensor, image: Tensor, column: Tensor
) -> None:
    expected = score_and_gradient(model.of_boxes(image, column), rects)
    value, gradient = near.value_and_gradient(rects)
    torch.testing.assert_close(value, expected.score, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, expected.gradient, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(near(rects), expected.score, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("count", [1, 7, 60])
def test_values_and_gradients_are_those_of_autograd(count: int, columns: int) -> None:
    model = energy(columns)
    rects, image, column = boxes(count)
    near = NearEnergy(model.branch, model.pyramid, image, column)
    assert isinstance(near, ScoreWithGradient)
    assert fits_near(model.branch, model.pyramid)
    require_same(near, model, rects, image, column)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), far=st.sampled_from([0.5, 8.0, 60.0]))
def test_boxes_may_go_wherever_they_like(seed: int, far: float) -> None:
    """Out of their cells, onto another level, off the picture, to another size: others are gathered."""
    model = energy()
    rects, image, column = boxes(9, seed)
    near = NearEnergy(model.branch, model.pyramid, image, column)
    noise = torch.Generator().manual_seed(seed)
    for _ in range(4):
        require_same(near, model, rects, image, column)
        move = far * torch.randn(9, 4, generator=noise) * (torch.rand(9, 1, generator=noise) < 0.5)
        rects = rects + move
        rects[:, 2:] = rects[:, 2:].abs() + 0.5


def test_cells_hold_boxes_that_move_little() -> None:
    model = energy()
    rects, image, _ = boxes(8)
    corners = corners_of(rects)
    cells = NearCells(model.pyramid, image, 7, [(5, 1), (3, 1)])
    assert not cells.hold(corners)
    cells.gather(corners)
    assert cells.hold(corners)
    assert cells.hold(corners + 0.5)
    for corner, value in ((0, -500.0), (2, torch.nan), (2, torch.inf), (3, 1e4), (2, float(corners[4, 0]))):
        moved = corners.clone()
        moved[4, corner] = value
        assert not cells.hold(moved)


def test_boxes_without_area_score_as_they_do_elsewhere() -> None:
    model = energy()
    rects, image, column = boxes(5)
    near = NearEnergy(model.branch, model.pyramid, image, column)
    rects[2, 3] = 0
    require_same(near, model, rects, image, column)


def test_a_box_of_any_size_takes_no_more_than_the_map() -> None:
    model = energy()
    rects, image, column = boxes(4)
    rects[1] = torch.tensor([-1e6, -2e6, 3e6, 4e6])  # cells around all of it would take terabytes
    rects[2] = torch.tensor([5e5, 5e5, 40, 30])  # nowhere near the picture
    near = NearEnergy(model.branch, model.pyramid, image, column)
    expected = score_and_gradient(model.of_boxes(image, column), rects)
    value, gradient = near.value_and_gradient(rects)
    torch.testing.assert_close(value, expected.score, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(gradient, expected.gradient, rtol=1e-3, atol=1e-5)


def test_numbers_that_are_not_finite_score_as_they_do_elsewhere() -> None:
    model = energy()
    rects, image, column = boxes(3)
    rects[0, 2] = torch.inf
    value = NearEnergy(model.branch, model.pyramid, image, column).value_and_gradient(rects)[0]
    expected = score_and_gradient(model.of_boxes(image, column), rects).score
    torch.testing.assert_close(value, expected, equal_nan=True)


def test_an_ascent_ends_where_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = find_recipe("nce+", "light")
    assert isinstance(recipe, BranchRecipe)
    model = energy()
    rects, image, column = boxes(30)
    corners = torch.cat((rects[:, :2], rects[:, :2] + rects[:, 2:]), 1)
    found = Found(image, corners, torch.ones(30), column)
    near = ascended(model, recipe, found)
    monkeypatch.setattr(prediction, "fits_near", lambda *parts: False)
    plain = ascended(model, recipe, found)
    assert not torch.equal(near.boxes, corners)
    torch.testing.assert_close(near.boxes, plain.boxes, rtol=1e-4, atol=1e-2)
    assert near.energy is not None
    assert plain.energy is not None
    torch.testing.assert_close(near.energy, plain.energy, rtol=1e-4, atol=1e-4)


def test_other_branches_are_not_taken_for_it() -> None:
    class Own(ConfidenceBranch):
        def forward(self, pooled: Tensor, column: Tensor) -> Tensor:
            return pooled.mean((1, 2, 3))

    model = energy()
    assert not fits_near(Own(6, 3, hidden=16), model.pyramid)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not fits_near(model.branch, model.pyramid)
    model.branch.double()
    assert not fits_near(model.branch, model.pyramid)
