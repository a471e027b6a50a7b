"""Backbones: strides, channels, outputs, and freezing that freezes."""

import pytest
import torch

from ebm.exceptions import DomainError, UnknownNameError
from ltr.models.backbone.resnet import BasicBlock, ResNet, resnet18, resnet50, resnet_baby


@pytest.mark.parametrize(
    ("factor", "strides"), [(1, (8, 16, 32)), (2, (8, 16, 16)), (4, (8, 8, 8)), (8, (4, 4, 4))]
)
def test_strides_are_what_the_table_says(factor: int, strides: tuple[int, ...]) -> None:
    net = resnet_baby(inplanes=4, dilation_factor=factor).eval()
    layers = ("conv1", "layer1", "layer2", "layer3", "layer4")
    outputs = net(torch.zeros(1, 3, 64, 96), layers)
    assert tuple(net.out_feature_strides(name) for name in layers[2:]) == strides
    for name in layers:
        stride, channels = net.out_feature_strides(name), net.out_feature_channels(name)
        assert outputs[name].shape == (1, channels, 64 // stride, 96 // stride), name


def test_channels_of_the_published_backbones() -> None:
    for net, channels in ((resnet18(), (64, 128, 256, 512)), (resnet50(), (256, 512, 1024, 2048))):
        assert tuple(net.out_feature_channels(f"layer{k}") for k in (1, 2, 3, 4)) == channels


def test_nothing_beyond_the_wanted_layer_is_computed() -> None:
    net = resnet_baby(inplanes=4)
    ran = []
    for name, module in net.named_children():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    net(torch.zeros(2, 3, 64, 64), ["layer2"])
    assert ran == ["conv1", "bn1", "layer1", "layer2"]


def test_without_layers_the_class_scores_come_back_bare() -> None:
    net = resnet_baby(inplanes=4, num_classes=7).eval()
    scores = net(torch.zeros(2, 3, 64, 64))
    assert scores.shape == (2, 7)
    torch.testing.assert_close(net(torch.zeros(2, 3, 64, 64), ["fc"])["fc"], scores)
    with pytest.raises(UnknownNameError, match="'fc'"):
        resnet_baby(inplanes=4, num_classes=None)(torch.zeros(1, 3, 64, 64))


def test_wrong_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'layer3'"):
        resnet_baby(["layr3"], inplanes=4)
    with pytest.raises(UnknownNameError, match="layer9"):
        resnet_baby(inplanes=4)(torch.zeros(1, 3, 64, 64), ["layer9"])
    with pytest.raises(UnknownNameError, match="layer9"):
        resnet_baby(inplanes=4, frozen_layers=["layer9"])
    with pytest.raises(ValueError, match="'most'"):
        resnet_baby(inplanes=4, frozen_layers="most")
    with pytest.raises(DomainError, match="dilation_factor is 3"):
        resnet_baby(inplanes=4, dilation_factor=3)
    with pytest.raises(DomainError, match="not 5"):
        ResNet(BasicBlock, (1, 1, 1, 1, 1))


def train_once(net: ResNet) -> None:
    torch.manual_seed(0)
    net(torch.randn(4, 3, 64, 64) + 1.0, ["layer3"])["layer3"].square().mean().backward()
    with torch.no_grad():
        for p in net.parameters():
            if p.grad is not None:
                p -= 0.1 * p.grad


def test_frozen_layers_keep_weights_and_statistics_and_the_others_do_not() -> None:
    frozen = ("conv1", "bn1", "layer1")
    net = resnet_baby(inplanes=4, frozen_layers=frozen).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    train_once(net)
    changed = {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}
    assert not {key for key in changed if key.split(".")[0] in frozen}
    for key in ("layer2.0.conv1.weight", "layer2.0.bn1.running_mean", "layer2.0.bn1.num_batches_tracked"):
        assert key in changed
    assert all(not p.requires_grad for p in net.layer1.parameters())
    assert net.eval().train().layer1.training is False
    assert net.layer2.training is True


def test_freezing_again_releases_what_is_not_named() -> None:
    net = resnet_baby(inplanes=4, frozen_layers="all").train()
    assert not any(p.requires_grad for p in net.parameters())
    assert not any(m.training for m in net.children())
    net.freeze("None")
    assert net.frozen_layers == ()
    assert all(p.requires_grad for p in net.parameters())
    assert all(m.training for m in net.modules())
