"""Dataset names, roots and partial roots."""

from pathlib import Path

import pytest

from ebm.exceptions import InputError, UnknownNameError
from pytracking.evaluation.datasets import choose_dataset, find_root, open_dataset
from pytracking.evaluation.places import official_table
from tests.pytracking.evaluation.tiny import write_lasot, write_otb


@pytest.fixture(autouse=True)
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing is set up."""
    for key in ("LASOT", "OTB", "GOT10K", "TRACKINGNET", "COCO", "UAV", "NFS", "PYTRACKING"):
        monkeypatch.delenv(f"EBMTRACK_{key}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)


def test_the_root_comes_from_option_environment_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (write_otb(tmp_path / n, {n: 2}) for n in ("one", "two", "three"))
    (tmp_path / "paths.toml").write_text(f'[datasets]\notb = "{three}"\n')
    assert [s.name for s in open_dataset("otb")] == ["three"]
    monkeypatch.setenv("EBMTRACK_OTB", str(two))
    assert [s.name for s in open_dataset("otb")] == ["two"]
    assert [s.name for s in open_dataset("otb", one)] == ["one"]


def test_lasot_without_a_root_says_how_to_set_it() -> None:
    with pytest.raises(InputError) as caught:
        open_dataset("lasot")
    message = str(caught.value)
    assert "\n" not in message
    for remedy in ("--root", "EBMTRACK_LASOT=", "lasot = ", "[datasets]", "paths.toml"):
        assert remedy in message


def test_a_root_that_is_no_folder(tmp_path: Path) -> None:
    for name in ("otb", "generated"):
        with pytest.raises(InputError, match="nowhere"):
            open_dataset(name, tmp_path / "nowhere")


def test_unknown_names_suggest_near_ones(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "otb", {"Crossing": 2, "Deer": 2})
    with pytest.raises(UnknownNameError, match="'lasot'"):
        open_dataset("lasto")
    with pytest.raises(UnknownNameError, match="'Crossing'"):
        open_dataset("otb", root, sequences=["Crosing"])


def test_a_partial_root_serves_named_sequences_only(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "otb", {"Deer": 71, "Dancer": 225}, generated=False)
    assert [s.name for s in open_dataset("otb", root, sequences=["deer"])] == ["Deer"]
    with pytest.raises(InputError, match=r"lacks 98 of the 100 .*OTB-100: Basketball, .*--allow-missing"):
        open_dataset("otb", root)
    names = [s.name for s in open_dataset("otb", root, allow_missing=True)]
    assert names == ["Dancer", "Deer"]  # in the benchmark's order


def test_a_root_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds none of the 280 sequences of LaSOT"):
        open_dataset("lasot", tmp_path / "empty", allow_missing=True)


def test_a_generated_set_that_lost_a_sequence(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "otb", {"a": 2, "b": 2})
    (root / "b").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="incomplete, b missing"):
        open_dataset("generated", root)


def test_positions_and_the_name_of_a_video_with_two_targets(test_data: Path) -> None:
    root = test_data / "otb"
    names = [s.name for s in open_dataset("otb", root, sequences=["Jogging", "JOGGING-2", "Deer"])]
    assert names == ["Jogging_1", "Jogging_2", "Deer"]
    position = list(official_table("otb")).index("Couple")
    by_position = open_dataset("otb", root, sequences=[str(position)])
    assert by_position[0].name == "Couple"
    with pytest.raises(InputError, match="counted from 0"):
        open_dataset("otb", root, sequences=["100"])


def test_the_layouts_have_their_own_tags(tmp_path: Path) -> None:
    root = write_lasot(tmp_path / "l", {"cat-1": 3})
    assert open_dataset("generated_lasot", root)[0].dataset == "generated_lasot"
    assert open_dataset("lasot", root)[0].dataset == "lasot"


def test_a_folder_of_ones_own_videos(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "mine", {"walk_b": 3, "walk_a": 3, "run": 4}, generated=False)
    (root / "notes").mkdir()
    assert [s.name for s in open_dataset("folder", root)] == ["run", "walk_a", "walk_b"]
    walks = open_dataset("folder", root, sequences=["walk_*"])
    assert [(s.name, s.dataset, len(s)) for s in walks] == [("walk_a", "folder", 3), ("walk_b", "folder", 3)]
    with pytest.raises(InputError, match=r"No sequence matches 'swim\*'; there are run, walk_a, walk_b"):
        open_dataset("folder", root, sequences=["swim*"])
    with pytest.raises(InputError, match="has no place of its own; give its folder with --root"):
        open_dataset("folder")
    with pytest.raises(InputError, match="none is no folder"):
        open_dataset("folder", root / "none")
    with pytest.raises(InputError, match="lists no sequences"):
        open_dataset("folder", root / "notes")


def test_without_a_name_the_generated_set_is_chosen_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, note = choose_dataset(None)
    assert name == "generated"
    assert note is not None
    assert "generated" in note
    assert choose_dataset("otb") == ("otb", None)
    monkeypatch.setenv("EBMTRACK_LASOT", str(tmp_path))
    with pytest.raises(InputError, match="--dataset: lasot, generated"):
        choose_dataset(None)


def test_a_generated_set_is_built_in_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def build(workspace: Path, kind: str, **options: object) -> dict[str, Path]:
        asked.update(options, workspace=workspace, kind=kind)
        return {"otb": write_otb(workspace / "made", {"g1": 2}), "lasot": workspace}

    monkeypatch.setattr("ltr.dataset.generated.ensure_generated", build, raising=False)
    assert find_root("generated", scale="tiny", progress=False) == tmp_path / "runs/made"
    assert asked == {"workspace": tmp_path / "runs", "kind": "test", "scale": "tiny", "progress": False}
