"""What a run trains on: configured, selected, generated."""

from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import DomainError, InputError, UnknownNameError
from ltr.data.video import VideoDataset
from ltr.dataset import Got10k, TrackingNet
from ltr.dataset.generated import ensure_generated
from ltr.dataset.got10k import PROHIBITED_FILE, held_out
from ltr.dataset.packing import pack_dataset
from ltr.train_settings.data_source import choose_data, open_data
from ltr.train_settings.recipe import DatasetShare, find_recipe
from ltr.train_settings.settable import set_fields
from tests.ltr.dataset.test_photos import write_set
from tests.ltr.layouts import moving_boxes, write_got10k, write_image, write_lasot, write_rows

RECIPE = find_recipe("dimp", "dimp_nce_plus")
PAPER = find_recipe("bbreg", "atom_paper")
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
    with pytest.raises(InputError, match="one of two ways: set .*EBMTRACK_LASOT") as caught:
        choose_data(RECIPE, ["lasot"])
    assert "--root" not in str(caught.value)  # which the command does not have


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
    (tmp_path / PROHIBITED_FILE).write_text("GOT-10k_Train_999999\n")  # beside both
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


def names_of(dataset: VideoDataset | None) -> set[str]:
    assert dataset is not None
    return {dataset.sequence_name(k) for k in range(len(dataset))}


def test_what_vot_forbids_neither_trains_nor_validates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = write_got10k(tmp_path / "got10k", count=20, frames=2)
    monkeypatch.setenv("EBMTRACK_GOT10K", str(root))
    names = sorted(p.name for p in root.iterdir() if p.is_dir())
    held = held_out(names)
    forbidden = {min(held), min(set(names) - held)}
    (root / PROHIBITED_FILE).write_text("".join(f"{name}\n" for name in sorted(forbidden)))
    data = open_data(choose_data(RECIPE, ["got10k"]), no_generator)
    assert names_of(data.validation) == held - forbidden
    assert names_of(data.train[0]) == set(names) - held - forbidden


def test_without_the_list_of_what_vot_forbids_both_ways_out_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = write_got10k(tmp_path / "got10k", count=10, frames=2)
    monkeypatch.setenv("EBMTRACK_GOT10K", str(root))
    with pytest.raises(InputError, match=PROHIBITED_FILE) as caught:
        open_data(choose_data(RECIPE, ["got10k"]), no_generator)
    assert "datasets.N.split=train" in str(caught.value)
    both = set_fields(RECIPE, ["datasets.1.split=train", "validation.data.split=val"])
    data = open_data(choose_data(both, ["got10k"]), no_generator)
    assert (len(data.train[0]), len(names_of(data.validation))) == (9, 1)


@pytest.fixture
def trackingnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One video in each of the twelve sets."""
    root = tmp_path / "trackingnet"
    for number in range(12):
        write_rows(root / f"TRAIN_{number}/anno/v{number}.txt", moving_boxes(2))
        for frame in range(2):
            write_image(root / f"TRAIN_{number}/frames/v{number}/{frame}.jpg", frame)
    monkeypatch.setenv("EBMTRACK_TRACKINGNET", str(root))
    return root


@pytest.mark.parametrize("packed", [False, True])
def test_the_paper_trains_on_eleven_sets_and_validates_on_the_twelfth(
    packed: bool, trackingnet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if packed:
        pack_dataset(TrackingNet(trackingnet), trackingnet.parent / "packed", progress=False)
        monkeypatch.setenv("EBMTRACK_TRACKINGNET", str(trackingnet.parent / "packed"))
    data = open_data(choose_data(PAPER, ["trackingnet"]), no_generator)
    assert names_of(data.train[0]) == {f"TRAIN_{k}/v{k}" for k in range(11)}
    assert names_of(data.validation) == {"TRAIN_11/v11"}
    alone = open_data(choose_data(PAPER, ["trackingnet"]), no_generator, validate=False)
    assert alone.validation is None
    assert names_of(open_data(choose_data(RECIPE, ["trackingnet"]), no_generator).train[0]) == {
        f"TRAIN_{k}/v{k}" for k in range(4)
    }


@pytest.mark.parametrize("packed", [False, True])
def test_sets_that_are_missing_are_named_unless_a_part_will_do(
    packed: bool, trackingnet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 3):
        (trackingnet / f"TRAIN_{number}").rename(trackingnet / f"OTHER_{number}")
    if packed:
        pack_dataset(TrackingNet(trackingnet), trackingnet.parent / "packed", progress=False)
        monkeypatch.setenv("EBMTRACK_TRACKINGNET", str(trackingnet.parent / "packed"))
    with pytest.raises(InputError, match="lacks TRAIN_1, TRAIN_3"):
        open_data(choose_data(RECIPE, ["trackingnet"]), no_generator)
    data = open_data(choose_data(RECIPE, ["trackingnet:partial"]), no_generator)
    assert names_of(data.train[0]) == {"TRAIN_0/v0", "TRAIN_2/v2"}


def test_a_sequence_cannot_train_and_validate(trackingnet: Path) -> None:
    wrong = set_fields(PAPER, ["datasets.1.sets=(10,11)"])
    with pytest.raises(
        InputError, match=r"1 sequences of trackingnet would train and validate, e.g. TRAIN_11"
    ):
        open_data(choose_data(wrong, ["trackingnet"]), no_generator)


def test_a_validation_set_must_be_configured_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recipe = set_fields(PAPER, ["validation.data.name=got10k", "validation.data.sets=none"])
    configure(monkeypatch, tmp_path, "lasot", "trackingnet", "coco")
    assert choose_data(PAPER).validation == PAPER.validation.data
    with pytest.raises(InputError, match="missing: GOT-10k"):
        choose_data(recipe)


def test_generated_data_validate_on_what_they_have(generated_tiny: Path) -> None:
    choice = choose_data(PAPER, ["generated"], "tiny")
    assert choice.validation == DatasetShare(name="got10k", split="val")
    data = open_data(choice, lambda: ensure_generated(generated_tiny.parent, "train", "tiny", progress=False))
    assert data.validation is None  # of three sequences none is held out
    assert len(data.train) == 3


@pytest.mark.parametrize(
    "wrong", [{"name": "trackingnet", "split": "train"}, {"name": "lasot", "sets": (1,)}]
)
def test_sets_are_trackingnets_and_splits_the_others(wrong: dict[str, Any]) -> None:
    with pytest.raises(DomainError, match=wrong["name"]):
        DatasetShare(**wrong)


def test_what_is_not_generated_is_said() -> None:
    recipe = set_fields(RECIPE, ["datasets.0.name=imagenetvid"])
    with pytest.raises(InputError, match="no generated imagenetvid; generated are got10k"):
        open_data(choose_data(recipe, ["generated"]), lambda: {"got10k": Path("anywhere")})


LITE = find_recipe("bbreg", "atom_nce_plus_lite")


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Photos, and videos of which some are held out by name."""
    for split in ("train", "val"):
        write_set(tmp_path / "photos" / "mine", split)
    for name in ("davis_goat", "davis_camel", "drone_V_BIRD_002", "drone_V_BIRD_020"):
        for t in range(3):
            write_image(tmp_path / f"videos/{name}/img/{t}.jpg", t)
        write_rows(tmp_path / f"videos/{name}/groundtruth.txt", moving_boxes(3))
    for key in ("photos", "videos"):
        monkeypatch.setenv(f"EBMTRACK_{key.upper()}", str(tmp_path / key))
    return tmp_path


def test_photos_videos_and_drawn_videos_are_mixed_and_some_are_held_out_by_name(
    real_data: Path, generated_tiny: Path
) -> None:
    recipe = set_fields(LITE, ["validation.data.only=('davis_camel','drone_V_BIRD_020')"])
    choice = choose_data(recipe)
    assert choice.label == "photos+videos+drawn"
    data = open_data(choice, lambda: ensure_generated(generated_tiny.parent, "train", "tiny", progress=False))
    assert data.weights == (5.0, 2.5, 1.0, 1.5)
    photos, davis, drones, drawn = data.train
    assert len(names_of(photos)) == 3
    assert (names_of(davis), names_of(drones)) == ({"davis_goat"}, {"drone_V_BIRD_002"})
    assert drawn.name == "got10k"
    assert names_of(data.validation) == {"davis_camel", "drone_V_BIRD_020"}
    assert [len(one) for one in data.more] == [3]
    assert open_data(choice_of_photos(recipe), no_generator).validation.name == "photos"  # type: ignore[union-attr]


def choice_of_photos(recipe: Any) -> Any:
    choice = choose_data(recipe, ["photos"])
    assert choice.label == "photos"
    return choice


def test_a_held_out_video_that_is_not_there_is_named(real_data: Path, generated_tiny: Path) -> None:
    with pytest.raises(InputError, match="holds no 'davis_car-roundabout'"):
        open_data(choose_data(LITE, ["photos", "videos"]), no_generator)


def test_what_would_train_and_validate_is_refused_in_any_set(real_data: Path) -> None:
    wrong = set_fields(LITE, ["datasets.1.without=('drone_*',)", "validation.data.only=('davis_camel',)"])
    with pytest.raises(InputError, match="1 sequences of folder would train and validate, e.g. davis_camel"):
        open_data(choose_data(wrong, ["videos"]), no_generator)


def test_drawn_videos_are_taken_along_only_if_named(real_data: Path) -> None:
    assert [share.name for share in choose_data(LITE, ["photos"]).shares] == ["photos"]
    assert [share.name for share in choose_data(LITE, ["drawn", "photos"]).shares] == ["photos", "drawn"]


def test_where_nothing_is_configured_generated_sets_stand_in() -> None:
    choice = choose_data(LITE)
    assert choice.generated
    assert [(share.name, share.weight) for share in choice.shares] == [
        ("coco", 5.0), ("lasot", 2.5), ("lasot", 1.0), ("got10k", 1.5)
    ]  # fmt: skip
    assert "photos with boxes" in choice.note


def test_only_videos_are_chosen_by_name() -> None:
    with pytest.raises(DomainError, match="'videos'; lasot got some"):
        DatasetShare(name="lasot", without=("a",))
