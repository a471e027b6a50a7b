"""f of boxes that move little: the values and gradients that autograd finds on the whole maps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.gradients import ScoreWithGradient, score_and_gradient
from ebm.tasks.detection.branch import ConfidenceBranch, PyramidEnergy
from ebm.tasks.detection.near import NearEnergy
from ebm.tasks.detection.prediction import Found, ascended
from ebm.tasks.detection.pyramid import LevelRule, Pyramid
from ebm.tasks.detection.recipes import BranchRecipe, find_recipe

RULE = LevelRule((4, 8, 16, 32), 112.0)
NAMES = ("0", "1", "2", "3")


def energy(columns: int = 3) -> PyramidEnergy:
    noise = torch.Generator().manual_seed(0)
    maps = {
        name: torch.randn(2, 6, 128 // stride, 160 // stride, generator=noise)
        for name, stride in zip(NAMES, RULE.strides)
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        branch = ConfidenceBranch(6, columns, hidden=16)
        torch.nn.init.normal_(branch.fc_conf.weight)
    return PyramidEnergy(branch.requires_grad_(False), Pyramid(maps, NAMES, RULE))


def boxes(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rects xywh, some of them over the border, images and columns."""
    noise = torch.Generator().manual_seed(seed)
    corner = 160 * torch.rand(count, 2, generator=noise) - 30
    sides = 3 + 150 * torch.rand(count, 2, generator=noise).square()
    image, column = (torch.randint(size, (count,), generator=noise) for size in (2, 3))
    return torch.cat((corner, sides), 1), image, column


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
    near = NearEnergy(model, image, column)
    assert isinstance(near, ScoreWithGradient)
    assert NearEnergy.fits(model)
    require_same(near, model, rects, image, column)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), far=st.sampled_from([0.5, 8.0, 60.0]))
def test_boxes_may_go_wherever_they_like(seed: int, far: float) -> None:
    """Out of their cells, onto another level, off the picture, to another size: others are gathered."""
    model = energy()
    rects, image, column = boxes(9, seed)
    near = NearEnergy(model, image, column)
    noise = torch.Generator().manual_seed(seed)
    for _ in range(4):
        require_same(near, model, rects, image, column)
        move = far * torch.randn(9, 4, generator=noise) * (torch.rand(9, 1, generator=noise) < 0.5)
        rects = rects + move
        rects[:, 2:] = rects[:, 2:].abs() + 0.5


def test_boxes_without_area_score_as_they_do_elsewhere() -> None:
    model = energy()
    rects, image, column = boxes(5)
    near = NearEnergy(model, image, column)
    rects[2, 3] = 0
    require_same(near, model, rects, image, column)


def test_a_box_of_any_size_takes_no_more_than_the_map() -> None:
    model = energy()
    rects, image, column = boxes(4)
    rects[1] = torch.tensor([-1e6, -2e6, 3e6, 4e6])  # cells around all of it would take terabytes
    rects[2] = torch.tensor([5e5, 5e5, 40, 30])  # nowhere near the picture
    near = NearEnergy(model, image, column)
    expected = score_and_gradient(model.of_boxes(image, column), rects)
    value, gradient = near.value_and_gradient(rects)
    torch.testing.assert_close(value, expected.score, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(gradient, expected.gradient, rtol=1e-3, atol=1e-5)


def test_numbers_that_are_not_finite_score_as_they_do_elsewhere() -> None:
    model = energy()
    rects, image, column = boxes(3)
    rects[0, 2] = torch.inf
    value = NearEnergy(model, image, column).value_and_gradient(rects)[0]
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
    monkeypatch.setattr(NearEnergy, "fits", classmethod(lambda cls, model: False))
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
    assert not NearEnergy.fits(PyramidEnergy(Own(6, 3, hidden=16), model.pyramid))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not NearEnergy.fits(model)
    model.branch.double()
    assert not NearEnergy.fits(model)
