"""The form of a network that trackers run gives what the network gives."""

import copy
import pickle
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from ebm.nn.efficientnet_lite import EfficientNetLite0
from ltr.models.backbone.resnet import BasicBlock, Bottleneck, ResNet
from ltr.models.bbreg.atom import atom_resnet_small, atomnet_lite
from ltr.models.target_classifier.features import residual_bottleneck
from ltr.models.tracking.dimpnet import dimpnet_small, klcedimpnet_small
from pytracking.inference import onednn
from pytracking.inference.layers import FastLite, FastResNet, FusedConv, folded
from pytracking.inference.network import convert, folded_pairs, inference_network
from pytracking.libs.box_head import fold_head
from tests.formula import fill, noise

MADE = {"dimp": dimpnet_small, "atom": atom_resnet_small, "prdimp": klcedimpnet_small}


def made(name: str) -> Any:
    net = MADE[name]()
    fill(net)
    return net.eval().requires_grad_(False)


def features(net: Any, image: Tensor) -> list[Tensor]:
    """All that a tracker reads of a crop, and the reference of the box branch."""
    maps = net.extract_backbone_features(image)
    levels = net.get_backbone_bbreg_feat(maps)
    box = torch.tensor([[30.0, 25.0, 40.0, 33.0]])
    found = [
        *maps.values(),
        *net.bb_regressor.get_iou_feat(levels),
        *net.bb_regressor.get_modulation(levels, box),
    ]
    if hasattr(net, "classifier"):
        own = net.extract_classification_feat(maps)
        found += [own, net.classifier.filter_initializer(own, box)]
    return found


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("without", [False, True], ids=["onednn", "plain"])
def test_folding_changes_nothing_but_the_last_digits(
    name: str, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without:
        monkeypatch.setattr(onednn, "usable", lambda dtype: False)
    net, image = made(name), noise(1, (1, 3, 96, 128))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    fast = inference_network(net)
    for one, other in zip(features(net, image), features(fast, image), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(one.abs().max()))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.feature_extractor.modules())
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in before.items())


@pytest.mark.parametrize("name", MADE)
def test_bf16_is_close_and_ends_in_float32(name: str) -> None:
    net, image = made(name), noise(2, (1, 3, 96, 96))
    for one, other in zip(features(net, image), features(inference_network(net, torch.bfloat16), image)):
        difference = (one - other.float()).abs().max() / one.abs().max()
        assert difference < 0.05
    levels = inference_network(net, torch.bfloat16)
    maps = levels.get_backbone_bbreg_feat(levels.extract_backbone_features(image))
    assert {m.dtype for m in levels.bb_regressor.get_iou_feat(maps)} == {torch.float32}
    if hasattr(net, "classifier"):
        own = levels.extract_classification_feat(levels.extract_backbone_features(image))
        assert own.dtype == torch.float32


def test_bottlenecks_and_layers_before_the_pooling() -> None:
    net = ResNet(Bottleneck, (2, 1, 1), num_classes=None, inplanes=8, dilation_factor=4).eval()
    fill(net)
    image = noise(3, (1, 3, 64, 48))
    fast = convert(net, torch.float32)
    assert isinstance(fast, FastResNet)
    assert fast.strides == net.strides
    wanted = ["conv1", "layer1", "layer3"]
    with torch.no_grad():
        ours, plain = fast(image, wanted), net(image, wanted)
    assert list(ours) == wanted
    for name in wanted:
        scale = float(plain[name].abs().max())
        torch.testing.assert_close(ours[name], plain[name], rtol=1e-4, atol=1e-5 * scale)
    head = residual_bottleneck(feature_dim=32, num_blocks=1, final_conv=True, out_dim=16).eval()
    fill(head)
    with torch.no_grad():
        torch.testing.assert_close(
            convert(head, torch.float32)(plain["layer3"]), head(plain["layer3"]), rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("without", [False, True], ids=["onednn", "plain"])
def test_only_a_spent_input_is_overwritten(without: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if without:
        monkeypatch.setattr(onednn, "usable", lambda dtype: False)
    block = BasicBlock(8, 8).eval()  # its shortcut is its input
    fill(block)
    fast, x = convert(block, torch.float32), noise(10, (2, 8, 9, 7))
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        before, wanted = x.clone(), block(x)
        got = fast(x)
        assert torch.equal(x, before)
        spent = fast(x, spent=True)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(spent, got)
    assert spent.data_ptr() == x.data_ptr()


def test_the_head_is_folded_once_for_all_targets_in_the_networks_numbers() -> None:
    net = made("dimp")
    vectors = [noise(11, (1, n)) for n in (net.bb_regressor.conv3_2t[0].out_channels,) * 2]
    for dtype in (torch.float32, torch.bfloat16):
        regressor = inference_network(net, dtype).bb_regressor
        first, second = (fold_head(regressor, vectors) for _ in range(2))
        assert first.levels is second.levels
        assert {level.hidden.weight.dtype for level in first.levels} == {dtype}
        assert {level.pooled.weight.dtype for level in first.levels} == {dtype}
    mine = fold_head(net.bb_regressor, vectors)  # weights that may be trained on are read anew
    assert mine.levels is not fold_head(net.bb_regressor, vectors).levels


@pytest.mark.parametrize("size", [(64, 96), (65, 94), (51, 63)], ids=["even", "mixed", "odd"])
@pytest.mark.parametrize("without", [False, True], ids=["onednn", "plain"])
def test_efficientnet_lite_with_its_padding_below_and_right(
    size: tuple[int, int], without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without:
        monkeypatch.setattr(onednn, "usable", lambda dtype: False)
    net = EfficientNetLite0().eval()
    fill(net)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    fast, image = convert(net, torch.float32), noise(9, (2, 3, *size))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules())
    names = ["stride2", "stride4", "stride8", "stride16"]
    with torch.no_grad():
        wanted, got, low = net(image, names), fast(image, names), convert(net, torch.bfloat16)(image, names)
    assert list(got) == names
    for name, maps in wanted.items():
        assert float(maps.std()) > 0.01
        torch.testing.assert_close(got[name], maps, rtol=1e-4, atol=1e-5 * float(maps.abs().max()))
        assert (low[name].float() - maps).abs().max() < 0.05 * maps.abs().max()
    assert (fast.mean, fast.strides) == (net.mean, net.strides)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_lite_backbone_is_taken_whole_and_computes_no_more_than_is_asked_for() -> None:
    net = atomnet_lite(backbone_pretrained=False).eval()
    fast = inference_network(net).feature_extractor
    assert isinstance(fast, FastLite)
    ran: list[str] = []
    for name, stage in fast.stages.items():
        stage.register_forward_hook(lambda *_, name=name: ran.append(name))
    with torch.no_grad():
        assert list(fast(noise(9, (1, 3, 32, 32)), ["stride8", "stride4"])) == ["stride4", "stride8"]
    assert ran == ["stride2", "stride4", "stride8"]


def test_many_pictures_go_through_in_parts() -> None:
    fast = inference_network(made("dimp")).feature_extractor
    images = noise(7, (6, 3, 32, 32))
    with torch.no_grad():
        together, alone = fast(images, ["layer1", "layer3"]), fast(images[5:], ["layer1", "layer3"])
    for name, maps in together.items():
        assert len(maps) == 6
        torch.testing.assert_close(maps[5:], alone[name], rtol=1e-4, atol=1e-5)


def test_a_folded_norm_is_the_norm() -> None:
    conv, norm = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5).eval()
    fill(nn.Sequential(conv, norm))
    norm.running_var.fill_(1e-8)  # near eps, where a fold in half the digits would show
    weight, bias = folded(conv, norm)
    x = noise(4, (2, 3, 7, 9))
    with torch.no_grad():
        torch.testing.assert_close(
            nn.functional.conv2d(x, weight, bias, padding=1), norm(conv(x)), rtol=1e-4, atol=1e-3
        )


def test_convolutions_of_other_kinds_stay_as_they_are() -> None:
    mirrored = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
    assert convert(mirrored, torch.float32) is mirrored
    same = nn.Conv2d(3, 4, 3, padding="same")
    assert convert(same, torch.float32) is same


def test_packed_weights_are_left_out_of_copies() -> None:
    layer = FusedConv(nn.Conv2d(3, 4, 3, padding=1), after="relu")
    x = noise(5, (1, 3, 8, 8))
    with torch.no_grad():
        wanted = layer(x)
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            torch.testing.assert_close(twin(x), wanted)
            torch.testing.assert_close(twin(noise(6, (3, 3, 5, 11))), layer(noise(6, (3, 3, 5, 11))))


class Aligned(nn.Conv2d):
    """A convolution with a call of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(nn.functional.pad(x, (0, 1, 0, 1)), self.weight, self.bias, self.stride)


class Foreign(nn.Module):
    """A backbone that is not known here; its second norm is that of the sum if `late`."""

    strides: ClassVar[dict[str, int]] = {"fine": 2, "coarse": 4}

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.late = late
        self.first, self.norm1 = Aligned(3, 4, 3, 2, bias=False), nn.BatchNorm2d(4)
        self.rest = nn.Sequential(Aligned(4, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU())
        self.second, self.norm2 = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor, names: list[str]) -> dict[str, Tensor]:
        fine = self.norm1(self.first(x)).relu()
        coarse = self.rest(fine)
        both = self.norm2(coarse + self.second(coarse)) if self.late else self.norm2(self.second(coarse))
        return {name: {"fine": fine, "coarse": both}[name] for name in names}


@pytest.mark.parametrize("late", [False, True])
def test_norms_of_a_backbone_of_unknown_make_are_folded_where_that_is_right(late: bool) -> None:
    net = Foreign(late)
    fill(net)
    net.eval().requires_grad_(False)
    fast, image = folded_pairs(net), noise(8, (2, 3, 32, 24))
    assert (fast is net) == late
    assert any(isinstance(m, nn.BatchNorm2d) for m in fast.modules()) == late
    wanted, got = net(image, ["fine", "coarse"]), fast(image, ["fine", "coarse"])
    for name, maps in wanted.items():
        torch.testing.assert_close(got[name], maps, rtol=1e-4, atol=1e-4)
