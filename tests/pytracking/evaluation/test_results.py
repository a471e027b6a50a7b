"""Result files: exact, atomic, recognised only when complete."""

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import (
    ResultFolder,
    SequenceResult,
    config_hash,
    plain_value,
    write_atomic,
)
from tests.pytracking.evaluation.tiny import otb_layout, write_otb


@pytest.fixture
def sequence(tmp_path: Path) -> Sequence:
    return otb_layout(write_otb(tmp_path / "otb", {"Walking": 5})).read("Walking")


@pytest.fixture
def folder(tmp_path: Path) -> ResultFolder:
    return ResultFolder(tmp_path / "results")


def result_of(sequence: Sequence, timed: bool = True) -> SequenceResult:
    count = len(sequence)
    boxes = sequence.ground_truth + np.linspace(0, 0.12345, count)[:, None]
    states = ("ok", *["uncertain"] * (count - 1))
    return SequenceResult(boxes, np.full(count, 0.01), np.linspace(1, 0.5, count), states, timed)


def test_boxes_come_back_to_four_decimals(sequence: Sequence, folder: ResultFolder) -> None:
    result = result_of(sequence)
    folder.write(sequence, result)
    np.testing.assert_allclose(folder.boxes("Walking"), result.boxes, atol=5.1e-5)
    text = (folder.path / "Walking.txt").read_text()
    assert text.splitlines()[0].split("\t") == ["4.0000", "8.0000", "12.0000", "10.0000"]
    assert text.endswith("\n")


def test_every_file_has_a_line_for_each_frame(sequence: Sequence, folder: ResultFolder) -> None:
    folder.write(sequence, result_of(sequence))
    for suffix in ("", "_time", "_scores"):
        assert len((folder.path / f"Walking{suffix}.txt").read_text().splitlines()) == 5
    assert (folder.path / "Walking_scores.txt").read_text().splitlines()[1] == "0.875000\tuncertain"
    times = folder.times("Walking")
    assert times is not None
    np.testing.assert_allclose(times, 0.01)


def test_times_taken_beside_other_work_are_not_given_out(sequence: Sequence, folder: ResultFolder) -> None:
    folder.write(sequence, result_of(sequence, timed=False))
    assert folder.times("Walking") is None


@pytest.mark.parametrize("text", ["x", "0.1 0.2\n0.3 0.4", "nan\n", "-1\n"])
def test_damaged_times_without_a_checksum_are_no_times(
    sequence: Sequence, folder: ResultFolder, text: str
) -> None:
    folder.write(sequence, result_of(sequence))
    (folder.path / "Walking_info.json").write_text('{"timed": true}')  # as older versions wrote it
    (folder.path / "Walking_time.txt").write_text(text)
    assert folder.times("Walking") is None
    assert not folder.made_on_other_data(sequence)
    (folder.path / "Walking_info.json").write_text("{")
    assert not folder.made_on_other_data(sequence)


def test_finished_means_complete_and_of_this_data(sequence: Sequence, folder: ResultFolder) -> None:
    assert not folder.is_finished(sequence)
    folder.write(sequence, result_of(sequence))
    assert folder.is_finished(sequence)
    moved = Sequence("Walking", "otb", sequence.frames, sequence.ground_truth + 1)
    assert not folder.is_finished(moved)


@pytest.mark.parametrize("suffix", ["", "_time", "_scores"])
def test_a_cut_off_file_is_not_finished(sequence: Sequence, folder: ResultFolder, suffix: str) -> None:
    folder.write(sequence, result_of(sequence))
    file = folder.path / f"Walking{suffix}.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert not folder.is_finished(sequence)


@pytest.mark.parametrize(
    "name", ["Walking.txt", "Walking_time.txt", "Walking_scores.txt", "Walking_info.json"]
)
def test_a_lost_file_is_not_finished(sequence: Sequence, folder: ResultFolder, name: str) -> None:
    folder.write(sequence, result_of(sequence))
    (folder.path / name).unlink()
    assert not folder.is_finished(sequence)


def test_the_box_file_is_written_last(
    sequence: Sequence, folder: ResultFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def note(path: Path, content: str | bytes) -> None:
        written.append(path.name)

    monkeypatch.setattr("pytracking.evaluation.results.write_atomic", note)
    folder.write(sequence, result_of(sequence))
    assert len(written) == 4
    assert written[-1] == "Walking.txt"


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep/file.txt"
    write_atomic(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"file.txt cannot be written: No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_results_of_other_toolkits_are_found_and_read(tmp_path: Path) -> None:
    (tmp_path / "jogging-1.txt").write_text("1,2,3,4\n5,6,7,8\n")
    boxes = ResultFolder(tmp_path).boxes("Jogging_1")
    assert boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    with pytest.raises(InputError, match="run the tracker on sequence Deer"):
        ResultFolder(tmp_path).boxes("Deer")


def test_two_files_that_may_be_one_sequences_result_are_not_chosen_between(tmp_path: Path) -> None:
    (tmp_path / "._jogging-1.txt").write_bytes(b"\0")  # a Mac's companion file
    (tmp_path / "jogging-1.txt").write_text("1,2,3,4\n")
    assert ResultFolder(tmp_path).boxes("Jogging_1").tolist() == [[1, 2, 3, 4]]
    (tmp_path / "jogging.1.txt").write_text("5,6,7,8\n")
    with pytest.raises(InputError, match=r"jogging-1\.txt and jogging\.1\.txt may both .*Jogging_1\.txt"):
        ResultFolder(tmp_path).boxes("Jogging_1")


def test_a_result_made_on_other_data_says_so(tmp_path: Path, folder: ResultFolder) -> None:
    here, there = (
        otb_layout(write_otb(tmp_path / root, {"Walking": frames})).read("Walking")
        for root, frames in (("here", 5), ("there", 6))
    )
    folder.write(here, result_of(here))
    assert not folder.made_on_other_data(here)
    assert folder.made_on_other_data(there)
    (folder.path / "Walking_info.json").unlink()
    assert not folder.made_on_other_data(there)


class Mode(Enum):
    FAST = 1


@dataclass(frozen=True)
class Inner:
    step: float = 0.5


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    mode: Mode = Mode.FAST
    sizes: tuple[int, ...] = (1, 2)
    rule: object = config_hash


def test_plain_values_hold_no_addresses() -> None:
    plain = plain_value(Outer())
    assert plain == {
        "inner": {"step": 0.5},
        "mode": "FAST",
        "sizes": [1, 2],
        "rule": "pytracking.evaluation.results.config_hash",
    }
    assert " at 0x" not in plain_value(object())


def test_the_hash_changes_with_every_part_and_with_nothing_else() -> None:
    base = config_hash(params=Outer(), seed=0, checkpoint="ab")
    assert base == config_hash(checkpoint="ab", seed=0, params=Outer())
    others = [
        config_hash(params=Outer(Inner(0.25)), seed=0, checkpoint="ab"),
        config_hash(params=Outer(), seed=1, checkpoint="ab"),
        config_hash(params=Outer(), seed=0, checkpoint="ac"),
    ]
    assert len({base, *others}) == 4
    assert len(base) == 8


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest.json is damaged"):
        ResultFolder(tmp_path).manifest()


def test_what_a_killed_process_left_is_swept_after_a_minute(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".a.txt.123.tmp", ".b.txt.123.tmp", ".c.tmp"))
    for path in (old, new, other):
        path.touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    ResultFolder(tmp_path).sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.txt.123.tmp", ".c.tmp"]
    ResultFolder(tmp_path / "none").sweep()
