"""The branch: the column of a class, where it begins, and what a step trains."""

from dataclasses import replace

import torch
from torch import nn

from ebm.presets import preset
from ebm.tasks.detection.branch import ConfidenceBranch, corners_of, rects_of
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.pyramid import LevelRule, Pyramid
from ebm.tasks.detection.training import Labels, gradient_of
from ebm.training.iterations import Optimisation, train


def branch_of(columns: int = 3) -> ConfidenceBranch:
    torch.manual_seed(0)
    branch = ConfidenceBranch(4, columns, hidden=6, bins=2)
    nn.init.normal_(branch.fc_conf.weight)
    return branch


def energy_of(branch: ConfidenceBranch) -> PyramidEnergy:
    torch.manual_seed(1)
    maps = {"0": torch.randn(2, 4, 16, 16), "1": torch.randn(2, 4, 8, 8)}
    return PyramidEnergy(branch, Pyramid(maps, ("0", "1"), LevelRule((4, 8), 64.0)))


BOXES = torch.tensor([[4.0, 6, 40, 50], [10, 12, 30, 28], [0, 0, 60, 60]])
IMAGE, COLUMN = torch.tensor([0, 1, 1]), torch.tensor([2, 1, 2])


def test_a_box_is_scored_in_the_column_of_its_class() -> None:
    branch = branch_of()
    pooled = torch.randn(3, 4, 2, 2)
    hidden = branch.fc7(branch.fc6(pooled.flatten(1)).relu()).relu()
    every = branch.fc_conf(hidden)
    expected = torch.stack((every[0, 2], every[1, 0], every[2, 1]))
    torch.testing.assert_close(branch(pooled, torch.tensor([2, 0, 1])), expected)


def test_one_column_serves_all_classes() -> None:
    branch, pooled = branch_of(columns=1), torch.randn(1, 4, 2, 2).expand(3, -1, -1, -1)
    scores = branch(pooled, torch.tensor([0, 1, 7]))
    torch.testing.assert_close(scores, scores[:1].expand(3))


def test_a_fresh_branch_scores_nearly_nothing() -> None:
    branch = ConfidenceBranch(4, 3, hidden=64, bins=2)
    assert branch.fc_conf.weight.std().item() < 2e-3
    assert not branch.fc_conf.bias.any()


def test_a_branch_begins_with_layers_that_have_its_shape() -> None:
    branch = branch_of()
    own = branch.fc6.weight.clone()
    assert branch.start_from((nn.Linear(16, 7), nn.Linear(6, 6))) == ("fc7",)
    assert torch.equal(branch.fc6.weight, own)
    there = (nn.Linear(16, 6), nn.Linear(6, 6))
    assert branch.start_from(there) == ("fc6", "fc7")
    assert torch.equal(branch.fc6.weight, there[0].weight)
    assert torch.equal(branch.fc7.bias, there[1].bias)
    assert branch.start_from(None) == ()


def test_relative_boxes_score_as_the_boxes_that_they_stand_for() -> None:
    energy = energy_of(branch_of())
    problems, y = energy.labels(IMAGE, COLUMN, BOXES)
    torch.testing.assert_close(problems.size, torch.tensor([[36.0, 44], [20, 16], [60, 60]]))
    # An offset of (0.1, 0, log 2, 0): the centre a tenth of the width to the right, twice as wide.
    moved = y[:, None] + torch.tensor([[0.0, 0, 0, 0], [0.1, 0, 0.6931472, 0]])
    scores = energy.score(problems, moved)
    at = energy.of_boxes(IMAGE, COLUMN)
    rects = rects_of(BOXES)
    torch.testing.assert_close(scores[:, 0], at(rects), atol=1e-4, rtol=1e-4)
    x, y0, w, h = rects.unbind(-1)
    wide = torch.stack((x + 0.1 * w - 0.5 * w, y0, 2 * w, h), -1)
    torch.testing.assert_close(scores[:, 1], at(wide), atol=1e-4, rtol=1e-4)


def test_corners_and_sizes_are_inverse() -> None:
    assert torch.equal(corners_of(rects_of(BOXES)), BOXES)


def test_a_step_trains_the_columns_of_the_classes_that_are_there() -> None:
    branch = branch_of()
    labels = Labels(IMAGE, COLUMN, BOXES)
    numbers = gradient_of(energy_of(branch), preset("detection/nce+").build_loss(), labels, _noise(), 4096)
    touched = branch.fc_conf.weight.grad.abs().sum(1) > 0
    assert touched.tolist() == [False, True, True]
    assert numbers["loss"] > 0


def test_a_gradient_in_passes_is_that_of_the_mean_over_all_boxes() -> None:
    # IoU-Net draws for the whole batch at once: boxes in passes are drawn apart, so each is given its own.
    loss = preset("detection/iou-net").build_loss()
    loss.source.sample_offsets = lambda count, like, generator=None: torch.full((count, 4), 0.1)
    found = []
    for rois in (4096, 1):
        branch = branch_of()
        numbers = gradient_of(energy_of(branch), loss, Labels(IMAGE, COLUMN, BOXES), _noise(), rois)
        found.append((numbers["loss"], branch.fc6.weight.grad))
    assert abs(found[0][0] - found[1][0]) < 1e-5
    torch.testing.assert_close(found[0][1], found[1][1], atol=1e-6, rtol=1e-4)


def test_a_branch_learns_where_a_box_is() -> None:
    """On maps that tell where every cell is, the loss falls and the top of f comes to the label."""
    cells = torch.linspace(-1, 1, 16)
    y, x = torch.meshgrid(cells, cells, indexing="ij")
    maps = {"0": torch.stack((x, y, x * y, torch.ones_like(x)))[None]}
    torch.manual_seed(0)
    branch = ConfidenceBranch(4, 1, hidden=32, bins=3)
    energy = PyramidEnergy(branch, Pyramid(maps, ("0",), LevelRule((4,))))
    labels = Labels(torch.tensor([0]), torch.tensor([0]), torch.tensor([[16.0, 20, 48, 44]]))
    loss = preset("detection/nce").build_loss()
    noise = _noise()
    plan = Optimisation(rate=0.03, iterations=150, clip_norm=5.0, drops=(120,))
    trained = train(branch, lambda _: gradient_of(energy, loss, labels, noise, 4096), plan)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"] - 4
    start = torch.tensor([[13.0, 21, 34, 26]])
    refine = replace(preset("detection/nce").refine, steps=40)
    found, _ = refine.refine(energy.of_boxes(torch.tensor([0]), torch.tensor([0])), start)
    label = torch.tensor([[16.0, 20, 32, 24]])
    assert (found - label).abs().max() < 0.6 * (start - label).abs().max()


def _noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)
