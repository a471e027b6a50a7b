"""Whole networks against published numbers, at any memory layout and precision."""

import json
from pathlib import Path

import pytest
import torch

from ebm.exceptions import DomainError, ShapeError
from ltr.admin.model_constructor import find_constructor
from ltr.models.tracking.dimpnet import dimpnet18, dimpnet_small
from tests.ltr.models.test_losses import gaussian_labels

PROPOSALS = torch.tensor(
    [
        [[100.0, 90, 80, 60], [80, 100, 100, 50], [110.5, 70.25, 64, 90]],
        [[120.0, 100, 60, 70], [100, 90, 80, 60], [10, 20, 30, 40]],
    ]
)[None]
TRAIN_BOXES = torch.tensor([[[100.0, 90, 80, 60], [120, 100, 60, 70]]])
ANCHORS = {
    "dimp18": (
        (-262.23706, -254.35321, -267.44937, -232.00604, -247.06432, -256.52521),
        (-105.46760, 2068.31852),
        (-53.77251, 53.95661),
        (9.47254, 18.41077),
    ),
    "prdimp18": (
        (-107.81124, -100.84267, -102.40846, -118.65069, -103.58205, -99.19245),
        (334.95828, 2039.46436),
        (47.69985, 50.72960),
        (3604.82514, 3604.82514),
    ),
    "dimp50": (
        (-3808.76294, -3760.10522, -3763.86279, -3591.04688, -3625.82544, -2919.13110),
        (111.52393, 2858.10668),
        (40.47593, 43.29022),
        (6.66651, 14.40002),
    ),
    "super_dimp_simple": (
        (-286.65176, -215.32930, -252.53401, -186.61848, -89.03658, 106.55396),
        (82.74511, 2891.68674),
        (-146.37097, 146.37097),
        (11.63489, 12.40655),
    ),
}


def shipped(name: str) -> torch.nn.Module:
    """The published network of that name."""
    folder = Path(__file__).parents[2] / "checkpoints" / "state_dicts"
    described = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    constructor = find_constructor(described["fun_module"], described["fun_name"])
    return constructor(**{**described["kwds"], "backbone_pretrained": False})


@pytest.mark.slow
@pytest.mark.parametrize("name", ANCHORS)
def test_published_networks(name, noise, fill, check_summary) -> None:
    boxes, features, first, last = ANCHORS[name]
    net = shipped(name).eval()
    fill(net)
    train, test = noise(1, (1, 2, 3, 288, 288)), noise(2, (1, 2, 3, 288, 288))
    further = {}
    if name == "super_dimp_simple":
        label = gaussian_labels(TRAIN_BOXES[0], 0.05, 4, (18, 18), (288, 288))
        further["train_label"] = label.reshape(1, 2, 19, 19)
    with torch.no_grad():
        scores, iou = net(train, test, TRAIN_BOXES, PROPOSALS, **further)
        classification = net.extract_features(train[0])["classification"]
    assert len(scores) == 6
    assert scores[0].shape == (1, 2, 19, 19)
    torch.testing.assert_close(iou, torch.tensor(boxes).reshape(1, 2, 3), rtol=1e-3, atol=0)
    check_summary(classification, features, rel=1e-3)
    check_summary(scores[0], first, rel=1e-3)
    check_summary(scores[5], last, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["atom_resnet50", "prdimp50", "super_dimp"])
def test_networks_without_numbers_of_their_own_give_those_of_the_one_they_share_parts_with(
    name, noise, fill, check_summary
) -> None:
    donor, net = shipped("dimp50"), shipped(name).eval()
    fill(donor)
    weights = {key: value for key, value in donor.state_dict().items() if "filter_optimizer" not in key}
    state = net.state_dict()
    assert set(state) - set(weights) == {key for key in state if "filter_optimizer" in key}
    net.load_state_dict({**state, **{key: value for key, value in weights.items() if key in state}})
    boxes, features, first, _ = ANCHORS["dimp50"]
    train, test = noise(1, (1, 2, 3, 288, 288)), noise(2, (1, 2, 3, 288, 288))
    with torch.no_grad():
        output = net(train, test, TRAIN_BOXES, PROPOSALS)
    found = output if name.startswith("atom") else output[1]
    torch.testing.assert_close(found, torch.tensor(boxes).reshape(1, 2, 3), rtol=1e-3, atol=0)
    if not name.startswith("atom"):
        check_summary(output[0][0], first, rel=1e-3)
        with torch.no_grad():
            check_summary(net.extract_features(train[0])["classification"], features, rel=1e-3)


@pytest.mark.slow
def test_published_atom(noise, fill) -> None:
    net = shipped("atom_resnet18").eval()
    fill(net)
    train, test = noise(1, (1, 2, 3, 288, 288)), noise(2, (1, 2, 3, 288, 288))
    with torch.no_grad():
        scores = net(train, test, TRAIN_BOXES, PROPOSALS)
        features = net.extract_backbone_features(train[0])
        levels = list(features.values())
        modulation = net.bb_regressor.get_modulation(levels, TRAIN_BOXES[0])
        pooled = net.bb_regressor.get_iou_feat(levels)
    expected = (108.46985, 104.85903, 105.23107, 72.55318, 66.34171, 75.60741)
    torch.testing.assert_close(scores, torch.tensor(expected).reshape(1, 2, 3), rtol=1e-3, atol=0)
    assert {name: tuple(f.shape) for name, f in features.items()} == {
        "layer2": (2, 128, 36, 36),
        "layer3": (2, 256, 18, 18),
    }
    sums = (1658002.245, 1478924.423, 3077.58262, 3273.83693, 2496113.873, 1076317.643)
    for tensor, total in zip((*levels, *modulation, *pooled), sums, strict=True):
        assert tensor.double().sum().item() == pytest.approx(total, rel=1e-4)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(3)
    net = dimpnet_small().train()
    images = torch.randn(4, 3, 128, 128)
    with torch.no_grad():  # give the running statistics something to be
        for _ in range(3):
            features = net.extract_backbone_features(images)
            net.bb_regressor.get_iou_feat(net.get_backbone_bbreg_feat(features))
    return net.eval()


@pytest.fixture(scope="module")
def batch():
    g = torch.Generator().manual_seed(5)
    boxes = torch.tensor([50.0, 48, 30, 36]).expand(2, 3, 4) + 4 * torch.randn(2, 3, 4, generator=g)
    proposals = boxes[:, :, None] + 3 * torch.randn(2, 3, 7, 4, generator=g)
    images = torch.randn(2, 2, 3, 3, 128, 128, generator=g)
    return images[0], images[1], boxes, proposals


def test_small_network_has_about_a_million_weights_and_16_by_16_cells(small, batch) -> None:
    count = sum(p.numel() for p in small.parameters())
    assert count == 766_015
    scores, boxes = small(*batch)
    assert [s.shape for s in scores] == [(2, 3, 17, 17)] * 6
    assert boxes.shape == (2, 3, 7)
    features = small.extract_features(batch[0][0])
    assert list(features) == ["layer1", "layer3", "classification"]
    assert features["classification"].shape[-2:] == (16, 16)


def test_every_weight_of_the_small_network_takes_a_gradient(batch) -> None:
    net = dimpnet_small().train()
    scores, boxes = net(*batch)
    (sum(s.square().mean() for s in scores) + boxes.square().mean()).backward()
    without = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


def test_channels_last_changes_nothing(small, batch) -> None:
    expected_scores, expected_boxes = small(*batch)
    net = small.to(memory_format=torch.channels_last)
    train, test = (x.contiguous() for x in batch[:2])
    try:
        scores, boxes = net(train, test, *batch[2:])
    finally:
        small.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(boxes, expected_boxes, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(scores[-1], expected_scores[-1], rtol=1e-3, atol=1e-4)


def test_bf16_autocast_trains_and_stays_close(small, batch) -> None:
    expected_scores, expected_boxes = small(*batch)
    with torch.autocast("cpu", torch.bfloat16):
        scores, boxes = small(*batch)
    assert scores[-1].dtype == boxes.dtype == torch.float32
    spread = expected_boxes.std()
    assert (boxes - expected_boxes).abs().max() < 0.3 * spread + 0.05
    torch.testing.assert_close(scores[-1], expected_scores[-1], rtol=0.1, atol=0.1)
    net = dimpnet_small().train()
    with torch.autocast("cpu", torch.bfloat16):
        scores, boxes = net(*batch)
        loss = sum(s.square().mean() for s in scores) + boxes.square().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_modulation_may_scale_before_or_after_the_pooling(small, batch) -> None:
    _, test, boxes, _ = batch
    bb = small.bb_regressor
    with torch.no_grad():
        features = small.get_backbone_bbreg_feat(small.extract_backbone_features(test[0]))
        modulation, feat = bb.get_modulation(features, boxes[0]), bb.get_iou_feat(features)
        few = boxes[0][:, None].repeat(1, 2, 1)
        many = boxes[0][:, None].repeat(1, 200, 1)  # 200 * 25 bins outnumber 1024 cells, 2 * 25 do not
        torch.testing.assert_close(
            bb.predict_iou(modulation, feat, many)[:, :2],
            bb.predict_iou(modulation, feat, few),
            rtol=1e-4,
            atol=1e-5,
        )


def test_test_features_lie_as_the_pooling_reads_them(small, batch) -> None:
    features = small.get_backbone_bbreg_feat(small.extract_backbone_features(batch[1][0].contiguous()))
    for level in small.bb_regressor.get_iou_feat(features):
        assert level.is_contiguous(memory_format=torch.channels_last)


def test_box_scores_are_differentiable_in_the_boxes(small, batch) -> None:
    _, test, boxes, _ = batch
    bb = small.bb_regressor
    with torch.no_grad():
        features = small.get_backbone_bbreg_feat(small.extract_backbone_features(test[0]))
        modulation, feat = bb.get_modulation(features, boxes[0]), bb.get_iou_feat(features)
    y = boxes[0][:, None].clone().requires_grad_()
    score = bb.predict_iou(modulation, feat, y)
    (gradient,) = torch.autograd.grad(score.sum(), y)
    step = 0.05 * torch.eye(4)
    with torch.no_grad():
        for k in range(4):
            up, down = (bb.predict_iou(modulation, feat, y + sign * step[k]) for sign in (1, -1))
            slope = (up - down)[:, 0] / 0.1
            torch.testing.assert_close(gradient[:, 0, k], slope, rtol=0.05, atol=2e-3)


def test_one_modulation_per_sequence_serves_all_test_frames(small, batch) -> None:
    train, test, boxes, proposals = batch
    with torch.no_grad():
        _, together = small(train, test, boxes, proposals)
        for i in range(2):
            _, alone = small(train, test[i : i + 1], boxes, proposals[i : i + 1])
            torch.testing.assert_close(together[i], alone[0], rtol=1e-4, atol=1e-5)


def test_strides_are_those_of_the_backbone(small) -> None:
    assert small.bb_regressor.strides == (4, 8)
    assert small.info == {"feature_stride": 8}
    assert small.classifier.filter_initializer.filter_pool.feature_stride == 8
    with pytest.raises(DomainError, match="layer2 of this backbone has stride 8"):
        dimpnet18(classification_layer="layer2", backbone_pretrained=False)
    net = dimpnet18(classification_layer="layer2", feat_stride=8, backbone_pretrained=False)
    assert net.classifier.filter_initializer.filter_pool.feature_stride == 8
    assert net.extract_features(torch.zeros(1, 3, 64, 64))["classification"].shape == (1, 256, 8, 8)


def test_images_must_have_five_dimensions(small, batch) -> None:
    with pytest.raises(ShapeError, match="train_imgs"):
        small(batch[0][0], *batch[1:])
