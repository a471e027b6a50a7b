"""Box features computed where boxes are equal those of the whole map."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ltr.models.bbreg.atom_iou_net import AtomIoUNet
from pytracking.libs.box_energy import ImageEnergy
from pytracking.libs.box_head import fold_head
from pytracking.libs.box_maps import WindowedMap, windowed_maps

CELLS = (40, 20)  # of the two levels, of 4 and 8 px


@pytest.fixture(scope="module")
def branch() -> AtomIoUNet:
    torch.manual_seed(0)
    net = AtomIoUNet(
        (4, 6), (5, 7), (8, 8), reference_dim=(4, 6), reference_fc_dim=6, test_dim=(5, 7), strides=(4, 8)
    )
    return net.double().eval().requires_grad_(False)


def setting(net: AtomIoUNet, targets: int) -> tuple[list[Any], list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    features = [
        torch.randn(targets, c, side, side, generator=generator, dtype=torch.float64)
        for c, side in zip((4, 6), CELLS)
    ]
    boxes = torch.tensor([[60.0, 50, 40, 30]], dtype=torch.float64).repeat(targets, 1)
    modulation = net.get_modulation(features, boxes)
    return [fold_head(net, [m[k] for m in modulation]) for k in range(targets)], features


BOXES = [
    [[60.0, 50, 24, 30], [58, 52, 30, 22]],  # in the middle
    [[-9.0, -4, 24, 30], [2, 0, 20, 20]],  # over a corner of the crop
    [[140.0, 120, 30, 50], [150, 130, 9, 40]],  # over the opposite one
    [[5.0, 5, 150, 150], [40, 40, 20, 20]],  # the whole crop
    [[300.0, 300, 5, 5], [50, 50, 0, -1]],  # outside, and empty
]


def maps_of(net: AtomIoUNet, features: list[Tensor]) -> list[WindowedMap]:
    maps = windowed_maps(net, features)
    assert maps is not None
    return maps


def test_values_slopes_and_curvature_are_those_of_the_whole_map(branch: AtomIoUNet) -> None:
    heads, features = setting(branch, 1)
    whole = ImageEnergy(heads, branch.get_iou_feat(features))
    for boxes in BOXES:
        asked = torch.tensor(boxes, dtype=torch.float64)
        lazy = ImageEnergy(heads, maps_of(branch, features))
        torch.testing.assert_close(lazy.value_and_gradient(asked), whole.value_and_gradient(asked))
        torch.testing.assert_close(lazy.hessian(asked), whole.hessian(asked))


def test_several_targets_have_squares_of_their_own(branch: AtomIoUNet) -> None:
    heads, features = setting(branch, len(BOXES))
    asked = torch.tensor(BOXES, dtype=torch.float64)
    maps = maps_of(branch, features)
    got = ImageEnergy(heads, maps).value_and_gradient(asked.flatten(0, 1))
    wanted = ImageEnergy(heads, branch.get_iou_feat(features)).value_and_gradient(asked.flatten(0, 1))
    torch.testing.assert_close(got, wanted)
    for row, head in enumerate(heads):  # one target's part of what was computed for all
        part = ImageEnergy(head, [level[row : row + 1] for level in maps])
        torch.testing.assert_close(part(asked[row]), wanted[0].reshape(len(BOXES), -1)[row])


def test_only_the_cells_around_the_boxes_are_computed_and_more_when_they_move(
    branch: AtomIoUNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads, features = setting(branch, 1)
    read: list[int] = []
    monkeypatch.setattr(
        branch.conv3_1t, "forward", lambda x, f=branch.conv3_1t.forward: read.append(x.shape[3]) or f(x)
    )
    energy = ImageEnergy(heads, maps_of(branch, features))
    whole = ImageEnergy(heads, branch.get_iou_feat(features))
    read.clear()
    near = torch.tensor([[60.0, 50, 24, 30]], dtype=torch.float64)
    for shift in (0, 2, 4):  # a small way is inside
        energy(near + shift)
    assert len(read) == 1
    assert read[0] <= 20
    for shift in (20, 50, 80, -40):  # leaving the square again and again ends in the whole map
        boxes = near + torch.tensor([shift, shift, 0, 0])
        torch.testing.assert_close(energy(boxes), whole(boxes))
    assert read[-1] == CELLS[0]
    assert len(read) <= 3


def test_other_branches_and_oblong_maps_are_computed_whole(branch: AtomIoUNet) -> None:
    _, features = setting(branch, 1)

    class Other(AtomIoUNet):
        def get_iou_feat(self, feat2: Any) -> list[Tensor]:
            return [2 * level for level in super().get_iou_feat(feat2)]

    assert windowed_maps(Other((4, 6)), features) is None
    assert windowed_maps(branch, [features[0][..., :-1], features[1]]) is None
