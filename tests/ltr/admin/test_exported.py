"""Exports: read back as the same network, described completely, refused when damaged."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from ebm.exceptions import InputError
from ebm.integrity.json_files import sealed_text
from ltr.admin.checkpoint_io import network_fields, read_checkpoint, write_checkpoint
from ltr.admin.loading import load_network
from ltr.export import main
from ltr.models.tracking.dimpnet import dimpnet_small


@pytest.fixture(scope="module")
def fields() -> dict[str, Any]:
    """A checkpoint's fields, its averaged weights half as large as the others."""
    torch.manual_seed(0)
    net = dimpnet_small(init_gauss_sigma=1.5)
    net.info = {"image_sample_size": 128, "crop_type": "inside", "sizes": (3, 4), "none": None}
    net = net.to(memory_format=torch.channels_last)
    average = {k: v / 2 if v.is_floating_point() else v for k, v in net.state_dict().items()}
    return {**network_fields(net), "epoch": 7, "net_ema": average, "optimizer": {"state": {}}}


@pytest.fixture
def checkpoint(fields: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "run" / "DiMPnet_ep0007.pth.tar"
    write_checkpoint(path, fields)
    return path


def test_an_export_is_the_network_without_its_training(
    checkpoint: Path, fields: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([str(checkpoint), "--out", str(tmp_path / "out"), "--weights", "net"]) == 0
    assert "epoch 7, net)" in capsys.readouterr().out
    path = tmp_path / "out" / "DiMPnet_ep0007.safetensors"
    assert sorted(p.name for p in path.parent.iterdir()) == [path.with_suffix(".json").name, path.name]
    net, content = load_network(path)
    assert net.info == fields["net_info"]
    assert (content["epoch"], content["source"], content["weights"]) == (7, checkpoint.name, "net")
    for name, value in net.state_dict().items():
        assert torch.equal(value, fields["net"][name])
    assert net.constructor.kwds == {"init_gauss_sigma": 1.5}
    assert load_network(path.parent)[1]["epoch"] == 7  # a folder of exports is one of checkpoints
    assert str(tmp_path) not in path.with_suffix(".json").read_text()
    plain = tmp_path / "plain"
    plain.touch()  # others may read both files if they may read any
    assert {file.stat().st_mode for file in path.parent.iterdir()} == {plain.stat().st_mode}


def test_a_folder_that_cannot_be_made_is_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("kept")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main([str(checkpoint), "--out", str(out)]) == 2
        captured = capsys.readouterr().err
        assert captured.startswith(f"error: the export --out {out}")
        assert "cannot be written" in captured
        assert captured.count("\n") == 1
    assert (tmp_path / "file").read_text() == "kept"


def test_averaged_weights_are_exported_where_there_are_any_and_loaded_by_choice(
    checkpoint: Path, fields: dict[str, Any], tmp_path: Path
) -> None:
    assert main([str(checkpoint.parent), "--out", str(tmp_path)]) == 0
    exported = load_network(tmp_path / "DiMPnet_ep0007.safetensors")[0].state_dict()
    last, average = load_network(checkpoint)[0].state_dict(), load_network(checkpoint, weights="net_ema")[0]
    for name, value in average.state_dict().items():
        assert torch.equal(value, fields["net_ema"][name])
        assert torch.equal(value, exported[name])
        assert torch.equal(last[name], fields["net"][name])


def test_weights_that_are_not_there_are_an_error(
    fields: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "plain.pth.tar"
    write_checkpoint(path, {k: v for k, v in fields.items() if k != "net_ema"})
    assert main([str(path), "--out", str(tmp_path), "--weights", "net_ema"]) == 2
    assert "no averaged weights" in capsys.readouterr().err
    with pytest.raises(InputError, match="no averaged weights"):
        load_network(path, weights="net_ema")
    assert load_network(path, weights="auto")[1]["epoch"] == 7


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda about: None, "is missing; copy both files"),
        (lambda about: "{", "is damaged"),
        (lambda about: sealed_text(about | {"format": "ebmtrack network 9"}), "this program reads"),
        (lambda about: sealed_text({k: v for k, v in about.items() if k != "constructor"}), "constructor"),
        (
            lambda about: sealed_text(about | {"constructor": about["constructor"] | {"fun_module": "os"}}),
            "not one of those that may be built",
        ),
        (lambda about: json.dumps(about | {"epoch": 8}), "its checksum does not fit what it says"),
        (
            lambda about: sealed_text(about | {"weights_sha256": "0" * 64}),
            r"checksum is not the one in DiMPnet_ep0007\.json",
        ),
    ],
)
def test_damaged_descriptions(checkpoint: Path, tmp_path: Path, damage: Any, expected: str) -> None:
    assert main([str(checkpoint), "--out", str(tmp_path)]) == 0
    path = tmp_path / "DiMPnet_ep0007.json"
    text = damage(json.loads(path.read_text()))
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=expected):
        load_network(path.with_suffix(".safetensors"))


def test_truncated_weights(checkpoint: Path, tmp_path: Path) -> None:
    assert main([str(checkpoint), "--out", str(tmp_path)]) == 0
    path = tmp_path / "DiMPnet_ep0007.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is damaged: its checksum is not the one in"):
        read_checkpoint(path)


def test_what_json_cannot_hold_is_refused(
    fields: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "odd.pth.tar"
    write_checkpoint(path, {**fields, "net_info": {"anchor": torch.zeros(2)}})
    assert main([str(path), "--out", str(tmp_path / "out")]) == 2
    assert "a Tensor, which a JSON file cannot hold" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bare_weights_are_not_a_network(tmp_path: Path) -> None:
    safetensors.torch.save_file({"w": torch.zeros(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(InputError, match="is missing"):
        load_network(tmp_path / "bare.safetensors")


def test_an_export_that_does_not_load_leaves_the_one_before(
    checkpoint: Path, fields: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([str(checkpoint), "--out", str(tmp_path / "out")]) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    write_checkpoint(checkpoint, {**fields, "net_ema": {"weight": torch.zeros(2)}})
    assert main([str(checkpoint), "--out", str(tmp_path / "out")]) == 2
    assert "does not fit" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("name", ["DiMPnet_ep0007.safetensors", "DiMPnet_ep0007.json"])
def test_an_export_over_what_it_reads_is_refused(
    name: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([str(checkpoint), "--out", str(tmp_path / "out")]) == 0
    exported = tmp_path / "out/DiMPnet_ep0007.safetensors"
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / name).symlink_to(tmp_path / "out" / name)
    before = {path.name: path.read_bytes() for path in exported.parent.iterdir()}
    for place in ("out", "link"):
        assert main([str(exported), "--out", str(tmp_path / place)]) == 2
        assert "which would be lost" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in exported.parent.iterdir()} == before
