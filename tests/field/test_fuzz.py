"""A short run of the fuzz tests; ``python -m tests.field.fuzz`` makes long ones."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebm.exceptions import InputError
from tests.field.clips import pyav
from tests.field.fuzz import __main__ as fuzz
from tests.field.fuzz import oracles
from tests.field.fuzz.__main__ import Worker, main
from tests.field.fuzz.readers import TARGETS
from tests.field.fuzz.target import Target
from tests.field.fuzz.worker import Example

TRIES = 4


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damage_is_refused_or_read_right(target: Target, tmp_path: Path) -> None:
    if target.name.startswith(("video", "track")):
        pyav()
    (tmp_path / "it").mkdir()
    example = Example(target, tmp_path / "it")
    found = [example.attempt(5, number) for number in range(TRIES)]
    assert not [one for one in found if one.outcome == "found"]


def refuse(_: Path) -> None:
    raise InputError("it is damaged.")


def fail(_: Path) -> None:
    raise KeyError("a traceback")


def warn(_: Path) -> None:
    np.float64(1e300).astype(np.float32)


@pytest.mark.parametrize(
    ("read", "verdict", "outcome"),
    [
        (refuse, "", "refused"),
        (fail, "", "found"),
        (warn, "", "found"),
        (Path.exists, "", "accepted"),
        (Path.exists, "other boxes", "found"),
        (Path.exists, "? nobody can know", "unknowable"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, read: Any, verdict: str, outcome: str) -> None:
    seen: list[str] = []

    def first_sound(folder: Path) -> Any:
        seen.append(folder.name)
        return read(folder) if len(seen) > 1 else None

    (tmp_path / "it").mkdir()
    target = Target(
        "planted/one",
        lambda folder: (folder / "a.bin").write_bytes(bytes(100)),
        first_sound,
        lambda *_: verdict if len(seen) > 1 else "",
    )
    assert Example(target, tmp_path / "it").attempt(0, 1, tmp_path / "kept").outcome == outcome
    assert (tmp_path / "kept/planted-one-1/a.bin").exists() == (outcome == "found")


def test_a_seed_means_the_same_inputs(tmp_path: Path) -> None:
    contents: list[bytes] = []
    target = Target(
        "planted/same",
        lambda folder: (folder / "a.bin").write_bytes(os.urandom(0) + bytes(range(100))),
        lambda folder: contents.append((folder / "a.bin").read_bytes()),
        lambda *_: "",
    )
    (tmp_path / "it").mkdir()
    example = Example(target, tmp_path / "it")
    for _ in range(2):
        for number in range(5):
            example.attempt(3, number)
    assert contents[1:6] == contents[6:]
    assert len(set(contents[1:6])) > 1


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("1,2,3,4", [1, 2, 3, 4]),
        ("1; 2 ;3;4;", [1, 2, 3, 4]),
        ("12,5 30,0", None),
        ("1,,2,3", None),
        ("1_0,2,3,4", None),
        ("\u0661,2,3,4", None),
        ("nan nan nan -1e3", [np.nan, np.nan, np.nan, -1000]),
    ],
)
def test_the_strict_reader(line: str, numbers: list[float] | None) -> None:
    found = oracles.numbers(line)
    assert (found is None) == (numbers is None)
    assert found is None or np.array_equal(found, numbers, equal_nan=True)


@pytest.mark.parametrize(("program", "said"), [("sleep 60", "hangs"), ("read line; exit 7", "died .7.")])
def test_a_process_that_hangs_or_dies_is_a_finding(
    program: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(_: Worker) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(["sh", "-c", program], stdin=pipe, stdout=pipe, text=True)

    monkeypatch.setattr(Worker, "_start", start)
    monkeypatch.setattr(fuzz, "WALL_LIMIT", 0.0 if "sleep" in program else 60.0)
    worker = Worker(tmp_path, 0, ["a"], None)
    found = worker.attempt("a", 0)
    worker.stop()
    assert found["outcome"] == "found"
    assert re.search(said, found["detail"])


def test_the_command_counts_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tries", "3", "--only", "boxes/argument", "--only", "a.png"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[:2] for line in said.splitlines()[1:4]] == [
        ["boxes/argument", "3"],
        ["image/a.png", "3"],
        ["all", "6"],
    ]
