"""The ATOM network: shapes, its frozen backbone, and defects of the published one that it does not have."""

import pytest
import torch
from torch import Tensor, nn

from ebm.exceptions import ShapeError
from ltr.admin.model_constructor import known_constructors
from ltr.models.bbreg.atom import ATOMnet, atom_resnet18, atom_resnet_small
from ltr.models.parts import small_body


@pytest.fixture(scope="module")
def small() -> ATOMnet:
    torch.manual_seed(3)
    return atom_resnet_small().eval()


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(5)
    boxes = torch.tensor([50.0, 48, 30, 36]).expand(2, 3, 4) + 4 * torch.randn(2, 3, 4, generator=g)
    proposals = boxes[:, :, None] + 3 * torch.randn(2, 3, 7, 4, generator=g)
    images = torch.randn(2, 2, 3, 3, 128, 128, generator=g)
    return images[0], images[1], boxes, proposals


def test_scores_of_the_boxes_come_back(small, batch) -> None:
    scores = small(*batch)
    assert scores.shape == (2, 3, 7)
    assert scores.dtype == torch.float32
    assert small.info == {"feature_stride": 8}
    assert list(small.extract_backbone_features(batch[0][0])) == ["layer1", "layer3"]
    assert list(small.extract_features(batch[0][0], ["layer2"])) == ["layer2"]
    assert sum(p.numel() for p in small.parameters()) == 691_921


def test_the_number_of_test_frames_is_that_of_the_test_frames(small, batch) -> None:
    """Defect D-21: the published network reshapes the proposals with the number of train frames."""
    train, test, boxes, proposals = batch
    with torch.no_grad():
        both = small(*batch)
        torch.testing.assert_close(small(train[:1], test, boxes[:1], proposals), both)
        torch.testing.assert_close(small(train, test[1:], boxes, proposals[1:])[0], both[1])


def test_images_without_their_dimension_are_one_frame(small, batch) -> None:
    train, test, boxes, proposals = (x[0] for x in batch)
    with torch.no_grad():
        alone = small(train, test, boxes, proposals)
        torch.testing.assert_close(alone, small(*(x[:1] for x in batch)))


def test_misfits_are_refused_with_their_sizes(small, batch) -> None:
    train, test, boxes, proposals = batch
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(1, 3\)"):
        small(train, test, boxes[:1], proposals)
    with pytest.raises(ShapeError, match="disagree"):
        small(train[:, :2], test, boxes[:, :2], proposals)


def test_every_weight_of_the_small_network_takes_a_gradient(batch) -> None:
    net = atom_resnet_small().train()
    net(*batch).square().mean().backward()
    without = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


def trained(net: nn.Module, batch: tuple[Tensor, ...]) -> set[str]:
    """Keys of the state dict that a step in training mode changes."""
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(*batch).square().mean().backward()
    optimizer.step()
    return {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}


@pytest.mark.parametrize("statistics", [True, False])
def test_a_frozen_backbone_keeps_its_statistics_unless_asked_to_drift(statistics, batch) -> None:
    """Defect D-12: the published backbone takes no gradient, but its batch norms drift."""
    narrow = {"width": 8, "pretrained": False, "frozen": ()}
    dims = {"iou_input_dim": (16, 32), "iou_inter_dim": (32, 32), "iou_hidden_dim": (16, 32)}
    net = ATOMnet(*small_body(**narrow, **dims), extractor_grad=False)
    if not statistics:
        net.feature_extractor.freeze("all", statistics=False)
    changed = trained(net, batch)
    of_backbone = {key for key in changed if key.startswith("feature_extractor.")}
    drift = {
        key
        for key in net.state_dict()
        if key.startswith("feature_extractor.")
        and key.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }
    assert of_backbone == (set() if statistics else drift)
    assert "bb_regressor.conv3_1r.0.weight" in changed
    assert not any(p.requires_grad for p in net.feature_extractor.parameters())


def test_the_published_networks_are_frozen_by_default() -> None:
    net = atom_resnet18(backbone_pretrained=False).train()
    assert net.feature_extractor.frozen_layers[0] == "conv1"
    assert not any(p.requires_grad for p in net.feature_extractor.parameters())
    assert not any(m.training for m in net.feature_extractor.children())
    assert all(p.requires_grad for p in net.bb_regressor.parameters())
    assert net.bb_regressor.training


def test_files_may_name_the_constructors() -> None:
    names = {name for module, name in known_constructors() if module == "ltr.models.bbreg.atom"}
    assert names == {"atom_resnet18", "atom_resnet50", "atom_resnet_small", "atomnet_lite"}
