"""Which weights are chosen, and what is said when there are none."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pytracking
from ebm.exceptions import InputError
from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.admin.exported import Weights, write_export
from ltr.admin.loading import read_checkpoint
from ltr.models.bbreg.atom import atom_resnet_small
from ltr.models.tracking.dimpnet import dimpnet_small
from pytracking.evaluation.spec import make_spec
from pytracking.parameter import find_parameters, parameter_names
from pytracking.utils.loading import find_weights, load_tracking_network

PARAMS = find_parameters("dimp", "nce_plus")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Networks folder and the train setting's checkpoint folder, both empty."""
    networks, workspace = tmp_path / "networks", tmp_path / "work"
    checkpoints = workspace / "checkpoints" / "ltr" / "dimp" / "dimp_nce_plus"
    networks.mkdir()
    checkpoints.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EBMTRACK_NETWORKS", str(networks))
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(workspace))
    return networks, checkpoints


def test_a_given_checkpoint_wins_and_no_paths_file_is_read(places: tuple[Path, Path], tmp_path: Path) -> None:
    (places[0] / "dimp_nce_plus.pth.tar").touch()
    (tmp_path / "paths.toml").write_text("this is no toml")
    mine = tmp_path / "mine.pth.tar"
    mine.touch()
    choice = find_weights(PARAMS, mine)
    assert choice.path == mine
    assert str(mine) in str(choice)


def test_then_the_networks_folder(places: tuple[Path, Path]) -> None:
    networks, checkpoints = places
    (networks / "dimp_nce_plus.pth.tar").touch()
    (checkpoints / "DiMPnet_ep0003.pth.tar").touch()
    choice = find_weights(PARAMS)
    assert choice.path == networks / "dimp_nce_plus.pth.tar"
    assert "networks folder" in choice.how


def test_then_the_newest_checkpoint_of_the_train_setting(places: tuple[Path, Path]) -> None:
    for epoch in (9, 10, 2):
        (places[1] / f"DiMPnet_ep{epoch:04d}.pth.tar").touch()
    (places[1] / "DiMPnet_ep0011.pth.tar.tmp").touch()
    choice = find_weights(PARAMS)
    assert choice.path == places[1] / "DiMPnet_ep0010.pth.tar"
    assert "dimp/dimp_nce_plus" in choice.how


def test_a_folder_stands_for_its_newest_checkpoint(places: tuple[Path, Path]) -> None:
    (places[1] / "DiMPnet_ep0002.pth.tar").touch()
    assert find_weights(PARAMS, places[1]).path == places[1] / "DiMPnet_ep0002.pth.tar"
    with pytest.raises(InputError, match="holds no"):
        find_weights(PARAMS, places[0])


def test_nothing_found_names_the_places_and_the_remedy(places: tuple[Path, Path]) -> None:
    with pytest.raises(InputError) as caught:
        find_weights(PARAMS)
    text = str(caught.value)
    assert str(places[0] / "dimp_nce_plus.pth.tar") in text
    assert str(places[1]) in text
    assert "run_training.py dimp dimp_nce_plus" in text
    assert "--checkpoint" in text


def test_a_missing_checkpoint_is_named_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "other.pth.tar").touch()
    with pytest.raises(InputError, match=r"wrong\.pth\.tar.*other\.pth\.tar"):
        find_weights(PARAMS, tmp_path / "wrong.pth.tar")


def test_a_tracker_without_a_network_needs_none() -> None:
    choice = find_weights(find_parameters("first_box", "default"))
    assert choice.path is None
    assert "no network" in str(choice)


def saved_network(path: Path) -> Path:
    """A checkpoint of the small network with random weights, as training writes it."""
    net = dimpnet_small()
    net.info = {"image_sample_size": 128, "search_area_scale": 5.0}
    write_checkpoint(path, {"epoch": 1, **network_fields(net)})
    return path


def test_the_three_calls(tmp_path: Path) -> None:
    tracker = pytracking.load("dimp", "nce_plus", saved_network(tmp_path / "a.pth.tar"), device="cpu")
    assert any("a.pth.tar" in note for note in tracker.notes)
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    tracker.initialize(image, (50, 40, 30, 20))
    assert tracker.track(image).box.shape == (4,)


def test_an_export_is_found_in_a_folder_and_in_the_networks_folder(places: tuple[Path, Path]) -> None:
    source = saved_network(places[1] / "DiMPnet_ep0001.pth.tar")
    written = write_export(places[1], read_checkpoint(source) | {"epoch": 2}, source.name)
    assert find_weights(PARAMS, places[1]).path == written
    assert find_weights(PARAMS).path == written
    named = written.rename(places[0] / "dimp_nce_plus.safetensors")
    written.with_suffix(".json").rename(named.with_suffix(".json"))
    choice = find_weights(PARAMS)
    assert choice.path == named
    assert "dimp_nce_plus.safetensors in the networks folder" in choice.how
    load_tracking_network(choice, "dimp")


def test_averaged_weights_are_taken_unless_the_last_ones_are_asked_for(tmp_path: Path) -> None:
    path = saved_network(tmp_path / "a.pth.tar")
    fields = read_checkpoint(path)
    averaged = {name: tensor + 1 for name, tensor in fields["net"].items()}
    both = tmp_path / "b.pth.tar"
    write_checkpoint(both, fields | {"net_ema": averaged})
    name = next(iter(averaged))

    def loaded(where: Path, which: Weights) -> torch.Tensor:
        return load_tracking_network(find_weights(PARAMS, where, which), "dimp").state_dict()[name]

    torch.testing.assert_close(loaded(both, "auto"), averaged[name])
    torch.testing.assert_close(loaded(both, "net"), fields["net"][name])
    torch.testing.assert_close(loaded(path, "auto"), fields["net"][name])
    with pytest.raises(InputError, match="no averaged weights"):
        loaded(path, "net_ema")
    keys = {
        make_spec("dimp", "nce_plus", checkpoint=both, weights=w).hash for w in ("auto", "net", "net_ema")
    }
    assert len(keys) == 3  # results of different weights are kept apart


def test_a_broken_file_and_a_strange_network_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pth.tar"
    broken.write_bytes(b"no weights at all")
    with pytest.raises(InputError, match=r"broken\.pth\.tar"):
        pytracking.load("dimp", "nce_plus", broken, device="cpu")


def test_a_network_of_the_other_family_is_refused(tmp_path: Path) -> None:
    dimp, atom = saved_network(tmp_path / "d.pth.tar"), tmp_path / "a.pth.tar"
    write_checkpoint(atom, {"epoch": 1, **network_fields(atom_resnet_small())})
    with pytest.raises(InputError, match=r"d\.pth\.tar holds .*DiMPnet, not an ATOM.*bbreg train setting"):
        pytracking.load("atom", "atom_nce_plus", dimp, device="cpu")
    with pytest.raises(InputError, match=r"a\.pth\.tar holds .*ATOMnet, not a DiMP.*classifier.*dimp train"):
        pytracking.load("dimp", "nce_plus", atom, device="cpu")
    tracker = pytracking.load("atom", "atom_nce_plus_small", atom, device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    tracker.initialize(image, (50, 40, 30, 20))
    assert tracker.track(image).box.shape == (4,)


SHIPPED = ("multiscale_lite", "nce_plus_lite")  # sets whose weights are installed with the package


@pytest.mark.parametrize("name", [name for name in parameter_names("atom") if name not in SHIPPED])
def test_missing_weights_of_atom_are_told_as_dimps(places: tuple[Path, Path], name: str) -> None:
    params = find_parameters("atom", name)
    with pytest.raises(InputError, match="No weights found") as caught:
        pytracking.load("atom", name)
    assert str(places[0] / params.network_files[0]) in str(caught.value)
    assert f"run_training.py bbreg {str(params.train_setting).split('/')[1]}" in str(caught.value)


def test_tracking_imports_no_training_code(tmp_path: Path) -> None:
    """A fresh interpreter loads and tracks; no actor, trainer, train setting or dataset comes with it."""
    path = saved_network(tmp_path / "a.pth.tar")
    code = (
        "import sys, numpy as np, pytracking\n"
        f"t = pytracking.load('dimp', 'nce_plus', {str(path)!r}, device='cpu')\n"
        "image = np.zeros((64, 64, 3), np.uint8)\n"
        "t.initialize(image, (20, 20, 20, 20)); t.track(image)\n"
        "bad = [m for m in sys.modules if m.startswith(('ltr.actors', 'ltr.trainers', 'ltr.train_settings', "
        "'ltr.data', 'matplotlib', 'tensorboard'))]\n"
        "assert not bad, bad\n"
    )
    root = str(Path(pytracking.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
