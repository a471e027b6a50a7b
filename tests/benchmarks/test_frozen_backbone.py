"""The timing of a frozen backbone runs."""

import importlib

import pytest


def test_a_small_one_is_timed(beside_the_scripts: None, capsys: pytest.CaptureFixture[str]) -> None:
    script = importlib.import_module("frozen_backbone")
    assert script.main(["--batch", "2", "--side", "64", "--repeats", "1"]) == 0
    assert "times as fast, the step" in capsys.readouterr().out
