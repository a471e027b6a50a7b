"""The installer adds what it says, refuses what it does not know, and takes out exactly what it put in."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.external.conftest import INSTALLER, Run, tree

PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
SETTING = "ltr/train_settings/dimp/dimp_nce_plus.py"
OPERATOR = "ltr/external/PreciseRoIPooling/pytorch/prroi_pool/__init__.py"
MANIFEST = ".ebmtrack_plugin.json"


def test_install_twice_and_uninstall_leave_the_clone_as_it_was(clone: Path, install: Run) -> None:
    before = tree(clone)
    assert install().returncode == 0
    once = tree(clone)
    assert {SETTING, OPERATOR, "pytracking/parameter/dimp/nce_plus.py"} <= once.keys() - before.keys()
    again = install()
    assert "installed already" in again.stdout
    assert tree(clone) == once
    assert install("--uninstall").returncode == 0
    assert tree(clone) == before


def test_a_dry_run_changes_nothing(clone: Path, install: Run) -> None:
    before = tree(clone)
    done = install("--dry-run")
    assert f"add {SETTING}" in done.stdout
    assert tree(clone) == before


def test_an_unknown_file_is_never_overwritten(clone: Path, install: Run) -> None:
    (clone / SETTING).write_text("mine\n")
    before = tree(clone)
    for arguments in ([], ["--force"]):
        done = install(*arguments)
        assert done.returncode == 2
        assert f"{SETTING} exists and was not added by this plugin" in done.stderr
        assert tree(clone) == before


@pytest.mark.parametrize("missing", ["ltr/data/processing.py", "pytracking/run_tracker.py"])
def test_a_folder_that_is_no_clone_is_refused(clone: Path, install: Run, missing: str) -> None:
    (clone / missing).unlink()
    done = install()
    assert done.returncode == 2
    assert "is no clone of visionml/pytracking" in done.stderr
    assert missing in done.stderr


def test_this_repository_is_no_clone(install: Run) -> None:
    done = install("--dry-run", folder=Path(__file__).resolve().parents[2])
    assert done.returncode == 2
    assert "is no clone" in done.stderr


def test_an_edited_file_is_kept_until_forced(clone: Path, install: Run) -> None:
    before = tree(clone)
    install()
    (clone / SETTING).write_text("edited\n")
    refused = install()
    assert refused.returncode == 2
    assert "--force replaces it" in refused.stderr

    done = install("--uninstall")
    assert done.returncode == 1
    assert f"kept: {SETTING}" in done.stderr
    assert tree(clone).keys() - before.keys() == {SETTING, MANIFEST}
    assert install("--uninstall", "--force").returncode == 0
    assert tree(clone) == before


def test_lines_that_a_user_adds_around_a_block_stay(clone: Path, install: Run) -> None:
    file = clone / "ltr" / "run_training.py"
    original = file.read_text()
    install()
    file.write_text(file.read_text() + "# mine\n")
    assert install("--uninstall").returncode == 0
    assert file.read_text() == original + "# mine\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x = 1",
        b"x = 1\r\n",
        b'"""Doc."""\r\nx = 1\r\n',
        b'"""Doc."""',
        b"#!/bin/sh\n# coding: utf-8\nx = 1\n",
    ],
)
def test_a_block_leaves_any_file_as_it_was(clone: Path, install: Run, content: bytes) -> None:
    for path in ("ltr/__init__.py", OPERATOR):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(content)
    before = tree(clone)
    assert install().returncode == 0
    for path in ("ltr/__init__.py", OPERATOR):
        compile((clone / path).read_bytes(), path, "exec")
    assert b"ebm.ops.prroi_pool" in (clone / OPERATOR).read_bytes()
    assert "installed already" in install().stdout
    assert install("--uninstall").returncode == 0
    assert tree(clone) == before


def test_a_block_goes_behind_docstring_and_future_imports(clone: Path, install: Run) -> None:
    install()
    text = (clone / "ltr" / "run_training.py").read_text()
    assert text.startswith("#!/usr/bin/env python\n")
    assert text.index("__future__") < text.index(">>> EBMTrack") < text.index("import argparse")


def test_a_checked_out_submodule_can_be_left_alone(clone: Path, install: Run) -> None:
    (clone / OPERATOR).parent.mkdir(parents=True)
    (clone / OPERATOR).write_text("from .compiled import PrRoIPool2D\n")
    assert install("--keep-prroi-pool").returncode == 0
    assert (clone / OPERATOR).read_text() == "from .compiled import PrRoIPool2D\n"


def test_ebm_can_be_copied_and_goes_again(clone: Path, install: Run) -> None:
    before = tree(clone)
    assert install("--copy-ebm").returncode == 0
    assert (clone / "ebm" / "ops" / "prroi_pool.py").is_file()
    assert (clone / "ebm" / "LICENSE").is_file()
    install()
    assert not (clone / "ebm").exists()
    install("--uninstall")
    assert tree(clone) == before


def test_nothing_to_uninstall_is_said(install: Run) -> None:
    done = install("--uninstall")
    assert done.returncode == 2
    assert "nothing to uninstall" in done.stderr


@pytest.mark.parametrize(
    "text", ["{", json.dumps({"format": 1, "files": {"../x": ["0"]}, "blocks": {}, "folders": []})]
)
def test_a_damaged_record_is_refused(clone: Path, install: Run, text: str) -> None:
    (clone / MANIFEST).write_text(text)
    done = install("--uninstall", "--force")
    assert done.returncode == 2
    assert "is damaged" in done.stderr


# The installer, whose n-th change to the clone fails.
FAILING = """
import pathlib, sys
sys.path.insert(0, sys.argv.pop(1))
last, changes = int(sys.argv.pop(1)), []

def failing(change):
    def changed(*arguments, **options):
        changes.append(change)
        if len(changes) == last:
            raise OSError(28, "No space left on device")
        return change(*arguments, **options)
    return changed

for name in ("write_bytes", "replace", "unlink", "mkdir", "rmdir"):
    setattr(pathlib.Path, name, failing(getattr(pathlib.Path, name)))
import install
sys.exit(install.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("last", [1, 4, 9, 24])
@pytest.mark.parametrize("uninstalling", [False, True], ids=["install", "uninstall"])
def test_a_change_that_fails_takes_back_the_ones_before(
    clone: Path, install: Run, last: int, uninstalling: bool
) -> None:
    options = ["--pytracking", str(clone)]
    if uninstalling:
        assert install().returncode == 0
        options.append("--uninstall")
    before = tree(clone)
    command = [sys.executable, "-B", "-c", FAILING, str(INSTALLER.parent), str(last), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert not done.stdout
    assert tree(clone) == before


# The installer, which dies without a word when it is about to change the clone for the n-th time.
CUT_OFF = """
import os, pathlib, sys
sys.path.insert(0, sys.argv.pop(1))
last, changes = int(sys.argv.pop(1)), []

def mortal(change):
    def changed(*arguments, **options):
        changes.append(change)
        if len(changes) == last:
            os._exit(77)
        return change(*arguments, **options)
    return changed

for name in ("write_bytes", "replace", "unlink", "mkdir", "rmdir"):
    setattr(pathlib.Path, name, mortal(getattr(pathlib.Path, name)))
import install
sys.exit(install.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("last", [2, 3, 5, 8, 13, 20, 33, 40])
@pytest.mark.parametrize("uninstalling", [False, True], ids=["install", "uninstall"])
def test_a_run_that_was_cut_off_can_be_undone(
    clone: Path, install: Run, last: int, uninstalling: bool
) -> None:
    before = tree(clone)
    options = ["--pytracking", str(clone)]
    if uninstalling:
        assert install().returncode == 0
        options.append("--uninstall")
    command = [sys.executable, "-B", "-c", CUT_OFF, str(INSTALLER.parent), str(last), *options]
    assert subprocess.run(command, check=False).returncode == 77
    if last % 2:
        assert install().returncode == 0
    assert install("--uninstall").returncode == 0
    assert tree(clone) == before


def test_a_link_out_of_the_clone_is_refused(clone: Path, tmp_path: Path, install: Run) -> None:
    outside = tmp_path / "outside"
    (clone / "ltr" / "train_settings" / "bbreg").rename(outside)
    (clone / "ltr" / "train_settings" / "bbreg").symlink_to(outside)
    done = install()
    assert done.returncode == 2
    assert "leads out of the clone" in done.stderr
    assert not (outside / "atom_nce.py").exists()


def test_the_installer_can_be_read_by_old_pythons_and_asks_for_no_older_one_than_ebm() -> None:
    text = INSTALLER.read_text()
    ast.parse(text, feature_version=(3, 5))
    lowest = next(
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "LOWEST"
    )
    project = tomllib.loads((INSTALLER.parents[2] / "pyproject.toml").read_text())["project"]
    needed = project["requires-python"].split(",")[0].removeprefix(">=")
    assert lowest >= tuple(map(int, needed.split(".")))
    assert text.index("sys.exit(2)") < text.index("from plugin_command import")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10"])
def test_an_old_python_is_told_so(clone: Path, version: str) -> None:
    found = sorted(PYENV.glob(f"versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} on this machine")
    before = tree(clone)
    command = [str(found[0]), "-B", str(INSTALLER), "--pytracking", str(clone)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"this is Python {version} " in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(clone) == before
