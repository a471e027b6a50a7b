"""The option by which every command takes another workspace."""

import argparse
from pathlib import Path

import pytest

from ltr.admin.environment import workspace
from ltr.admin.workspace_option import add_workspace_option
from ltr.run_training import build_parser


def test_the_folder_is_the_workspace_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = argparse.ArgumentParser()
    add_workspace_option(parser)
    assert parser.parse_args(["--workspace", "~/runs"]).workspace == tmp_path / "runs"
    assert workspace() == tmp_path / "runs"


@pytest.mark.parametrize("text", ["", "s3://bucket/runs"])
def test_what_is_no_folder_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = workspace()
    parser = build_parser()
    with pytest.raises(SystemExit):
        parser.parse_args(["dimp", "dimp_nce_plus_small", "--workspace", text])
    assert "argument --workspace: " in capsys.readouterr().err
    assert workspace() == before
