"""The annotation index: used while it holds, repaired where it does not, never a reason to fail."""

import multiprocessing
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from ltr.dataset import Got10k, LaSOT, MSCOCOSeq, TrackingNet, base, coco
from ltr.dataset.array_file import read_arrays, write_arrays
from ltr.dataset.cache import cache_folder
from ltr.dataset.index import index_file
from tests.ltr.layouts import (
    moving_boxes,
    write_coco,
    write_got10k,
    write_lasot,
    write_rows,
    write_trackingnet,
)

NAMES = ("cat-1", "cat-2", "dog-7")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMTRACK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sequences whose text files are parsed from here on."""
    names: list[str] = []
    read = base.read_sequence

    def noting(name, files):
        names.append(name)
        return read(name, files)

    monkeypatch.setattr(base, "read_sequence", noting)
    return names


def prepared(root: Path, names=NAMES, **more) -> LaSOT:
    dataset = LaSOT(root, names, **more)
    assert dataset.prepare() == {}
    return dataset


def test_a_second_run_parses_nothing_and_reads_the_same(tmp_path: Path, parsed: list[str]) -> None:
    first = prepared(write_lasot(tmp_path / "l"))
    assert sorted(parsed) == sorted(NAMES)
    parsed.clear()
    second = prepared(tmp_path / "l")
    for index in range(3):
        for field in ("boxes", "valid", "visible"):
            np.testing.assert_array_equal(
                getattr(second.annotation(index), field), getattr(first.annotation(index), field)
            )
    assert not second.annotation(0).visible[5]
    assert parsed == []


@pytest.mark.parametrize("write", [write_got10k, write_trackingnet])
def test_every_reader_uses_it(tmp_path: Path, parsed: list[str], write) -> None:
    reader = {write_got10k: Got10k, write_trackingnet: TrackingNet}[write]
    write(tmp_path / "d")
    first = reader(tmp_path / "d")
    first.prepare()
    count = len(parsed)
    second = reader(tmp_path / "d")
    assert second.prepare() == {}
    assert len(parsed) == count == len(second)
    for a, b in ((first.annotation(i), second.annotation(i)) for i in range(count)):
        np.testing.assert_array_equal(a.boxes, b.boxes)
        assert (a.visible_ratio is None) == (b.visible_ratio is None)
        if a.visible_ratio is not None:
            np.testing.assert_array_equal(a.visible_ratio, b.visible_ratio)


def test_only_what_changed_is_parsed_again(tmp_path: Path, parsed: list[str]) -> None:
    prepared(write_lasot(tmp_path / "l"))
    parsed.clear()
    rows = moving_boxes(24)
    rows[3] = 0
    write_rows(tmp_path / "l/cat/cat-2/groundtruth.txt", rows)
    assert not prepared(tmp_path / "l").annotation(1).valid[3]
    assert parsed == ["cat-2"]
    parsed.clear()
    (tmp_path / "l/dog/dog-7/out_of_view.txt").unlink()
    prepared(tmp_path / "l")
    assert parsed == ["dog-7"]


def test_a_frame_that_went_missing_is_noticed(tmp_path: Path) -> None:
    prepared(write_lasot(tmp_path / "l"))
    (tmp_path / "l/cat/cat-1/img/00000003.jpg").unlink()
    broken = LaSOT(tmp_path / "l", NAMES).prepare()
    assert list(broken) == [0]
    assert "cat-1: 23 frames" in broken[0]


def test_an_edit_of_equal_size_is_noticed_by_its_time(tmp_path: Path, parsed: list[str]) -> None:
    prepared(write_lasot(tmp_path / "l"))
    parsed.clear()
    os.utime(tmp_path / "l/cat/cat-1/groundtruth.txt", ns=(1, 1))
    prepared(tmp_path / "l")
    assert parsed == ["cat-1"]


def test_parts_of_a_root_share_one_index(tmp_path: Path, parsed: list[str]) -> None:
    prepared(write_lasot(tmp_path / "l"), ("cat-1",))
    prepared(tmp_path / "l", ("dog-7", "cat-1"))
    prepared(tmp_path / "l")
    assert parsed == ["cat-1", "dog-7", "cat-2"]
    assert prepared(tmp_path / "l", ("cat-2",)).annotation(0).visible.sum() == 22
    assert len(parsed) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: b"",
        lambda d: d[:-7],
        lambda d: d[:200] + b"??" + d[202:],
        lambda d: d[:-50] + b"??" + d[-48:],
    ],
    ids=["empty", "truncated", "header", "data"],
)
def test_a_damaged_index_is_rebuilt(tmp_path: Path, parsed: list[str], caplog, damage) -> None:
    expected = prepared(write_lasot(tmp_path / "l")).annotation(2).boxes.copy()
    file = index_file("lasot", tmp_path / "l")
    good = file.read_bytes()
    file.write_bytes(damage(good))
    parsed.clear()
    np.testing.assert_array_equal(prepared(tmp_path / "l").annotation(2).boxes, expected)
    assert sorted(parsed) == sorted(NAMES)
    assert "It is built anew" in caplog.text
    assert len(file.read_bytes()) == len(good)
    parsed.clear()
    prepared(tmp_path / "l")
    assert parsed == []


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch, caplog) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EBMTRACK_CACHE", str(tmp_path / "file"))
    dataset = prepared(write_lasot(tmp_path / "l"))
    assert len(dataset.annotation(0)) == 24
    assert "annotations are parsed again next time" in caplog.text


def _prepare(root: Path) -> None:
    for _ in range(5):
        assert prepared(root).annotation(0).visible.sum() == 22
        index_file("lasot", root).unlink(missing_ok=True)


def test_processes_that_build_it_at_once(tmp_path: Path) -> None:
    write_lasot(tmp_path / "l")
    context = multiprocessing.get_context("fork" if threading.active_count() == 1 else "spawn")
    others = [context.Process(target=_prepare, args=(tmp_path / "l",)) for _ in range(2)]
    for process in others:
        process.start()
    for process in others:
        process.join(60)
    assert [process.exitcode for process in others] == [0, 0]
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_an_indexed_dataset_travels_to_a_worker(tmp_path: Path) -> None:
    prepared(write_lasot(tmp_path / "l"))
    dataset = pickle.loads(pickle.dumps(prepared(tmp_path / "l")))
    np.testing.assert_array_equal(dataset.annotation(1).boxes, moving_boxes(24))


def test_coco_is_parsed_once_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = MSCOCOSeq(write_coco(tmp_path / "c"))
    monkeypatch.setattr(coco, "read_json", lambda file: pytest.fail("parsed again"))
    second = MSCOCOSeq(tmp_path / "c")
    assert [second.sequence_name(i) for i in range(9)] == [first.sequence_name(i) for i in range(9)]
    assert second.dropped == {"crowd": 1, "without area": 1}
    np.testing.assert_array_equal(second.annotation(4).boxes, first.annotation(4).boxes)
    monkeypatch.undo()
    file = tmp_path / "c/annotations/instances_train2017.json"
    file.write_text(file.read_text().replace('"bbox": [4, 5, 30, 20]', '"bbox": [4, 5, 30, 21]'))
    os.utime(file, ns=(5, 5))
    assert MSCOCOSeq(tmp_path / "c").annotation(0).boxes[0, 3] == 21


def test_array_files(tmp_path: Path) -> None:
    arrays = {"a": np.arange(7), "none": np.empty((0, 4), np.float32), "text": np.array([b"one", b"three"])}
    write_arrays(tmp_path / "f", {"x": [1, "ä"]}, arrays)
    meta, back = read_arrays(tmp_path / "f", "file")
    assert meta == {"x": [1, "ä"]}
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    back["a"][0] = 9  # private to this process
    assert read_arrays(tmp_path / "f", "file")[1]["a"][0] == 0
    with pytest.raises(InputError, match=r"file .*g is missing"):
        read_arrays(tmp_path / "g", "file")


def test_a_full_cache_forgets_its_own_files_alone(tmp_path: Path) -> None:
    folder = cache_folder() / "annotations"
    folder.mkdir(parents=True)
    for number in range(70):
        (folder / f"lasot-{number:020x}.idx").write_bytes(b"")
        (folder / f"mine-{number}.idx").write_bytes(b"of the user's")
    root = write_lasot(tmp_path / "LaSOT", frames=3)
    LaSOT(root, NAMES).prepare()
    assert len(list(folder.glob("mine-*.idx"))) == 70
    assert len(list(folder.glob("lasot-*.idx"))) == 64
