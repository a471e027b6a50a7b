"""Which weights are chosen, and what is said when there are none."""

from pathlib import Path

import pytest

from ebm.exceptions import InputError
from pytracking.parameter import find_parameters
from pytracking.utils.loading import find_weights

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
