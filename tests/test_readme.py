"""What the README shows exists and runs."""

import re
from pathlib import Path

import pytest
import torch

from ltr.train_settings.recipe import find_recipe
from pytracking.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_regression_example_runs() -> None:
    (example,) = [block for block in blocks("python") if "build_loss" in block]
    names: dict[str, object] = {}
    torch.manual_seed(0)
    exec(example, names)
    assert torch.isfinite(names["out"].loss)  # type: ignore[attr-defined]


def test_the_fit_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [block for block in blocks("python") if "ebm.fit" in block]
    exec(example, {})
    numbers = re.findall(r"-?\d+\.\d+", capsys.readouterr().out)
    assert float(numbers[0]) == pytest.approx(1.0, abs=0.1)  # sin 1.5


@pytest.mark.parametrize("setting", sorted(set(re.findall(r"`(dimp/\w+)`", TEXT))))
def test_every_train_setting_named_exists(setting: str) -> None:
    module, name = setting.split("/")
    assert find_recipe(module, name).name == name


def test_every_script_command_and_picture_named_exists() -> None:
    shell = "\n".join(blocks("bash"))
    scripts = set(re.findall(r"python ((?:ltr|pytracking)/\w+\.py)", shell))
    assert scripts
    assert all((ROOT / script).is_file() for script in scripts)
    assert set(re.findall(r"^ebmtrack (\w+)", shell, re.MULTILINE)) <= COMMANDS.keys()
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
