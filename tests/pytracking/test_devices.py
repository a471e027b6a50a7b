"""A device that is not there ends every command that takes one, before it has written anything."""

from pathlib import Path

import pytest
import torch

from pytracking.cli import main
from tests.pytracking.evaluation.tiny import write_otb

COMMANDS = {
    "demo": ["demo", "--workspace", "OUT"],
    "train": ["train", "dimp", "dimp_nce_plus", "--datasets", "generated", "--workspace", "OUT"],
    "track": [
        "track",
        "first_box",
        "default",
        "--dataset",
        "generated",
        "--root",
        "ROOT",
        "--results",
        "OUT",
    ],
    "video": ["video", "first_box", "default", "ROOT/Deer/img", "--box", "1,1,5,5", "--out", "OUT/v.mp4"],
    "regress": ["regress", "--quick", "--out", "OUT"],
    "toy1d": ["toy1d", "table", "--quick", "--out", "OUT"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_missing_device(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    root, out = write_otb(tmp_path / "otb", {"Deer": 2}), tmp_path / "out"
    arguments = [part.replace("ROOT", str(root)).replace("OUT", str(out)) for part in COMMANDS[command]]
    before = sorted(tmp_path.rglob("*"))
    assert main([*arguments, "--device", "cuda:7"]) == 2
    assert (
        "'cuda:7' was asked for, but torch sees no CUDA device; pass auto or cpu" in capsys.readouterr().err
    )
    assert sorted(tmp_path.rglob("*")) == before
