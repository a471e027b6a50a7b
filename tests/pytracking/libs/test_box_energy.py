"""The closed-form energy and gradient against the network's own forward pass and autograd."""

import pytest
import torch
from torch import Tensor

from ebm.predict import BoxSpace, refine_boxes
from ltr.models.bbreg.atom_iou_net import AtomIoUNet
from pytracking.libs.box_energy import ImageEnergy
from pytracking.libs.box_head import fold_head, is_foldable


def branch(generator: torch.Generator) -> AtomIoUNet:
    """A narrow box branch in double precision with batch norms that do something."""
    torch.manual_seed(0)
    net = AtomIoUNet((6, 8), (10, 12), (14, 16), reference_dim=(6, 8), reference_fc_dim=8, test_dim=(6, 8))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.double().eval().requires_grad_(False)


def setting(net: AtomIoUNet, generator: torch.Generator, height: int = 18, width: int = 18) -> tuple:
    features = [
        torch.randn(1, c, s * height, s * width, generator=generator, dtype=torch.float64)
        for c, s in ((6, 2), (8, 1))
    ]
    reference = torch.tensor([[100.0, 90.0, 60.0, 70.0]], dtype=torch.float64)
    return net.get_modulation(features, reference), net.get_iou_feat(features)


BOXES = torch.tensor(
    [
        [100.0, 90.0, 60.0, 70.0],
        [103.3, 85.1, 41.7, 93.2],
        [-30.0, -20.0, 80.0, 90.0],  # over the top left corner
        [250.0, 240.0, 120.0, 90.0],  # over the bottom right corner
        [140.2, 150.9, 3.1, 2.7],  # within a cell
        [0.0, 0.0, 288.0, 288.0],
    ],
    dtype=torch.float64,
)


def slope(f, boxes: Tensor) -> tuple[Tensor, Tensor]:
    boxes = boxes.clone().requires_grad_()
    scores = f(boxes)
    return scores.detach(), torch.autograd.grad(scores.sum(), boxes)[0]


@pytest.mark.parametrize(("height", "width"), [(18, 18), (18, 11), (9, 18)])
def test_value_and_gradient_are_the_networks(height: int, width: int, generator: torch.Generator) -> None:
    net = branch(generator)
    modulation, maps = setting(net, generator, height, width)
    energy = ImageEnergy(fold_head(net, modulation), maps)
    expected, expected_slope = slope(lambda b: net.predict_iou(modulation, maps, b[None])[0], BOXES)
    got, got_slope = slope(energy, BOXES)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(got_slope, expected_slope)
    assert float(expected_slope.abs().max()) > 1e-3


def test_one_box_at_a_time_is_the_same_as_all(generator: torch.Generator) -> None:
    """The window of cells that is read depends on the company a box is in; its score does not."""
    net = branch(generator)
    modulation, maps = setting(net, generator)
    energy = ImageEnergy(fold_head(net, modulation), maps)
    torch.testing.assert_close(torch.cat([energy(b[None]) for b in BOXES]), energy(BOXES))


@pytest.mark.parametrize("space", ["relative", "default"])
@pytest.mark.parametrize("backtrack", [False, True])
def test_ascent_is_the_same_with_and_without_autograd(
    space: BoxSpace, backtrack: bool, generator: torch.Generator
) -> None:
    net = branch(generator)
    modulation, maps = setting(net, generator)
    energy = ImageEnergy(fold_head(net, modulation), maps)
    options = {"space": space, "steps": 6, "step_length": (1e-2, 5e-2), "backtrack": backtrack}
    boxes, scores = refine_boxes(energy, BOXES, **options)
    expected = refine_boxes(lambda b: net.predict_iou(modulation, maps, b[None])[0], BOXES, **options)
    torch.testing.assert_close((boxes, scores), expected)
    assert float((boxes - BOXES).abs().max()) > 1e-3


def test_several_targets_at_once_are_each_of_them_alone(generator: torch.Generator) -> None:
    net = branch(generator)
    settings = [setting(net, generator) for _ in range(3)]
    heads = [fold_head(net, modulation) for modulation, _ in settings]
    features = [torch.cat(level) for level in zip(*(maps for _, maps in settings))]
    boxes = torch.stack([BOXES[:4] + shift for shift in (0.0, 7.0, -11.0)])  # windows in other places
    got = ImageEnergy(heads, features).value_and_gradient(boxes.flatten(0, 1))
    alone = [ImageEnergy(h, m).value_and_gradient(b) for h, (_, m), b in zip(heads, settings, boxes)]
    torch.testing.assert_close(got[0], torch.cat([scores for scores, _ in alone]))
    torch.testing.assert_close(got[1], torch.cat([gradient for _, gradient in alone]))


def test_gradient_by_finite_differences(generator: torch.Generator) -> None:
    net = branch(generator)
    modulation, maps = setting(net, generator)
    energy = ImageEnergy(fold_head(net, modulation), maps)
    boxes = BOXES[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(energy, (boxes,), eps=1e-5, atol=1e-5)


def test_second_derivatives_are_the_networks(generator: torch.Generator) -> None:
    net = branch(generator)
    modulation, maps = setting(net, generator)
    energy = ImageEnergy(fold_head(net, modulation), maps)
    boxes = BOXES + 0.0371 * torch.tensor([1.0, 2.0, 3.0, 5.0])  # edges on cells would have no slope's slope
    hessians = energy.hessian(boxes)
    for box, got in zip(boxes, hessians, strict=True):
        expected = torch.autograd.functional.hessian(
            lambda b: net.predict_iou(modulation, maps, b[None, None])[0, 0], box
        )
        torch.testing.assert_close(got, expected)
    assert float(hessians.abs().max()) > 1e-3
    torch.testing.assert_close(hessians, hessians.transpose(1, 2))


def test_boxes_that_are_empty_outside_or_not_finite_do_no_harm(generator: torch.Generator) -> None:
    net = branch(generator)
    modulation, maps = setting(net, generator)
    energy = ImageEnergy(fold_head(net, modulation), maps)
    nan, inf = float("nan"), float("inf")
    rows = [
        [50, 50, 0, 10],
        [50, 50, -5, 10],
        [1e5, 1e5, 10, 10],
        [nan, 1, 2, 3],
        [1, 2, inf, inf],
        [1, 2, 1e30, 1e30],
    ]
    boxes = torch.tensor(rows, dtype=torch.float64)
    scores, gradient = slope(energy, boxes)
    assert bool(scores.isfinite().all())
    assert bool(gradient.isfinite().all())
    torch.testing.assert_close(scores[0], scores[2])  # nothing pooled either way


def test_what_can_be_folded(generator: torch.Generator) -> None:
    net = branch(generator)
    assert is_foldable(net)
    assert not is_foldable(torch.nn.Linear(2, 2))
    del net.strides
    assert not is_foldable(net)
