"""The VOT toolkit in a Python of its own: found or installed, and run as a program."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ebm.exceptions import InputError

__all__ = ["REQUIREMENTS", "Said", "Toolkit", "find_toolkit", "install_toolkit"]

REQUIREMENTS = ("vot-toolkit>=0.8,<0.9", "attributee==0.1.9")  # as the extra vot-toolkit
_INSTALL_LIMIT = 900  # seconds
_MARK = ".ebmtrack-vot"  # of a folder that was made here, and may be made anew
_READY = "The VOT toolkit, for 'ebmtrack vot check'. The folder may be removed.\n"
_LOOK = """
import importlib.metadata, importlib.util, json, platform
def version(name):
    try: return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: return None
def there(*names): return all(importlib.util.find_spec(name) is not None for name in names)
print(json.dumps({"toolkit": version("vot-toolkit"), "python": platform.python_version(),
                  "tracker": there("pytracking", "ebm", "torch"), "trax": there("trax")}))
"""


@dataclass(frozen=True)
class Said:
    """What a run of the toolkit said: its exit code (None if it was stopped for taking too long) and text."""

    code: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Toolkit:
    """A Python that has the toolkit.

    Attributes:
        python: its interpreter.
        version: of the toolkit.
        python_version: of the interpreter.
        has_tracker: whether EBMTrack and torch can be imported there too, as its Python API needs.
        has_trax: whether vot-trax can.
    """

    python: Path
    version: str
    python_version: str
    has_tracker: bool
    has_trax: bool

    @property
    def has_python_api(self) -> bool:
        """Whether it is 0.8 or later, which have the Python API and the folder protocol."""
        major, minor = (int(part) for part in re.findall(r"\d+", self.version)[:2])
        return (major, minor) >= (0, 8)

    def run(self, arguments: Sequence[str], workspace: Path, limit: float) -> Said:
        """Run a command of the toolkit in a workspace, and end it and its children after `limit` seconds."""
        paths = [str(workspace), os.environ.get("PYTHONPATH", "")]  # a check puts the reference tracker there
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "VOT_RESULTS_BINARY": "0",
            "MPLBACKEND": "Agg",
        }
        # Without --debug nobody learns what a tracker of the folder protocol has said when it failed.
        words = [str(self.python), "-m", "vot", "--debug", *arguments]
        return _run(words, workspace, environment, limit)


def find_toolkit(python: Path) -> Toolkit:
    """The toolkit of an interpreter.

    Raises:
        InputError: if there is no such program, it has no toolkit, or the toolkit does not start.
    """
    said = _run([str(python), "-c", _LOOK], Path.cwd(), os.environ, 60)
    if said.code != 0:
        raise InputError(f"{python} is no Python that runs: {_last(said.text)}")
    found = json.loads(said.text.strip().splitlines()[-1])
    if found["toolkit"] is None:
        raise InputError(
            f"{python} has no vot-toolkit: pip install {' '.join(map(repr, REQUIREMENTS))} there, or leave "
            "--python out, and an environment is made for it."
        )
    toolkit = Toolkit(
        python=python,
        version=found["toolkit"],
        python_version=found["python"],
        has_tracker=found["tracker"],
        has_trax=found["trax"],
    )
    started = toolkit.run(["--help"], Path.cwd(), 120)
    if started.code != 0:
        raise InputError(f"vot-toolkit {toolkit.version} of {python} does not start: {_why(started.text)}")
    return toolkit


def install_toolkit(folder: Path, say: Callable[[str], None]) -> Path:
    """The interpreter of an environment with the toolkit, which is made if it is not there.

    It sees this environment's packages behind its own, so that the toolkit can import EBMTrack's trackers.

    Args:
        folder: of the environment.
        say: told what is done.

    Raises:
        InputError: if the folder holds something else, or the packages cannot be had.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    mark = folder / _MARK
    if not (python.is_file() and mark.is_file() and mark.read_text() == _READY):
        if folder.exists() and not mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} was not made by this command; name a new folder with --venv.")
        say(f"Installing {' and '.join(REQUIREMENTS)} into {folder}")
        _make(folder, python, mark)
    (packages,) = folder.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages")
    root = Path(__file__).resolve().parents[2]
    (packages / "ebmtrack-beside.pth").write_text("\n".join([str(root), *_packages_here(), ""]))
    return python


def _packages_here() -> list[str]:
    """The folders of installed packages that this Python looks into."""
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]


def _make(folder: Path, python: Path, mark: Path) -> None:
    """Make the environment anew; a run that was killed leaves the mark of an unfinished one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.write_text("unfinished\n")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
    for words in ([sys.executable, "-m", "venv", str(folder)], pip):
        said = _run(words, Path.cwd(), os.environ, _INSTALL_LIMIT)
        if said.code != 0:
            raise InputError(f"The toolkit could not be installed: {' '.join(words)} says {_last(said.text)}")
    mark.write_text(_READY)


def _run(words: Sequence[str], folder: Path, environment: Mapping[str, str], limit: float) -> Said:
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise InputError(f"{words[0]} cannot be started: {error.strerror}.") from error
    try:
        text, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        _end(process)
        return Said(None, _plain(process.communicate()[0]))
    except BaseException:  # Ctrl-C too: it is in a session of its own, and nobody else would end it
        _end(process)
        raise
    return Said(process.returncode, _plain(text))


def _plain(text: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _end(process: "subprocess.Popen[str]") -> None:
    """End a process and what it has started."""
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(text: str) -> str:
    """Why the toolkit does not start, with the remedy where it is known."""
    if "libGL" in text:
        return (
            "its OpenCV lacks the system's libGL.so.1. Install it (libgl1 on Debian and Ubuntu), or put "
            "opencv-python-headless in the place of opencv-python there."
        )
    if "dataclass_transform" in text:
        return "attributee 0.1.10 breaks it; install attributee==0.1.9 there."
    return _last(text)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing."
