"""The density over boxes, on energies whose density is known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ebm.boxes import box_iou, rect_to_rel
from ebm.density import Density
from ebm.density.corners import CORNERS
from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from pytracking.tracker.common.box_density import BoxDensity
from pytracking.tracker.common.box_gaussian import gaussian_shape, laplace_covariance
from pytracking.tracker.common.geometry import CropView
from pytracking.tracker.common.relative_energy import RelativeEnergy, relative_jacobian

VIEW = CropView(center=np.array([201.0, 307.5]), scale=1.7, crop_size=(288, 352))
BOX = torch.tensor([270.0, 160.0, 80.0, 60.0], dtype=torch.float64)
SIZE = BOX[2:]
CENTER = rect_to_rel(BOX, SIZE)
ROOT = torch.tensor(  # covariance is ROOT ROOT^T
    [[0.03, 0, 0, 0], [0.01, 0.02, 0, 0], [0.02, 0, 0.05, 0], [0, -0.01, 0.02, 0.04]], dtype=torch.float64
)
COVARIANCE = ROOT @ ROOT.T
GAUSSIAN = torch.distributions.MultivariateNormal(CENTER, COVARIANCE)
OFFSET = torch.tensor([0.02, -0.01, 0.03, 0.01], dtype=torch.float64)


def to_frame(boxes: Tensor) -> Tensor:
    return torch.from_numpy(VIEW.image_boxes(boxes.detach().double().numpy()))


def log_normal(boxes: Tensor) -> Tensor:
    """An energy that is exactly Gaussian over r around BOX, of boxes in crop px; differentiable twice."""
    scale = torch.tensor([VIEW.scale] * 4, dtype=torch.float64)
    shift = to_frame(torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0] - torch.tensor([0, 0, *scale[2:]])
    frame = boxes.double() * scale + torch.cat((shift[:2], torch.zeros(2)))
    rel = torch.cat(((frame[..., :2] + frame[..., 2:] / 2) / SIZE, frame[..., 2:].log()), dim=-1)
    away = rel - CENTER - OFFSET
    return -0.5 * (away @ torch.linalg.inv(COVARIANCE) * away).sum(-1)


def relative(energy=log_normal, **changes: object) -> RelativeEnergy:
    options = {"view": VIEW, "center": CENTER, "size": SIZE, "reach": 0.75} | changes
    return RelativeEnergy(energy=energy, **options)


@pytest.fixture(scope="module")
def density() -> BoxDensity:
    return BoxDensity(relative(), num_samples=20_000, generator=torch.Generator().manual_seed(0))


def test_it_is_a_density_of_the_library(density: BoxDensity) -> None:
    assert isinstance(density, Density)
    assert (density.batch_size, density.target_dim) == (1, 4)
    torch.testing.assert_close(density.mean()[0], CENTER + OFFSET, atol=1e-3, rtol=0)
    torch.testing.assert_close(density.covariance()[0], COVARIANCE, atol=6e-5, rtol=0)
    log_z = 0.5 * torch.logdet(2 * math.pi * COVARIANCE)
    torch.testing.assert_close(density.log_partition()[0], log_z, atol=0.02, rtol=0)
    expected = GAUSSIAN.entropy()
    torch.testing.assert_close(density.entropy()[0], expected, atol=0.03, rtol=0)
    marginal = density.marginal(2)
    torch.testing.assert_close(marginal.std()[0, 0], COVARIANCE[2, 2].sqrt(), rtol=0.03, atol=0)
    assert float(density.effective_sample_size()) > 0.3 * 20_000


def test_the_mode_is_found_from_the_box(density: BoxDensity) -> None:
    torch.testing.assert_close(density.place, CENTER + OFFSET, atol=2e-4, rtol=0)
    torch.testing.assert_close(density.shape, COVARIANCE, rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(density.box, BOX)
    w, h = SIZE * torch.exp(OFFSET[2:])
    cx, cy = BOX[:2] + SIZE / 2 + OFFSET[:2] * SIZE
    np.testing.assert_allclose(density.mode_box, [cx - w / 2, cy - h / 2, w, h], atol=0.02)


def test_covariance_in_pixels(density: BoxDensity) -> None:
    mode = torch.from_numpy(density.mode_box)
    jacobian = torch.autograd.functional.jacobian(
        lambda rel: torch.cat((rel[:2] * SIZE - rel[2:].exp() / 2, rel[2:].exp())), density.place
    )
    torch.testing.assert_close(relative_jacobian(mode, SIZE), jacobian)
    exact = (jacobian @ COVARIANCE @ jacobian.T).numpy()
    np.testing.assert_allclose(density.box_covariance(), exact, rtol=0.02, atol=0.02)
    np.testing.assert_allclose(density.box_covariance("samples"), exact, rtol=0.05, atol=0.25)
    np.testing.assert_allclose(density.box_mean(), density.mode_box, atol=0.2)
    with pytest.raises(UnknownNameError, match="laplace"):
        density.box_covariance("laplas")


def test_log_density_in_pixels(density: BoxDensity) -> None:
    rel = CENTER + OFFSET + torch.tensor([[0.0] * 4, [0.03, -0.01, 0.02, 0.05]], dtype=torch.float64)
    boxes = density.energy.boxes(rel)
    exact = GAUSSIAN.log_prob(rel - OFFSET) - (SIZE.log().sum() + boxes[:, 2:].log().sum(1))
    np.testing.assert_allclose(density.box_log_prob(boxes.numpy()), exact.numpy(), atol=0.02)
    assert density.box_log_prob(boxes[0].numpy()).shape == ()
    far = boxes[0] + torch.tensor([80.0, 0, 0, 0])
    assert density.box_log_prob(far.numpy()) == -math.inf
    with pytest.raises(ShapeError, match="4"):
        density.box_log_prob([1.0, 2.0, 3.0])
    with pytest.raises(DomainError, match="height"):
        density.box_log_prob([1.0, 2.0, 3.0, 0.0])


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_regions_cover_what_they_say(density: BoxDensity, level: float) -> None:
    torch.manual_seed(1)
    truths = density.energy.boxes(GAUSSIAN.sample((4000,)) + OFFSET)
    covered = density.contains_box(truths.numpy(), level).mean()
    assert covered == pytest.approx(level, abs=0.02)
    assert density.contains_box(density.mode_box, level)


def test_samples_are_the_densitys(density: BoxDensity) -> None:
    boxes = density.sample_boxes(5000, torch.Generator().manual_seed(0))
    again = density.sample_boxes(5000, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(boxes, again)
    np.testing.assert_allclose(np.cov(boxes.T), density.box_covariance("samples"), rtol=0.1, atol=0.5)


def test_confidence_is_the_mass_of_good_boxes_times_presence(density: BoxDensity) -> None:
    torch.manual_seed(2)
    boxes = density.energy.boxes(GAUSSIAN.sample((40_000,)) + OFFSET)
    for least in (0.7, 0.9):
        share = float((box_iou(BOX, boxes) >= least).double().mean())
        assert density.overlap_probability(least) == pytest.approx(share, abs=0.015)
    assert density.confidence == pytest.approx(1.0, abs=1e-3)
    absent = BoxDensity(relative(), presence=0.3, generator=torch.Generator().manual_seed(0))
    assert absent.confidence == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("corner", CORNERS)
def test_density_of_a_corner_with_the_opposite_one_fixed(density: BoxDensity, corner: str) -> None:
    """A slice through the density in px: proportional to it, and normalised over the corner's places."""
    right, bottom = CORNERS[corner]
    grid = density.corner_density(corner, points=64)
    x, y = (float(BOX[k] + side * BOX[2 + k]) for k, side in ((0, right), (1, bottom)))
    places = torch.tensor([[[x, y], [x + 2.5, y - 1.5]]], dtype=torch.float64)
    got = grid.log_prob(places)[0]
    boxes = []
    for px, py in places[0].tolist():
        left = BOX[0] if right else px
        top = BOX[1] if bottom else py
        w, h = (px - left if right else BOX[0] + BOX[2] - px), (py - top if bottom else BOX[1] + BOX[3] - py)
        boxes.append([float(left), float(top), float(w), float(h)])
    exact = density.box_log_prob(np.array(boxes))
    assert float(got[1] - got[0]) == pytest.approx(exact[1] - exact[0], abs=1e-4)
    step = [float(axis.points[0, 1] - axis.points[0, 0]) for axis in grid.axes]
    fine = [torch.linspace(c - 40, c + 40, 400, dtype=torch.float64) for c in (x, y)]
    mesh = torch.stack(torch.meshgrid(*fine, indexing="ij"), -1).reshape(1, -1, 2)
    mass = grid.log_prob(mesh).exp().sum() * (80 / 399) ** 2
    assert float(mass) == pytest.approx(1.0, abs=0.05)
    assert max(step) < 5


def test_curvature_with_and_without_kinks() -> None:
    """Exactly, by an energy's own second derivatives; over a width, kinks count."""
    smooth = relative()
    exact = -torch.linalg.inv(COVARIANCE)
    for width in (0.0, 0.05):
        bend = smooth.curvature(CENTER + OFFSET, width)
        torch.testing.assert_close(bend, exact, rtol=1e-2, atol=5.0)
        torch.testing.assert_close(bend, bend.T)

    def roof(boxes: Tensor) -> Tensor:
        return -(boxes - boxes.new_tensor(BOX_IN_CROP)).abs().sum(-1)

    kinked = relative(roof)
    assert float(kinked.curvature(CENTER, 0.0).diagonal()[:2].abs().max()) < 1e-3
    assert float(kinked.curvature(CENTER, 0.05).diagonal().max()) < -100


BOX_IN_CROP = (
    (BOX[:2] - torch.tensor(VIEW.center[::-1].copy()) - 0.5) / VIEW.scale + torch.tensor([176.0, 144.0])
).tolist() + (SIZE / VIEW.scale).tolist()


def test_where_f_does_not_bend_down_the_reach_is_the_deviation() -> None:
    flat = relative(lambda boxes: (0 * boxes).sum(-1))
    shape = gaussian_shape(flat, CENTER, 0.05)
    torch.testing.assert_close(shape, 0.75**2 * torch.eye(4, dtype=torch.float64))
    assert laplace_covariance(flat, CENTER, shape)[2, 2] == pytest.approx((0.75 * 80) ** 2)
    uniform = BoxDensity(flat, num_samples=20_000, generator=torch.Generator().manual_seed(0))
    assert float(uniform.log_partition()) == pytest.approx(4 * math.log(1.5), abs=0.05)


def test_temperature_widens() -> None:
    warm = BoxDensity(
        relative(temperature=4.0), num_samples=20_000, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(warm.covariance()[0], 4 * COVARIANCE, atol=5e-4, rtol=0.05)
    torch.testing.assert_close(warm.shape, 4 * COVARIANCE, rtol=1e-2, atol=1e-5)


def test_scores_that_are_not_finite_have_no_density() -> None:
    def broken(boxes: Tensor) -> Tensor:
        return torch.where(boxes[..., 2] > 60, torch.nan, log_normal(boxes))

    made = BoxDensity(relative(broken), num_samples=4000, generator=torch.Generator().manual_seed(0))
    assert made.box_log_prob([270.0, 160.0, 110.0, 60.0]) == -math.inf
    assert made.sample_boxes(500)[:, 2].max() <= 60 * VIEW.scale


def test_a_box_at_other_temperatures(density: BoxDensity) -> None:
    """From the samples at hand, what a density that was made at that temperature says."""
    box = density.energy.boxes(CENTER + OFFSET + torch.tensor([0.03, -0.02, 0.04, 0.02])).numpy()
    got = density.at_temperatures(box, [1.0, 2.0])
    for index, factor in enumerate((1.0, 2.0)):
        made = BoxDensity(
            relative(temperature=factor), num_samples=20_000, generator=torch.Generator().manual_seed(3)
        )
        rel = rect_to_rel(torch.from_numpy(box), SIZE)[None]
        assert got.log_prob[index] == pytest.approx(float(made.log_prob(rel)), abs=0.05)
        assert got.rank[index] == pytest.approx(float(made.highest_density_rank(rel)), abs=0.03)
        assert got.overlap[index] == pytest.approx(made.overlap_probability(0.5), abs=0.01)
    assert got.rank[0] > got.rank[1] > 0.2
