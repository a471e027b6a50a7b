"""A frozen backbone through its folded copy."""

import copy
import pickle

import torch

from ebm.nn.efficientnet_lite import EfficientNetLite0
from ebm.nn.still import GROUP, StillBackbone

LAYERS = ["stride8", "stride16"]


def made(frozen: str = "all") -> EfficientNetLite0:
    torch.manual_seed(0)
    net = EfficientNetLite0(frozen_layers=frozen)
    for key, value in net.state_dict().items():
        if key.endswith(("running_var", "running_mean")):
            value.copy_(0.5 + torch.rand(value.shape))
    return net.train()


def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_features_are_the_backbones_own_to_rounding() -> None:
    net, still = made(), StillBackbone()
    found, wanted = still(net, images(), LAYERS), net(images(), LAYERS)
    assert list(found) == LAYERS
    for layer in LAYERS:
        torch.testing.assert_close(found[layer], wanted[layer], rtol=1e-4, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in still._copy[0].modules())
    assert torch.equal(still(net, images(), LAYERS)["stride16"], found["stride16"])


def test_many_images_are_as_few() -> None:
    net, still = made(), StillBackbone()
    many = images().repeat(GROUP, 1, 1, 1)
    found, wanted = still(net, many, LAYERS), net(many, LAYERS)
    for layer in LAYERS:
        torch.testing.assert_close(found[layer], wanted[layer], rtol=1e-4, atol=1e-4)


def test_weights_written_to_give_a_new_copy() -> None:
    net, still = made(), StillBackbone()
    before = still(net, images(), LAYERS)["stride8"]
    net.load_state_dict({key: value * 0.5 for key, value in net.state_dict().items()})
    after = still(net, images(), LAYERS)["stride8"]
    torch.testing.assert_close(after, net(images(), LAYERS)["stride8"], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(before, after)


def test_a_backbone_that_trains_is_called_as_it_is() -> None:
    net, still = made("none"), StillBackbone()
    twin = copy.deepcopy(net)
    found = still(net, images(), LAYERS)["stride16"]
    found.mean().backward()
    assert torch.equal(found, twin(images(), LAYERS)["stride16"])
    assert net.conv_stem.weight.grad is not None
    assert torch.equal(net.bn1.running_mean, twin.bn1.running_mean)
    drifting = made()
    drifting.freeze("all", statistics=False)
    assert not drifting.still


def test_neither_copies_nor_files_carry_it() -> None:
    net, still = made(), StillBackbone()
    still(net, images(), LAYERS)
    assert copy.deepcopy(still)._copy == ()
    assert pickle.loads(pickle.dumps(still))._copy == ()
    assert not net.folded().still
