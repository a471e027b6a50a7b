"""Parsed boxes that are kept: used while the files are as they were, and never otherwise."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.analysis import box_cache
from pytracking.analysis.archives import is_unpacked
from pytracking.analysis.box_cache import cache_file, cached_boxes
from pytracking.analysis.sources import FolderSource, find_sources
from pytracking.evaluation.result_files import read_result
from pytracking.evaluation.results import ResultFolder
from tests.pytracking.analysis.image_free import without_images


class Parser:
    """Reads files, and counts how many."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, file: Path) -> np.ndarray:
        self.count += 1
        return read_result(file)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of two sequences, an hour old as far as the cache can tell."""
    monkeypatch.setenv("EBMTRACK_CACHE", str(tmp_path / "cache"))
    now = time.time_ns()
    monkeypatch.setattr(box_cache.time, "time_ns", lambda: now + 3600 * 10**9)
    (tmp_path / "ATOM").mkdir()
    for name in "ab":
        np.savetxt(tmp_path / f"ATOM/{name}.txt", boxes_of(name), delimiter=",", fmt="%.17g")
    return tmp_path / "ATOM"


def boxes_of(name: str) -> np.ndarray:
    return np.random.default_rng(ord(name)).uniform(1, 99, (7 if name == "a" else 4, 4))


def read(folder: Path) -> tuple[dict[str, np.ndarray], int]:
    parser = Parser()
    found = cached_boxes(sorted(folder.rglob("*.txt")), folder, parser)
    return {file.stem: boxes for file, boxes in found.items()}, parser.count


def test_a_second_call_parses_nothing_and_gives_the_same_bits(folder: Path) -> None:
    first, parsed = read(folder)
    assert parsed == 2
    again, parsed = read(folder)
    assert parsed == 0
    for name in "ab":
        assert first[name].tobytes() == again[name].tobytes() == boxes_of(name).tobytes()
        assert not again[name].flags.writeable


def test_what_has_changed_is_parsed_again_and_what_is_new_is_added(folder: Path) -> None:
    read(folder)
    file = folder / "a.txt"
    was = file.stat()
    file.write_text(file.read_text().replace(",", ";"))  # as long as before
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))  # and as old, by its own account
    (folder / "sub").mkdir()
    np.savetxt(folder / "sub/c.txt", boxes_of("b"), delimiter=",")
    assert read(folder)[1] == 2
    assert read(folder)[1] == 0
    file.write_text("1,2,3,4\n")
    found, parsed = read(folder)
    assert parsed == 1
    assert found["a"].tolist() == [[1, 2, 3, 4]]
    file.unlink()
    assert set(read(folder)[0]) == {"b", "c"}


def test_files_of_this_very_moment_are_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_cache.time, "time_ns", lambda: (folder / "a.txt").stat().st_ctime_ns)
    read(folder)
    assert not cache_file(folder).exists()
    assert read(folder)[1] == 2


@pytest.mark.parametrize("at", [3, 30, 200, -1])
def test_a_damaged_cache_is_not_believed(folder: Path, at: int) -> None:
    read(folder)
    file = cache_file(folder)
    data = bytearray(file.read_bytes())
    data[at] ^= 0xFF
    file.write_bytes(data)
    found, parsed = read(folder)
    assert found["a"].tobytes() == boxes_of("a").tobytes()
    assert parsed == 2 or at == -1  # the last bytes only fill up
    for rest in (b"", bytes(data[: len(data) // 2])):
        file.write_bytes(rest)
        assert read(folder)[1] == 2
    assert read(folder)[1] == 0  # it was mended


def test_the_cache_of_another_folder_is_not_taken_for_this_ones(folder: Path) -> None:
    read(folder)
    other = folder.with_name("SiamFC")
    other.mkdir()
    (other / "a.txt").write_text("5,6,7,8\n")
    cache_file(other).write_bytes(cache_file(folder).read_bytes())
    assert read(other)[0]["a"].tolist() == [[5, 6, 7, 8]]


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "file").touch()
    monkeypatch.setenv("EBMTRACK_CACHE", str(folder.parent / "file"))
    for _ in range(2):
        found, parsed = read(folder)
        assert parsed == 2
        assert found["b"].tobytes() == boxes_of("b").tobytes()


def test_a_file_that_is_no_result_is_told_each_time(folder: Path) -> None:
    (folder / "a.txt").write_text("no boxes\n")
    for _ in range(2):
        with pytest.raises(InputError, match=r"a\.txt"):
            read(folder)


def test_the_oldest_go_where_there_are_too_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(folder)
    os.utime(cache_file(folder), (1, 1))
    monkeypatch.setattr(box_cache, "_MOST", cache_file(folder).stat().st_size + 10)
    other = folder.with_name("SiamFC")
    other.mkdir()
    (other / "a.txt").write_text("5,6,7,8\n")
    read(other)
    assert cache_file(other).is_file()
    assert not cache_file(folder).exists()


def test_a_folder_of_results_is_read_through_it_and_an_archive_is_not(folder: Path) -> None:
    sequence = without_images("a", "otb", boxes_of("a"))
    FolderSource("x", ResultFolder(folder)).load([sequence])
    assert cache_file(folder).exists()
    archive = Path(shutil.make_archive(str(folder.with_name("z")), "zip", folder))
    (source,) = find_sources(str(archive), Path("none"))
    assert isinstance(source, FolderSource)
    source.load([sequence])
    assert is_unpacked(source.folder.path)
    assert not cache_file(source.folder.path).exists()
    np.testing.assert_array_equal(source.boxes(sequence), boxes_of("a"))
