"""The light networks: any backbone by its name, levels joined cell by cell, gradients where they belong."""

from dataclasses import replace

import pytest
import torch

from ebm.exceptions import DomainError, InputError, UnknownNameError
from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.admin.loading import load_backbone_weights, load_network
from ltr.models.backbone.named import layers_of_strides, make_backbone
from ltr.models.bbreg.atom import atomnet_lite
from ltr.models.layers.levels import JoinLevels, join_levels
from ltr.models.tracking.dimpnet import dimpnet_lite
from ltr.train_settings.build import build_network
from ltr.train_settings.recipe import find_recipe
from ltr.train_settings.settable import set_fields

NARROW = {"iou_input_dim": (8, 8), "iou_inter_dim": (8, 8), "iou_hidden_dim": (8, 8)}
BOXES = torch.tensor([20.0, 24.0, 18.0, 16.0]).expand(1, 2, 4)
PROPOSALS = BOXES[:, :, None] + torch.arange(3.0)[:, None]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(1, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_every_level_has_its_weights_length_in_each_of_its_cells() -> None:
    fine, coarse = torch.randn(2, 3, 4, 4), 100 * torch.randn(2, 5, 2, 2)
    joined = join_levels((fine, coarse), (1.0, 1.5))
    assert joined.shape == (2, 8, 4, 4)
    torch.testing.assert_close(joined[:, :3].norm(dim=1), torch.ones(2, 4, 4))
    # A corner cell of the fine map reads one coarse cell alone.
    torch.testing.assert_close(
        joined[:, 3:, 0, 0], 1.5 * coarse[:, :, 0, 0] / coarse[:, :, 0, 0].norm(dim=1)[:, None]
    )
    torch.testing.assert_close(JoinLevels((2.0,))(fine), 2 * joined[:, :3])
    assert join_levels([torch.zeros(1, 2, 1, 1)], (1.0,)).isfinite().all()


def test_the_box_branch_is_trained_and_the_backbone_is_not(images: torch.Tensor) -> None:
    net = atomnet_lite(backbone_pretrained=False, **NARROW).train()
    before = {key: value.clone() for key, value in net.feature_extractor.state_dict().items()}
    scores = net(images, images, BOXES, PROPOSALS)
    assert scores.shape == (1, 2, 3)
    scores.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.bb_regressor.parameters())
    after = net.feature_extractor.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(p.grad is None for p in net.feature_extractor.parameters())
    assert net.bb_regressor_layer == ["stride8", "stride16"]
    assert net.bb_regressor.strides == (8, 16)


def test_the_weights_stay_below_twelve_megabytes() -> None:
    for make in (atomnet_lite, dimpnet_lite):
        net = make(backbone_pretrained=False)
        assert sum(4 * p.numel() for p in net.parameters()) < 12e6


def test_the_learned_classifier_reads_both_strides(images: torch.Tensor) -> None:
    net = dimpnet_lite(backbone_pretrained=False, out_feature_dim=8, optim_iter=2, **NARROW).train()
    scores, boxes = net(images, images, BOXES, PROPOSALS)
    assert [score.shape for score in scores] == [(1, 2, 8, 8)] * 3
    assert boxes.shape == (1, 2, 3)
    assert net.info == {"feature_stride": 8}
    assert net.classification_layer == ["stride8", "stride16"]
    sum(score.square().mean() for score in scores).backward()
    convolution = net.classifier.feature_extractor[1].weight
    assert convolution.shape[:2] == (8, 152)
    assert convolution.grad is not None
    assert convolution.grad.abs().sum() > 0


def test_another_backbone_brings_its_layers_of_these_strides() -> None:
    net = atomnet_lite(backbone_pretrained=False, backbone="resnet18", **NARROW)
    assert net.bb_regressor_layer == ["layer2", "layer3"]
    assert net.feature_extractor.mean == (0.485, 0.456, 0.406)


def test_wrong_names_and_strides_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'efficientnet_lite0'.*timm:NAME"):
        make_backbone("efficientnet_lite")
    with pytest.raises(DomainError, match="no layer of stride 32; it has 2, 4, 8, 16"):
        layers_of_strides(make_backbone("efficientnet_lite0"), (8, 32))
    with pytest.raises(DomainError, match="a weight for each stride"):
        dimpnet_lite(backbone_pretrained=False, classification_weights=(1.0,))


def test_a_file_in_another_order_of_names_fills_the_backbone(tmp_path) -> None:
    net = atomnet_lite(backbone_pretrained=False, **NARROW)
    state = {
        f"_{k}": torch.rand_like(v, dtype=torch.float32).to(v.dtype)
        for k, v in enumerate(net.feature_extractor.state_dict().values())
    }
    torch.save(state, tmp_path / "foreign.pth")
    assert load_backbone_weights(net, tmp_path / "foreign.pth")
    assert torch.equal(net.feature_extractor.conv_stem.weight, state["_0"])


def test_weights_of_another_normalisation_are_refused(tmp_path) -> None:
    net = atomnet_lite(backbone_pretrained=False, **NARROW)
    own = {"input_mean": [127 / 255] * 3, "input_std": [128 / 255] * 3}
    path = tmp_path / "net.pth.tar"
    write_checkpoint(path, {**network_fields(net), "net_info": own})
    assert load_network(path)[0].info == own
    for wrong in ({"input_mean": [0.485, 0.456, 0.406]}, {"input_std": 0.5}):
        write_checkpoint(path, {**network_fields(net), "net_info": own | wrong})
        with pytest.raises(InputError, match=r"another normalisation.*this ATOMnet takes \[0\.\d+"):
            load_network(path)


def test_a_recipe_names_any_backbone_and_freezes_all_of_it() -> None:
    recipe = find_recipe("bbreg", "atom_nce_plus_small")
    changes = ["network.constructor=atomnet_lite", "network.backbone=resnet18", "network.frozen=all"]
    changed = set_fields(recipe, changes)
    assert changed.network.kwargs["backbone"] == "resnet18"
    network = replace(changed.network, kwargs=NARROW | changed.network.kwargs)
    net = build_network(replace(changed, network=network), resumed="imagenet").net
    assert net.bb_regressor_layer == ["layer2", "layer3"]
    assert not any(p.requires_grad for p in net.feature_extractor.parameters())
    assert net.info["input_mean"] == [0.485, 0.456, 0.406]
