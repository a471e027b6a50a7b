"""What pyproject.toml admits, what constraints.txt pins, and what works without the extras."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ebm.extras import EXTRA_OF, TRACK_MODULES
from pytracking.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8")
PINS = {name: Version(pin) for name, pin in re.findall(r"^([\w.-]+)==(\S+)$", CONSTRAINTS, re.MULTILINE)}


def requirements() -> Iterator[Requirement]:
    for text in PROJECT["dependencies"]:
        yield Requirement(text)
    for texts in EXTRAS.values():
        yield from map(Requirement, texts)


def test_the_core_is_torch_and_numpy() -> None:
    assert {Requirement(text).name for text in PROJECT["dependencies"]} == {"torch", "numpy"}


def test_every_pin_lies_in_its_range() -> None:
    checked = set()
    for requirement in requirements():
        if requirement.name in PINS:
            assert PINS[requirement.name] in requirement.specifier, requirement
            checked.add(requirement.name)
    assert {"torch", "torchvision", "numpy", "opencv-python-headless", "pandas", "av"} <= checked


@pytest.mark.parametrize(
    ("package", "releases"),
    [
        ("torch", "2.6.0 2.11.0 2.15.0"),
        ("torchvision", "0.21.0 0.26.0 0.29.2"),
        ("numpy", "1.26.0 2.4.6 2.5.5"),
        ("opencv-python-headless", "4.12.0.88 5.0.0.93"),
        ("opencv-python", "4.12.0.88 5.0.0.93"),
        ("pandas", "2.2.2 3.1.1"),
        ("matplotlib", "3.10.0 3.11.2"),
        ("av", "18.1.0 19.0.2"),
        ("faster-coco-eval", "1.8.0"),
        ("vot-toolkit", "0.8.0"),
    ],
)
def test_the_releases_that_were_tested_are_admitted(package: str, releases: str) -> None:
    (requirement,) = {str(r): r for r in requirements() if r.name == package}.values()
    assert all(release in requirement.specifier for release in releases.split())


def test_the_pythons_admitted_are_those_of_the_classifiers() -> None:
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    admitted = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(8, 20) if f"3.{minor}.5" in admitted] == named


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_extra_brings_two_opencvs(extra: str) -> None:
    names = [Requirement(text).name for text in EXTRAS[extra]]
    assert sum(name.startswith("opencv") for name in names) == (extra in {"track", "track-gui"})


def test_the_table_of_extras_names_extras_that_are_there() -> None:
    assert set(EXTRA_OF.values()) <= EXTRAS.keys()


BLOCKER = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {{*{TRACK_MODULES!r}, 'matplotlib', 'pandas', 'sklearn', 'scipy', 'av'}}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
import importlib.util
seek, absent = importlib.util.find_spec, {TRACK_MODULES!r}
importlib.util.find_spec = lambda name, package=None: None if name in absent else seek(name, package)
"""


def run_without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """Run code where nothing but torch and NumPy can be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + code], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_a_fit_is_saved_and_loaded_with_torch_and_numpy_alone(tmp_path: Path) -> None:
    done = run_without_extras(
        "import numpy as np, ebm\n"
        "x = np.linspace(-1, 1, 64)[:, None]; fitted = ebm.fit(x, x[:, 0], epochs=2)\n"
        f"fitted.save({str(tmp_path / 'fit.pt')!r}); again = ebm.load_fitted({str(tmp_path / 'fit.pt')!r})\n"
        "assert np.array_equal(fitted.predict(x), again.predict(x))\n"
    )
    assert done.returncode == 0, done.stderr


def test_commands_of_the_trackers_name_the_extra_and_the_others_answer() -> None:
    done = run_without_extras(
        "from pytracking.cli import COMMANDS, main\n"
        "for name, command in COMMANDS.items():\n"
        "    try: code = main([name, '--help'])\n"
        "    except SystemExit as stop: code = stop.code\n"
        "    assert code == (2 if command.tracking else 0), (name, code)\n"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tracking = sum(command.tracking for command in COMMANDS.values())
    assert done.stderr.count("pip install 'ebmtrack[track]'") == tracking >= 8


def test_weights_cards_and_the_clip_go_into_the_wheel() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    for package in ("pytracking.weights", "pytracking.demo"):
        folder = ROOT / package.replace(".", "/")
        wanted = {p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
        packed = {path for pattern in (*patterns["*"], *patterns[package]) for path in folder.glob(pattern)}
        assert wanted <= packed, wanted - packed
        assert len(wanted) >= 4
    assert sum(path.stat().st_size for path in (ROOT / "pytracking/demo/clip").iterdir()) < 3e6
