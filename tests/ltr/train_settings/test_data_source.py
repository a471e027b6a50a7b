"""What a run trains on: configured, selected, generated."""

from pathlib import Path

import pytest

from ebm.exceptions import InputError, UnknownNameError
from ltr.train_settings.data_source import choose_data
from ltr.train_settings.recipe import find_recipe

RECIPE = find_recipe("dimp", "dimp_nce_plus")
pytestmark = pytest.mark.usefixtures("nothing_configured")

KEYS = ("lasot", "got10k", "trackingnet", "coco")


def configure(monkeypatch: pytest.MonkeyPatch, root: Path, *keys: str) -> None:
    for key in keys:
        (root / key).mkdir()
        monkeypatch.setenv(f"EBMTRACK_{key.upper()}", str(root / key))


def test_nothing_configured_means_generated_data_and_a_line_that_says_so() -> None:
    choice = choose_data(RECIPE)
    assert choice.generated
    assert [share.name for share in choice.shares] == list(KEYS)
    for title in ("LaSOT", "GOT-10k", "TrackingNet", "COCO", "generated"):
        assert title in choice.note
    assert choice.note.count("\n") == 0
    assert choice.label == "generated demo lasot+got10k+trackingnet+coco"


def test_everything_configured_means_all_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, *KEYS)
    choice = choose_data(RECIPE)
    assert not choice.generated
    assert choice.roots == {key: tmp_path / key for key in KEYS}
    assert choice.label == "lasot+got10k+trackingnet+coco"


def test_a_part_configured_is_an_error_that_names_the_rest_and_the_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(monkeypatch, tmp_path, "lasot")
    with pytest.raises(InputError) as caught:
        choose_data(RECIPE)
    message = str(caught.value)
    missing = message.split("missing: ")[1].split(". Three ways")[0]
    assert missing == "GOT-10k (train), TrackingNet and COCO"
    for way in ("paths.toml", "EBMTRACK_GOT10K", "--datasets lasot;", "--datasets generated"):
        assert way in message


def test_a_selection_trains_on_that_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, "lasot", "coco")
    choice = choose_data(RECIPE, ["lasot"])
    assert [share.name for share in choice.shares] == ["lasot"]
    assert choice.roots == {"lasot": tmp_path / "lasot"}
    assert [share.name for share in choose_data(RECIPE, ["coco", "lasot", "coco"]).shares] == [
        "coco",
        "lasot",
    ]


def test_generated_data_can_be_asked_for_although_others_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(monkeypatch, tmp_path, *KEYS)
    assert choose_data(RECIPE, ["generated"]).generated


def test_a_selected_data_set_must_be_configured() -> None:
    with pytest.raises(InputError, match="EBMTRACK_LASOT"):
        choose_data(RECIPE, ["lasot"])


def test_a_configured_folder_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, *KEYS)
    (tmp_path / "coco").rmdir()
    with pytest.raises(InputError, match="no such folder"):
        choose_data(RECIPE)


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'lasot'"):
        choose_data(RECIPE, ["lasto"])
    with pytest.raises(InputError, match="--datasets is empty"):
        choose_data(RECIPE, [])


def test_generated_data_stand_alone() -> None:
    with pytest.raises(InputError, match="--datasets generated or --datasets lasot"):
        choose_data(RECIPE, ["generated", "lasot"])
