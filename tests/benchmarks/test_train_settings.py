"""The benchmark of all settings: it runs what is published, reads what is done, and says what went wrong."""

import importlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ltr.train_settings.recipe import find_recipe
from tests.ltr.train_settings.published import PUBLISHED


@pytest.fixture
def script(beside_the_scripts: None) -> Any:
    return importlib.import_module("train_settings")


def test_every_published_setting_and_a_small_one_of_each_family_are_run(script: Any) -> None:
    assert set(script.SETTINGS) == set(PUBLISHED)
    assert len(script.SETTINGS) == len(PUBLISHED)
    assert all(find_recipe(*setting).network.constructor.count("small") for setting in script.FAMILIES)


def test_what_is_done_is_not_done_again(script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def pretend(command: list[str], stdout: Any, env: dict[str, str], **_: Any) -> Any:
        calls.append(command[2:])
        stdout.write("network: x, 1.25 M parameters, 1.00 M trained; nothing frozen\n")
        steps = [{"seconds": 1.0, "Loss/total": loss} for loss in (3.0, 2.0)]
        Path(env[script.STEPS_VARIABLE]).write_text("".join(json.dumps(step) + "\n" for step in steps))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(script.subprocess, "run", pretend)
    first = script.run(("dimp", "dimp18"), tmp_path, ["--epochs", "1"])
    assert script.run(("dimp", "dimp18"), tmp_path, ["--epochs", "1"]) == first
    assert calls == [["dimp", "dimp18", "--epochs", "1"]]
    cells = [cell.strip() for cell in script.row_of(("dimp", "dimp18"), first).split("|")[1:-1]]
    assert cells == ["`dimp dimp18`", "1.25", "2", "3", "2", "yes", f"{first['seconds']:.0f}", "0"]
    script.run(("dimp", "dimp18"), tmp_path, ["--epochs", "2"])
    assert len(calls) == 2


def test_a_run_that_fails_or_skips_a_step_shows_it(script: Any) -> None:
    crashed = {"arguments": [], "code": 1, "seconds": 2.0, "parameters": None, "steps": []}
    assert "**no**" in script.row_of(("dimp", "dimp18"), crashed)
    assert script.row_of(("dimp", "dimp18"), crashed).endswith("| 1 |")
    skipped = crashed | {"steps": [{"seconds": 1.0, "Loss/total": 1.0}, {"seconds": 1.0}]}
    assert "**no**" in script.row_of(("dimp", "dimp18"), skipped)


def test_tenths_are_means_of_the_ends(script: Any) -> None:
    values = [float(k) for k in range(20)]
    assert script.share(values, last=False) == 0.5
    assert script.share(values, last=True) == 18.5
    assert script.share([4.0], last=True) == 4.0
