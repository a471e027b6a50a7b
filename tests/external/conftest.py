"""A stand-in clone in a temporary folder, and the installer as a command."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Script:
    """A run of a script of the stand-in from its folder; EBMTrack's own `ltr` is importable, as for users."""

    file: Path
    arguments: tuple[str, ...]
    environment: dict[str, str]

    def fresh(self) -> subprocess.CompletedProcess[str]:
        """Run it in a Python of its own."""
        command = [sys.executable, self.file.name, *self.arguments]
        return subprocess.run(
            command, cwd=self.file.parent, env=self.environment, capture_output=True, text=True, check=False
        )

    def forked(self, warm: "subprocess.Popen[str]", folder: Path) -> subprocess.CompletedProcess[str]:
        """Run it in a fork of `warm`; `folder` takes what it prints."""
        outputs = {name: folder / name for name in ("stdout", "stderr")}
        for output in outputs.values():
            output.write_bytes(b"")
        asked = {"file": self.file, "arguments": self.arguments, "environment": self.environment, **outputs}
        assert warm.stdin is not None
        assert warm.stdout is not None
        print(json.dumps(asked, default=str), file=warm.stdin, flush=True)
        code = int(warm.stdout.readline())
        return subprocess.CompletedProcess(
            [str(self.file), *self.arguments], code, *(output.read_text() for output in outputs.values())
        )


@pytest.fixture
def script(clone: Path, tmp_path: Path) -> Callable[..., Script]:
    """Describes a run of a script of the stand-in; keywords are further variables of its environment."""

    def described(path: str, *arguments: str, **extra: str) -> Script:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "STANDIN_WORKSPACE": str(tmp_path / "workspace"),
            "STANDIN_STEPS": "2",
            "STANDIN_EPOCHS": "1",
            "OMP_NUM_THREADS": "1",
            **extra,
        }
        return Script(file=clone / path, arguments=arguments, environment=environment)

    return described


@pytest.fixture
def in_clone_afresh(script: Callable[..., Script]) -> Run:
    """Runs a script of the stand-in in a new Python, as a user does."""
    return lambda *arguments, **extra: script(*arguments, **extra).fresh()


@pytest.fixture
def in_clone(script: Callable[..., Script], tmp_path: Path, warm: "subprocess.Popen[str]") -> Run:
    """The same in a fork of a Python that has imported torch already."""
    return lambda *arguments, **extra: script(*arguments, **extra).forked(warm, tmp_path)


@pytest.fixture(scope="session")
def warm() -> Iterator["subprocess.Popen[str]"]:
    """The Python of ``warm.py``."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "warm.py")],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


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
