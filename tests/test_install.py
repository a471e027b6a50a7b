"""install.sh refuses what cannot work with one sentence, and never touches a working environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_install(folder: Path, *arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "install.sh", folder / "install.sh")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    environment = {"PATH": f"{path}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        ["bash", "install.sh", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder that comes first on PATH; every Python in it is too old."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python"):
        script(folder / name, 'echo "Python 3.8.1"; exit 1')
    return folder


def script(file: Path, body: str) -> None:
    file.write_text(f"#!/bin/bash\n{body}\n")
    file.chmod(0o755)


def test_an_unsupported_python_is_one_clear_sentence(tmp_path: Path, tools: Path) -> None:
    done = run_install(tmp_path, path=tools)
    assert done.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert "Python 3.8.1" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_full_disk_is_one_clear_sentence(tmp_path: Path, tools: Path) -> None:
    script(tools / "df", "printf 'Filesystem 1024-blocks Used Available\\n/dev/x 9 9 1048576\\n'")
    done = run_install(tmp_path, path=tools)
    assert done.returncode != 0
    assert "only 1 GB are free" in done.stderr


def test_an_unreachable_registry_is_one_clear_sentence(tmp_path: Path, tools: Path) -> None:
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    refusal = "error: Failed to fetch: dns error: failed to lookup address information"
    script(venv / "python", f'case "$*" in *pip*) echo "{refusal}"; exit 1;; *hashlib*) echo 0123;; esac')
    done = run_install(tmp_path, path=tools)
    assert done.returncode != 0
    assert "registry could not be reached" in done.stderr


def test_an_unknown_command_names_the_commands(tmp_path: Path, tools: Path) -> None:
    done = run_install(tmp_path, "dmeo", path=tools)
    assert done.returncode != 0
    assert "demo, test" in done.stderr


def test_help_needs_no_python(tmp_path: Path, tools: Path) -> None:
    done = run_install(tmp_path, "--help", path=tools)
    assert done.returncode == 0
    assert "bash install.sh demo" in done.stdout


def test_the_pins_and_the_clone_as_a_folder_are_asked_for(tmp_path: Path, tools: Path) -> None:
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    script(venv / "python", 'case "$*" in *hashlib*) echo 0123;; esac')
    script(venv / "uv", f'echo "$*" >>{tmp_path}/asked')
    done = run_install(tmp_path, path=tools)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text()
    assert "-c constraints.txt -e .[track,train,eval,page]" in asked
    assert "editable_mode=compat" in asked


def test_a_certificate_that_only_the_system_knows_is_tried_too(tmp_path: Path, tools: Path) -> None:
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    script(venv / "python", 'case "$*" in *pip*) echo unwanted; exit 1;; *hashlib*) echo 0123;; esac')
    refusal = "cause: invalid peer certificate: UnknownIssuer"
    script(
        venv / "uv",
        f'[ "$1" = --version ] || [ "$UV_SYSTEM_CERTS" = true ] || {{ echo "{refusal}"; exit 2; }}',
    )
    done = run_install(tmp_path, path=tools)
    assert done.returncode == 0, done.stderr
    assert "trying pip" not in done.stdout
    assert "ebmtrack video VIDEO --box" in done.stdout
