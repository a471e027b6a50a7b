"""Sequences are checked before a tracker sees them."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError, UnknownNameError
from pytracking.evaluation.data import (
    Sequence,
    check_frames,
    check_names,
    check_sequence,
    find_by_name,
    numbered_images,
    plain_name,
    sequence_digest,
)
from pytracking.evaluation.places import official_table
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames


def sequence_in(folder: Path, frames: int = 4) -> Sequence:
    draw_frames(folder, boxes_of(frames))
    return Sequence("walk", "otb", tuple(sorted(folder.iterdir())), boxes_of(frames))


def test_a_good_sequence_passes(tmp_path: Path) -> None:
    sequence = sequence_in(tmp_path / "img")
    assert check_sequence(sequence) is sequence
    check_frames(sequence)
    assert len(sequence) == 4
    sequence.init_box[0] = 99  # a copy: the annotation stays
    assert sequence.ground_truth[0, 0] == 4


def test_a_missing_frame_is_named_with_the_count(tmp_path: Path) -> None:
    sequence = sequence_in(tmp_path / "img")
    for name in ("0002.jpg", "0004.jpg"):
        (tmp_path / "img" / name).unlink()
    with pytest.raises(InputError, match=r"0002.jpg is missing: sequence walk, frame 1 .*2 missing"):
        check_frames(sequence)


@pytest.mark.parametrize(
    ("truth", "visible", "message"),
    [
        (boxes_of(3), None, "3 annotation rows for 4 frames"),
        (boxes_of(4)[:, :3], None, "expected rows of x, y"),
        (boxes_of(4), np.ones(3, dtype=bool), "3 visibility flags for 4 frames"),
        (boxes_of(4) * (1, 1, 0, 1), None, "first box is .*positive width"),
    ],
)
def test_what_does_not_agree_is_refused(truth: np.ndarray, visible: np.ndarray | None, message: str) -> None:
    frames = tuple(Path(f"{number:04d}.jpg") for number in range(4))
    with pytest.raises(InputError, match=message):
        check_sequence(Sequence("walk", "otb", frames, truth, visible))


def test_images_are_ordered_by_number_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.jpg", "img00003.PNG", "notes.txt", "._2.jpg", "Thumbs.db"):
        (tmp_path / name).touch()
    assert [path.name for path in numbered_images(tmp_path).values()] == ["2.jpg", "img00003.PNG", "10.jpg"]


def test_two_images_of_one_number_are_refused(tmp_path: Path) -> None:
    for name in ("0002.jpg", "2.png"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="both frame 2"):
        numbered_images(tmp_path)


def test_names_meet_up_to_case_and_separators() -> None:
    assert plain_name("Jogging-1") == plain_name("jogging.1") == plain_name("JOGGING_1")
    assert find_by_name("sequence", "human4.2", ["Human4_2", "Human4"]) == "Human4_2"
    with pytest.raises(UnknownNameError, match="Human4"):
        find_by_name("sequence", "Humann4", ["Human4", "Deer"])


def test_the_digest_tells_exchanged_data(tmp_path: Path) -> None:
    one = sequence_in(tmp_path / "a")
    digest = sequence_digest(one)
    assert sequence_digest(one) == one.digest == digest
    other = Sequence(one.name, one.dataset, one.frames, one.ground_truth + 1)
    assert sequence_digest(other) != digest
    one.frames[0].write_bytes(one.frames[0].read_bytes() + b" ")
    assert sequence_digest(one) != digest


@pytest.mark.parametrize(
    "names", [("Deer", "Deer"), ("Deer", "deer"), ("a-b", "a_b"), ("Deer_time", "Deer"), ("a", "A.scores")]
)
def test_two_sequences_that_would_share_a_result_file_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=f"{names[0]}.*{names[1]}.*one name"):
        check_names(names)


@pytest.mark.parametrize("benchmark", ["otb", "lasot"])
def test_no_benchmark_has_two_sequences_of_one_name(benchmark: str) -> None:
    check_names(official_table(benchmark))
