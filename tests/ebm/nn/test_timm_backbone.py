"""Feature extractors of timm as backbones; the first test needs no timm."""

import sys

import pytest
import torch

from ebm.exceptions import MissingPackageError, UnknownNameError
from ebm.nn.timm_backbone import TimmBackbone


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingPackageError, match=r"backbone timm:resnet10t.*ebmtrack\[timm\]"):
        TimmBackbone("resnet10t")


def test_layers_are_named_by_their_strides_and_the_input_is_timms() -> None:
    pytest.importorskip("timm")
    net = TimmBackbone("mobilenetv3_small_050", frozen_layers="all").eval()
    with torch.no_grad():
        maps = net(torch.zeros(1, 3, 64, 64), ["stride16", "stride8"])
    assert list(maps) == ["stride8", "stride16"]
    for name, value in maps.items():
        stride = net.out_feature_strides(name)
        assert value.shape == (1, net.out_feature_channels(name), 64 // stride, 64 // stride)
    assert net.mean == (0.485, 0.456, 0.406)
    assert not any(p.requires_grad for p in net.parameters())
    assert net.renamed(net.net.state_dict()).keys() == net.state_dict().keys()


def test_only_names_of_timms_own_list_are_built() -> None:
    pytest.importorskip("timm")
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'"):
        TimmBackbone("resnet18x")
    with pytest.raises(UnknownNameError):
        TimmBackbone("hf-hub:somebody/something")
