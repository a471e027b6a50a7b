"""A folder has one writer; one that cannot be written to, or is nearly full, is refused before the run."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ltr.trainers.sole_writer import check_space, sole_writer

HOLD = """
import sys, time
from pathlib import Path
from ltr.trainers.sole_writer import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_until_the_first_has_died(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "holding\n"
    with pytest.raises(InputError, match=rf"run \(process {first.pid} on .*--workspace"), sole_writer(folder):
        pass
    first.kill()
    first.wait()
    first.stdout.close()
    start = time.monotonic()
    with sole_writer(folder):
        assert (folder / ".running").read_text().startswith(f"process {os.getpid()} on ")
    assert time.monotonic() - start < 1
    assert not list(folder.iterdir())
    with sole_writer(tmp_path / "new" / "folder"):
        pass
    assert not (tmp_path / "new").exists()


def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with (
        pytest.raises(InputError, match=r"Nothing can be written to .*Not a directory"),
        sole_writer(blocked / "x"),
    ):
        pass

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="Read-only file system"), sole_writer(tmp_path):
        pass


def test_a_disk_without_room_for_a_checkpoint_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_space(tmp_path, 1)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(2**30, 2**30, 5 * 2**20))
    with pytest.raises(InputError, match="needs about 9 MiB, and the disk of .* has 5 MiB left"):
        check_space(tmp_path, 9 * 2**20)
