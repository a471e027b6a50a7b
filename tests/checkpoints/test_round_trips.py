"""Every network: written and read again, under each name that published files give its constructor."""

import json
from pathlib import Path

import pytest
import torch

from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.admin.loading import load_network
from ltr.admin.model_constructor import NetConstructor, find_constructor, known_constructors

DIMP, ATOM = "ltr.models.tracking.dimpnet", "ltr.models.bbreg.atom"
FILES = sorted((Path(__file__).parent / "state_dicts").glob("*.json"))
# Networks that no published file names.
OWN = [
    (DIMP, "dimpnet18_simple"),
    (DIMP, "dimpnet_small"),
    (DIMP, "dimpnet_small_simple"),
    (DIMP, "klcedimpnet_small"),
    (DIMP, "dimpnet_lite"),
]
OWN += [(ATOM, "atom_resnet_small"), (ATOM, "atomnet_lite")]


def same_state(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[key], theirs[key]) for key in ours)


def unsettled(net: torch.nn.Module) -> torch.nn.Module:
    """The network with weights and statistics that no constructor gives it."""
    generator = torch.Generator().manual_seed(0)
    for value in net.state_dict().values():
        if value.is_floating_point():
            value.add_(torch.rand(value.shape, generator=generator))
        else:
            value.fill_(7)
    return net


@pytest.mark.parametrize(("module", "name"), OWN)
@pytest.mark.parametrize("prefix", ["", "dlframework.", "dlframework.common."])
def test_networks_of_our_own(module: str, name: str, prefix: str, tmp_path: Path) -> None:
    net = unsettled(find_constructor(module, name)(iou_inter_dim=(16, 24), backbone_pretrained=False))
    spelled = prefix + (module.removeprefix("ltr.") if "common" in prefix else module)
    constructor = NetConstructor(name, spelled, (), {"iou_inter_dim": (16, 24)})
    write_checkpoint(tmp_path / "net.pth.tar", {**network_fields(net), "constructor": constructor})
    loaded, fields = load_network(tmp_path / "net.pth.tar")
    assert same_state(net, loaded)
    assert fields["net_type"] == type(net).__name__ == type(loaded).__name__
    assert loaded.bb_regressor.iou_predictor.in_features == 40


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_published_networks(file: Path, tmp_path: Path) -> None:
    described = json.loads(file.read_text(encoding="utf-8"))
    # Published files ask for ImageNet weights; reading one must not fetch them.
    kwds = {**described["kwds"], "backbone_pretrained": True}
    build = find_constructor(described["fun_module"], described["fun_name"])
    net = unsettled(build(**{**kwds, "backbone_pretrained": False}))
    constructor = NetConstructor(described["fun_name"], described["fun_module"], (), kwds)
    path = tmp_path / "net.pth.tar"
    write_checkpoint(path, {**network_fields(net), "constructor": constructor})
    loaded, _ = load_network(path)
    assert same_state(net, loaded)
    assert list(loaded.state_dict()) == list(described["state_dict"])


def test_every_constructor_that_files_may_name_is_tried_here() -> None:
    tried = {(d["fun_module"], d["fun_name"]) for d in (json.loads(f.read_text("utf-8")) for f in FILES)}
    own = {key for key in known_constructors() if key[0].startswith("ltr.")}
    assert own == tried | set(OWN)
