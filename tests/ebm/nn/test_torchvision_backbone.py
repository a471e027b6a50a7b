"""torchvision's residual networks as backbones."""

from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError, UnknownNameError
from ebm.images.backbones import build_backbone
from ebm.nn.torchvision_backbone import TorchvisionResNet


def test_features_are_those_of_torchvision() -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    theirs = models.resnet18(weights=None).eval()
    ours = TorchvisionResNet("resnet18").eval()
    ours.load_state_dict(dict(ours.renamed(theirs.state_dict())))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        maps = ours(images, ["stride32", "stride8"])
        pooled = maps["stride32"].mean((2, 3))
        torch.testing.assert_close(theirs.fc(pooled), theirs(images))
    assert list(maps) == ["stride8", "stride32"]
    for name, value in maps.items():
        assert value.shape == (1, ours.channels[name], 64 // ours.strides[name], 64 // ours.strides[name])


def test_weights_that_are_not_there_say_where_they_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchvision")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=r"resnet18 has no weights: .*download https.* to .*weights=FILE"):
        build_backbone("resnet18")
    with pytest.raises(UnknownNameError, match="did you mean"):
        TorchvisionResNet("resnet19")


def test_it_is_frozen_whole() -> None:
    pytest.importorskip("torchvision")
    net = TorchvisionResNet("resnet18", frozen_layers="all")
    assert net.still
    assert not any(p.requires_grad for p in net.parameters())
