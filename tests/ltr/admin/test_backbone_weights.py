"""Starting weights: from files, from torchvision's cache, and a clear line when they cannot be had."""

import threading
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ebm.exceptions import InputError
from ltr.admin import backbone_weights
from ltr.admin.backbone_weights import load_backbone_weights, require_imagenet_weights
from ltr.models.backbone.resnet import resnet18, resnet_baby
from ltr.models.tracking.dimpnet import dimpnet18, dimpnet_small


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_is_loaded_strictly(tmp_path: Path, suffix: str) -> None:
    source, net = dimpnet_small().feature_extractor, dimpnet_small()
    state = {key: value for key, value in source.state_dict().items() if "num_batches" not in key}
    path = tmp_path / f"backbone{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    result = load_backbone_weights(net, path)
    assert result
    assert str(path) in result.message
    assert torch.equal(net.feature_extractor.layer3[1].conv2.weight, source.layer3[1].conv2.weight)


def test_files_that_do_not_fit_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "wrong.pth"
    torch.save(resnet_baby(inplanes=8, num_classes=None).state_dict(), path)
    with pytest.raises(
        InputError, match=r"wrong\.pth does not fit ResNet: .*layer4.*of another shape \(conv1"
    ):
        load_backbone_weights(dimpnet_small(), path)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(b"\x10")
    with pytest.raises(InputError, match=r"cut\.safetensors is truncated or not"):
        load_backbone_weights(dimpnet_small(), cut)
    with pytest.raises(InputError, match="No file"):
        load_backbone_weights(dimpnet_small(), tmp_path / "absent.safetensors")
    with pytest.raises(InputError, match="has no backbone"):
        load_backbone_weights(torch.nn.Linear(1, 1), path)


def test_a_backbone_without_imagenet_weights_says_so() -> None:
    result = load_backbone_weights(dimpnet_small())
    assert not result
    assert "no ImageNet weights" in result.message
    with pytest.raises(InputError, match="backbone_pretrained=False"):
        dimpnet_small(backbone_pretrained=True)


@pytest.fixture
def no_network(monkeypatch, tmp_path: Path) -> None:
    """A name that does not resolve, by a proxy at a port where nothing listens, and an empty cache."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    # urllib keeps the proxies of its first request for all that follow.
    monkeypatch.setattr(backbone_weights.urllib.request, "_opener", None)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_result_says_so_in_one_line(monkeypatch) -> None:
    monkeypatch.setattr(backbone_weights, "_download", None)  # nothing to fetch
    net = resnet18()
    before = net.conv1.weight.clone()
    result = load_backbone_weights(net)
    assert not result
    assert "cannot be had" in result.message
    assert "\n" not in result.message
    assert torch.equal(net.conv1.weight, before)
    with pytest.raises(InputError, match="ImageNet weights were asked for"):
        require_imagenet_weights(net)
    with pytest.raises(InputError, match="backbone_pretrained=False"):
        dimpnet18()


def test_a_server_that_never_answers_is_given_up(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(backbone_weights, "PROBE_SECONDS", 0.2)

    given_up = threading.Event()

    def never(*_: object, **__: object) -> None:
        assert given_up.wait(60)
        raise OSError("closed")

    monkeypatch.setattr(backbone_weights.urllib.request, "urlopen", never)
    result = load_backbone_weights(resnet18())  # comes back while the server is still silent
    assert not given_up.is_set()
    given_up.set()
    assert "no answer" in result.message


@pytest.mark.usefixtures("no_network")
def test_cached_weights_need_no_network(monkeypatch, tmp_path: Path) -> None:
    from torchvision.models import ResNet18_Weights

    source, net = resnet18(), resnet18()
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    partial = folder / "partial.pth"
    torch.save(source.state_dict(), partial)
    weights = ResNet18_Weights.IMAGENET1K_V1
    partial.rename(folder / Path(weights.url).name)
    result = load_backbone_weights(net)
    assert result, result.message
    assert "IMAGENET1K_V1" in result.message
    assert torch.equal(net.fc.weight, source.fc.weight)
    (folder / Path(weights.url).name).write_bytes(b"damaged")
    damaged = load_backbone_weights(net)
    assert not damaged
    assert "Delete" in damaged.message
