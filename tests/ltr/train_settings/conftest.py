"""A workspace with tiny generated data, made once."""

from pathlib import Path

import pytest

from tests.ltr.drawn import tiny_sets
from tests.ltr.train_settings.runs import LAST, SHARING, finish, linked, start
from tests.once import made_once

KEYS = ("lasot", "got10k", "trackingnet", "coco")


@pytest.fixture
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No paths file and no variable of this machine reaches the test."""
    for key in (*KEYS, "pytracking", "workspace"):
        monkeypatch.delenv(f"EBMTRACK_{key.upper()}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def generated_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder ``generated`` of a workspace with the tiny training set."""
    return made_once(tmp_path_factory, "tiny-workspace", tiny_sets) / "generated"


@pytest.fixture(scope="session")
def shared_run(generated_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last checkpoint of an undisturbed run of two processes that the command started."""

    def run(folder: Path) -> None:
        code, output = finish(start(linked(generated_tiny, folder), *SHARING, "--processes=2"))
        assert code == 0, output
        assert "4 samples (2 groups x 2; batch statistics over 2 samples)" in output

    return made_once(tmp_path_factory, "shared-run", run) / LAST


@pytest.fixture
def workspace(generated_tiny: Path, tmp_path: Path, nothing_configured: None) -> Path:
    """A fresh workspace that sees the tiny data."""
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "generated").symlink_to(generated_tiny)
    return folder
