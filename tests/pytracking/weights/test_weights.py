"""Installed weights and their cards, added weights, and what is told of those that cannot be used."""

import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

import pytracking
from ebm.exceptions import InputError, UnknownNameError
from ebm.integrity.json_files import read_sealed_json, write_sealed_json
from ltr.admin.checkpoint_io import network_fields, read_checkpoint, write_checkpoint
from ltr.models.bbreg.atom import atomnet_lite
from ltr.models.tracking.dimpnet import dimpnet_small
from pytracking import run_weights
from pytracking.utils.loading import find_weights
from pytracking.weights import shipped as shipped_module
from pytracking.weights.adding import pack_weights
from pytracking.weights.card import read_card
from pytracking.weights.shipped import find_shipped, shipped
from pytracking.weights.verifying import verify_shipped

NAME = "atom_nce_plus_lite"
NARROW = {"iou_input_dim": (4, 4), "iou_inter_dim": (4, 4), "iou_hidden_dim": (4, 4)}
TOLD = {
    "name": NAME,
    "title": "ATOM-NCE+, light",
    "tracker": "atom",
    "parameters": "nce_plus_lite",
    "licence": "Apache-2.0",
    "data": [{"name": "drawn", "videos": 3, "licence": "own"}, {"name": "photos", "research terms": "yes"}],
    "seeds": [0],
    "failures": ["It may follow a look-alike."],
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the package's own, with one tiny network."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("packed")
    net = atomnet_lite(backbone_pretrained=False, **NARROW)
    write_checkpoint(folder / "best.pth.tar", {**network_fields(net), "epoch": 3})
    pack_weights(folder / "best.pth.tar", folder / "own", TOLD)
    return folder


@pytest.fixture
def own(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, in the place of the package's; no other weights can be found."""
    folder = tmp_path / "installed"
    shutil.copytree(packed / "own", folder)
    monkeypatch.setattr(shipped_module, "FOLDER", folder)
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("EBMTRACK_NETWORKS", str(tmp_path / "networks"))
    return folder


def answer(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = run_weights.main(list(argv))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_what_is_packed_loads_and_its_numbers_are_those_of_sixteen_bits(packed: Path, own: Path) -> None:
    found, network = verify_shipped(NAME)
    assert found.card.network == "atomnet_lite"
    assert found.card.input_mean == pytest.approx((127 / 255,) * 3)
    original = read_checkpoint(packed / "best.pth.tar")["net"]
    for key, value in network.state_dict().items():
        wanted = original[key]
        assert torch.equal(value, wanted.half().float() if wanted.dim() >= 2 else wanted), key
    # Two bytes for every number of a matrix or kernel.
    assert found.size < 2.3 * sum(v.numel() for v in original.values())


def test_load_finds_them_without_a_paths_file(own: Path) -> None:
    tracker = pytracking.load("atom", "nce_plus_lite", device="cpu")
    assert tracker.notes[0].startswith(f"Weights: {own / NAME}.safetensors (installed with the package")


def test_a_training_of_ones_own_is_named_and_does_not_take_their_place(own: Path, tmp_path: Path) -> None:
    trained = tmp_path / "workspace/checkpoints/ltr/bbreg/atom_nce_plus_lite/ATOMnet_ep0001.pth.tar"
    trained.parent.mkdir(parents=True)
    trained.write_bytes(b"")
    choice = find_weights(pytracking.parameter.find_parameters("atom", "nce_plus_lite"))
    assert choice.path == own / f"{NAME}.safetensors"
    assert f"--checkpoint {trained}" in str(choice)


def test_list_where_and_verify(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sha = read_card(own / f"{NAME}.card.json").weights_sha256
    code, out, _ = answer(capsys, "list")
    assert code == 0
    assert all(text in out for text in (NAME, sha[:16], "Apache-2.0", "used by: atom nce_plus_lite"))
    code, out, _ = answer(capsys, "where", "atom", "nce_plus_lite")
    assert (code, str(own) in out) == (0, True)
    code, out, _ = answer(capsys, "verify")
    assert code == 0
    assert f"sha256 {sha}, ATOMnet of 0.7" in out


def test_the_card_is_a_page_with_its_tables(own: Path) -> None:
    text = (own / f"{NAME}.card.md").read_text("utf-8")
    assert text.startswith("# ATOM-NCE+, light\n")
    assert (
        "| name | videos | licence | research terms |\n| --- | --- | --- | --- |\n| drawn | 3 | own |  |"
        in text
    )
    assert "- It may follow a look-alike." in text
    assert "Results" not in text


def respell(path: Path, **changes: object) -> None:
    write_sealed_json(path, {**read_sealed_json(path), **changes})


def rewrite(folder: Path, change) -> None:
    """Weights with another content, and description and card that fit it."""
    path = folder / f"{NAME}.safetensors"
    state = safetensors.torch.load_file(path)
    change(state)
    safetensors.torch.save_file(state, path)
    from ebm.integrity.checksums import sha256_of

    respell(folder / f"{NAME}.json", weights_sha256=sha256_of(path))
    respell(folder / f"{NAME}.card.json", weights_sha256=sha256_of(path))


def test_a_card_of_other_weights_is_refused(own: Path) -> None:
    respell(own / f"{NAME}.card.json", weights_sha256="0" * 64)
    with pytest.raises(InputError, match=r"card of atom_nce_plus_lite, sha256 000000000000.*do not belong"):
        list(shipped())
    (own / f"{NAME}.card.json").unlink()
    with pytest.raises(InputError, match="no model card"):
        find_shipped(f"{NAME}.pth.tar")


def test_truncated_weights_are_refused(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = own / f"{NAME}.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    code, _, err = answer(capsys, "verify")
    assert code == 2
    assert "is damaged: its checksum" in err


def test_weights_that_are_not_numbers_are_refused(own: Path) -> None:
    rewrite(own, lambda state: state["bb_regressor.iou_predictor.weight"].fill_(torch.nan))
    with pytest.raises(InputError, match="NaN or infinite numbers in bb_regressor.iou_predictor.weight"):
        verify_shipped(NAME)


def test_weights_of_another_architecture_are_refused(own: Path) -> None:
    rewrite(own, lambda state: state.pop("bb_regressor.iou_predictor.weight"))
    with pytest.raises(InputError, match=r"does not fit ATOMnet: 1 keys missing"):
        verify_shipped(NAME)


def test_a_card_of_another_normalisation_or_network_is_refused(own: Path) -> None:
    card = own / f"{NAME}.card.json"
    respell(card, network="atom_resnet18")
    with pytest.raises(InputError, match="network atom_resnet18, and the file holds a atomnet_lite"):
        verify_shipped(NAME)
    respell(card, network="atomnet_lite", input_mean=[0.485, 0.456, 0.406])
    with pytest.raises(InputError, match=r"input of mean \(0\.485, 0\.456, 0\.406\), and its network takes"):
        verify_shipped(NAME)


def test_a_name_that_does_not_exist_is_told_with_the_nearest(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{NAME}'"):
        verify_shipped("atom_nce_plus_light")
    code, _, err = answer(capsys, "where", "atom", "nce_plus_light")
    assert code == 2
    assert "did you mean 'nce_plus_lite'" in err


def test_an_incomplete_card_is_refused_before_anything_is_written(packed: Path, tmp_path: Path) -> None:
    told = {key: value for key, value in TOLD.items() if key != "licence"}
    with pytest.raises(InputError, match="incomplete model card; it lacks licence"):
        pack_weights(packed / "best.pth.tar", tmp_path / "none", told)
    with pytest.raises(UnknownNameError, match="did you mean 'licence'"):
        pack_weights(packed / "best.pth.tar", tmp_path / "none", {**told, "license": "MIT"})
    assert not (tmp_path / "none").exists()


def test_packing_by_the_command(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "card.json").write_text(json.dumps(TOLD), encoding="utf-8")
    out = tmp_path / "out"
    code, text, _ = answer(
        capsys, "pack", str(packed / "best.pth.tar"), "--card", str(tmp_path / "card.json"), "--out", str(out)
    )
    assert code == 0
    assert sorted(p.name for p in out.iterdir()) == [
        f"{NAME}.card.json", f"{NAME}.card.md", f"{NAME}.json", f"{NAME}.safetensors",
    ]  # fmt: skip
    assert read_card(out / f"{NAME}.card.json").weights_sha256 in text


def test_a_calibrated_confidence_goes_to_the_tracker(own: Path, packed: Path, tmp_path: Path) -> None:
    calibration = {"confidence_weights": [-1.0, 2.0, 0.3], "lost_confidence": 0.05, "frames": 199}
    path, card = pack_weights(packed / "best.pth.tar", tmp_path / "out", {**TOLD, "calibration": calibration})
    assert card.calibration["frames"] == 199
    tracker = pytracking.load("atom", "nce_plus_lite", path, device="cpu")
    assert tracker.params.confidence_weights == (-1.0, 2.0, 0.3)
    assert tracker.params.lost_confidence == 0.05
    assert tracker.params.uncertain_confidence == 0.5


def test_packing_writes_over_none_of_what_it_reads(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / f"{NAME}.card.json"
    card.write_text(json.dumps(TOLD), encoding="utf-8")
    argv = ("pack", str(packed / "best.pth.tar"), "--card", str(card), "--out", str(tmp_path))
    code, _, err = answer(capsys, *argv)
    assert (code, "the card" in err) == (2, True)
    assert json.loads(card.read_text("utf-8")) == TOLD
    card.write_text(json.dumps({**TOLD, "name": "../elsewhere"}), encoding="utf-8")
    assert "names its weights file" in answer(capsys, *argv)[2]


def test_added_weights_are_found_by_the_sets_that_look_for_them(
    own: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = answer(capsys, "add", str(packed / "best.pth.tar"), "--as", NAME)
    copy = tmp_path / "networks" / f"{NAME}.pth.tar"
    assert code == 0
    assert f"{copy}, used by: atom multiscale_lite, atom nce_plus_lite" in out
    choice = find_weights(pytracking.parameter.find_parameters("atom", "nce_plus_lite"))
    assert choice.path == copy
    _, out, _ = answer(capsys, "list")
    assert f"{copy.name}  " in out
    assert copy.read_bytes() == (packed / "best.pth.tar").read_bytes()


def test_what_is_added_must_fit_the_sets_that_look_for_it(
    own: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "dimp.pth.tar"
    write_checkpoint(other, network_fields(dimpnet_small(iou_inter_dim=(4, 4))))
    code, _, err = answer(capsys, "add", str(other), "--as", NAME)
    assert (code, "not an ATOM network" in err) == (2, True)
    code, _, err = answer(capsys, "add", str(packed / "best.pth.tar"), "--as", "atom_nce_plus_light")
    assert (code, f"did you mean '{NAME}'" in err) == (2, True)
    code, _, err = answer(capsys, "add", str(packed / f"{NAME}.pth.tar"))
    assert (code, "There is no weights file" in err, "best.pth.tar" in err) == (2, True, True)
    there = tmp_path / "networks" / f"{NAME}.pth.tar"
    there.parent.mkdir()
    there.write_bytes(b"another")
    code, _, err = answer(capsys, "add", str(packed / "best.pth.tar"), "--as", NAME)
    assert (code, "is there already" in err) == (2, True)
    assert there.read_bytes() == b"another"
