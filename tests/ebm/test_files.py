"""Files are written whole or not at all."""

import json
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ebm.files import expanded, require_writable_folder, write_atomic, write_json


def test_a_file_replaces_its_predecessor_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    write_atomic(target, "first")
    write_atomic(target, b"second")
    assert target.read_text() == "second"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_json_is_read_back_and_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, 2.5, "σ"]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, 2.5, "σ"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, 2.5, "σ"]}


def test_what_cannot_be_written_is_an_error_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_atomic(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(InputError, match="choose another"):
        require_writable_folder(tmp_path / "file")
    with pytest.raises(InputError, match="choose another"):
        require_writable_folder(Path("/proc/nowhere"))
    assert require_writable_folder(tmp_path / "a" / "b").is_dir()
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    write_atomic(tmp_path / "null", "x")
    assert (tmp_path / "null").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["null"]
    with pytest.raises(InputError, match="/dev/full cannot be written: No space left"):
        write_atomic(Path("/dev/full"), "x")


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a.txt", "old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.txt", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_home_of_nobody_is_a_name_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/a") == Path("/home/me/a")
    assert expanded("~nobody_of_this_name/a") == Path("~nobody_of_this_name/a")
