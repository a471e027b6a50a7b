"""Readers on real, small and broken folders."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.evaluation.places import official_table
from pytracking.evaluation.table_layout import TableLayout
from tests.pytracking.evaluation.tiny import boxes_of, write_lasot, write_otb


@pytest.fixture
def otb(tmp_path: Path) -> Path:
    return write_otb(tmp_path / "otb", {"Walking": 5, "Deer": 4})


@pytest.fixture
def lasot(tmp_path: Path) -> Path:
    return write_lasot(tmp_path / "lasot", {"cat-1": 5, "cat-20": 4})


def test_the_official_tables_are_complete() -> None:
    assert len(official_table("otb")) == 100
    assert sum(row["end"] - row["start"] + 1 - row["omit"] for row in official_table("otb").values()) == 59035
    lasot = list(official_table("lasot"))
    assert len(lasot) == len(set(lasot)) == 280
    assert len({name.rpartition("-")[0] for name in lasot}) == 70


@pytest.mark.parametrize(
    ("name", "frames", "first", "last"),
    [
        ("Crossing", 120, (205, 151, 17, 50), "0120.jpg"),  # tabs
        ("Couple", 140, (51, 47, 25, 62), "0140.jpg"),
        ("Deer", 71, (306, 5, 95, 65), "0071.jpg"),  # commas
        ("Dog1", 1350, (139, 112, 51, 36), "1350.jpg"),  # grey
        ("Football1", 74, (153, 105, 26, 43), "0074.jpg"),  # 81 images, 74 annotated
        ("Jogging_1", 307, (111, 98, 25, 101), "0307.jpg"),  # two targets
        ("Jogging_2", 307, None, "0307.jpg"),
    ],
)
def test_real_otb(test_data: Path, name: str, frames: int, first: tuple | None, last: str) -> None:
    sequence = TableLayout(test_data / "otb", "otb", "otb").read(name)
    assert len(sequence) == frames == len(sequence.ground_truth)
    assert sequence.frames[-1].name == last
    assert all(frame.is_file() for frame in sequence.frames)
    if first is not None:
        np.testing.assert_array_equal(sequence.init_box, first)


def test_the_two_targets_of_jogging_differ(test_data: Path) -> None:
    layout = TableLayout(test_data / "otb", "otb", "otb")
    one, two = layout.read("Jogging_1"), layout.read("Jogging_2")
    assert one.frames == two.frames
    assert not np.array_equal(one.ground_truth, two.ground_truth)


def test_generated_otb_lists_its_own_sequences(otb: Path) -> None:
    layout = TableLayout(otb, "generated", "otb")
    assert layout.names() == ["Walking", "Deer"]
    sequence = layout.read("Walking")
    assert sequence.dataset == "generated"
    np.testing.assert_allclose(sequence.ground_truth, boxes_of(5))


def test_folders_and_files_are_found_whatever_their_case(otb: Path) -> None:
    (otb / "Deer").rename(otb / "deer")
    (otb / "deer/groundtruth_rect.txt").rename(otb / "deer/GroundTruth_rect.txt")
    assert len(TableLayout(otb, "otb", "otb").read("Deer")) == 4


def test_david_starts_at_frame_300_and_tiger1_at_its_sixth_row(tmp_path: Path) -> None:
    write_otb(tmp_path, {"Tiger1": 354}, generated=False)
    sequence = TableLayout(tmp_path, "otb", "otb").read("Tiger1")
    assert len(sequence) == 349
    assert sequence.frames[0].name == "0006.jpg"
    np.testing.assert_allclose(sequence.init_box, boxes_of(354)[5])


def test_a_missing_frame_is_named(otb: Path) -> None:
    (otb / "Walking/img/0003.jpg").unlink()
    with pytest.raises(InputError, match=r"Walking.*frame 0003 .*1 missing"):
        TableLayout(otb, "otb", "otb").read("Walking")


@pytest.mark.parametrize("rows", [3, 7])
def test_rows_that_do_not_match_the_frames(otb: Path, rows: int) -> None:
    np.savetxt(otb / "Walking/groundtruth_rect.txt", boxes_of(rows), delimiter=",")
    with pytest.raises(InputError, match=rf"groundtruth_rect.txt .*Walking.*: {rows} annotation rows.* 5 fr"):
        TableLayout(otb, "otb", "otb").read("Walking")


@pytest.mark.parametrize("first", ["nan,nan,nan,nan", "4,8,0,10", "4,8,12,-1"])
def test_an_initial_box_that_is_none(otb: Path, first: str) -> None:
    file = otb / "Walking/groundtruth_rect.txt"
    file.write_text("\n".join([first, *file.read_text().splitlines()[1:]]) + "\n")
    with pytest.raises(InputError, match=r"groundtruth_rect.txt .*Walking.*first box.*0001.jpg.*Correct"):
        TableLayout(otb, "otb", "otb").read("Walking")


@pytest.mark.parametrize("gone", ["img", "groundtruth_rect.txt"])
def test_a_missing_part_is_named(otb: Path, gone: str) -> None:
    path = otb / "Walking" / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(InputError, match=rf"Walking/{gone} is missing .*Walking"):
        TableLayout(otb, "otb", "otb").read("Walking")


def test_lasot_knows_class_and_visibility(lasot: Path) -> None:
    sequence = TableLayout(lasot, "lasot", "lasot").read("cat-1")
    assert sequence.object_class == "cat"
    assert sequence.target_visible is not None
    assert sequence.target_visible.tolist() == [True] * 4 + [False]
    assert sequence.frames[4].is_file()


def test_lasot_without_class_folders(lasot: Path) -> None:
    (lasot / "cat/cat-20").rename(lasot / "cat-20")
    assert len(TableLayout(lasot, "lasot", "lasot").read("cat-20")) == 4


@pytest.mark.parametrize("rows", [4, 6])
def test_lasot_rows_that_do_not_match_the_frames(lasot: Path, rows: int) -> None:
    np.savetxt(lasot / "cat/cat-1/groundtruth.txt", boxes_of(rows), delimiter=",")
    with pytest.raises(InputError, match=rf"groundtruth.txt .*cat-1.*: {rows} annotation rows for 5 frames"):
        TableLayout(lasot, "lasot", "lasot").read("cat-1")


def test_lasot_flags_of_another_length(lasot: Path) -> None:
    (lasot / "cat/cat-1/out_of_view.txt").write_text("0,0,1\n")
    with pytest.raises(InputError, match=r"out_of_view.txt .*cat-1.*: 3 flags for 5"):
        TableLayout(lasot, "lasot", "lasot").read("cat-1")


def test_a_damaged_index_of_a_generated_set(otb: Path) -> None:
    (otb / "generated.json").write_text('{"sequences": 3}')
    with pytest.raises(InputError, match=r"generated.json does not list"):
        TableLayout(otb, "otb", "otb").names()
