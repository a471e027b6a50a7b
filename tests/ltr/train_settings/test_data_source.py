"""What a run trains on: configured, selected, generated."""

from pathlib import Path

import pytest

from ebm.exceptions import InputError, UnknownNameError
from ltr.dataset import Got10k
from ltr.dataset.packing import pack_dataset
from ltr.train_settings.data_source import choose_data, open_data
from ltr.train_settings.recipe import find_recipe
from tests.ltr.layouts import moving_boxes, write_got10k, write_image, write_lasot, write_rows

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


def own_videos(root: Path) -> Path:
    for t in range(3):
        write_image(root / f"clip/{t}.jpg", t)
    write_rows(root / "clip/groundtruth.txt", moving_boxes(3))
    return root


def no_generator() -> dict[str, Path]:
    raise AssertionError("nothing is to be generated")


def test_own_videos_need_no_code(tmp_path: Path) -> None:
    root = own_videos(tmp_path / "mine")
    choice = choose_data(RECIPE, [f"folder:{root}"])
    assert choice.label == "folder:mine"  # without the path, which is private
    data = open_data(choice, no_generator)
    assert [len(dataset) for dataset in data.train] == [1]
    assert data.weights == (1.0,)
    with pytest.raises(InputError, match="two folders are called mine"):
        choose_data(RECIPE, [f"folder:{root}", f"folder:{own_videos(tmp_path / 'b/mine')}"])
    with pytest.raises(InputError, match="no PATH"):
        choose_data(RECIPE, ["folder:"])


def test_a_part_of_a_data_set_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, "lasot")
    write_lasot(tmp_path / "lasot", ("airplane-2", "airplane-3"), frames=2)
    with pytest.raises(InputError, match="lacks 1118 of 1120"):
        open_data(choose_data(RECIPE, ["lasot"]), no_generator)
    data = open_data(choose_data(RECIPE, ["lasot:partial"]), no_generator)
    assert len(data.train[0]) == 2
    with pytest.raises(UnknownNameError, match="NAME:partial to use the sequences there are"):
        choose_data(RECIPE, ["lasot:some"])


def test_packed_data_take_the_place_of_loose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = write_got10k(tmp_path / "loose", count=10, frames=2)
    monkeypatch.setenv("EBMTRACK_GOT10K", str(root))
    loose = open_data(choose_data(RECIPE, ["got10k"]), no_generator)
    pack_dataset(Got10k(root), tmp_path / "packed", progress=False)
    monkeypatch.setenv("EBMTRACK_GOT10K", str(tmp_path / "packed"))
    packed = open_data(choose_data(RECIPE, ["got10k"]), no_generator)
    for a, b in ((loose.train[0], packed.train[0]), (loose.validation, packed.validation)):
        assert a is not None
        assert b is not None
        assert [a.sequence_name(k) for k in range(len(a))] == [b.sequence_name(k) for k in range(len(b))]
    assert len(packed.train[0]) == 9
