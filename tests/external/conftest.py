"""A stand-in clone in a temporary folder, and the installer as a command."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLER = ROOT / "external" / "pytracking_plugin" / "install.py"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The stand-in, with the folder of a submodule that is not checked out."""
    folder = tmp_path / "clone"
    shutil.copytree(Path(__file__).parent / "standin", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "ltr" / "external" / "PreciseRoIPooling").mkdir(parents=True)
    return folder


@pytest.fixture
def install(clone: Path) -> Run:
    """Runs the installer on the stand-in; it sees the standard library alone."""

    def run(*arguments: str, folder: Path = clone) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-B", "-c", RUNNER, str(INSTALLER)]
        return subprocess.run(
            [*command, "--pytracking", str(folder), *arguments], capture_output=True, text=True, check=False
        )

    return run


# -I drops the script's folder from the path; a user's call has it.
RUNNER = (
    "import runpy, sys, os; sys.argv = sys.argv[1:]; sys.path.insert(0, os.path.dirname(sys.argv[0]));"
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


@pytest.fixture
def in_clone(clone: Path, tmp_path: Path) -> Run:
    """Runs a script of the stand-in from its folder; EBMTrack's own `ltr` is importable too, as for users."""

    def run(script: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "STANDIN_WORKSPACE": str(tmp_path / "workspace"),
            "STANDIN_STEPS": "2",
            "STANDIN_EPOCHS": "1",
            "OMP_NUM_THREADS": "1",
            **extra,
        }
        file = clone / script
        command = [sys.executable, file.name, *arguments]
        return subprocess.run(
            command, cwd=file.parent, env=environment, capture_output=True, text=True, check=False
        )

    return run


def added(name: str) -> ModuleType:
    """A file of the plugin that imports nothing of a clone, by its path below ``files``."""
    file = INSTALLER.parent / "files" / name
    spec = importlib.util.spec_from_file_location(f"added_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree(folder: Path) -> dict[str, str]:
    """Path -> hash of every file, and every folder, but for what Python compiled."""
    found = (p for p in sorted(folder.rglob("*")) if "__pycache__" not in p.parts)
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder"
        for p in found
    }
