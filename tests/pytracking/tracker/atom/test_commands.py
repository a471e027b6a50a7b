"""ATOM through the commands, from a checkpoint as training writes it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ltr.admin.checkpoint_io import network_fields, write_checkpoint
from ltr.models.bbreg.atom import atom_resnet_small
from ltr.models.tracking.dimpnet import dimpnet_small
from pytracking import run_tracker, run_video
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames, write_otb

NAMES = ["atom", "atom_nce_plus_small"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Small networks of both families with random weights."""
    torch.manual_seed(0)
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for name, net in (("atom", atom_resnet_small()), ("dimp", dimpnet_small())):
        write_checkpoint(folder / f"{name}.pth.tar", {"epoch": 0, **network_fields(net)})
        files[name] = str(folder / f"{name}.pth.tar")
    return files


def test_a_dataset_run_and_its_table(
    checkpoints: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"Walking": 4})
    options = ["--dataset", "generated", "--root", str(root), "--results", str(tmp_path / "r")]
    options += ["--device", "cpu", "--threads", "1", "--checkpoint"]
    assert run_tracker.main([*NAMES, *options, checkpoints["atom"]]) == 0
    out = capsys.readouterr().out
    assert "1 sequence run, 4 frames" in out
    assert "atom/atom_nce_plus_small |" in out
    [boxes] = (tmp_path / "r").rglob("Walking.txt")
    np.testing.assert_allclose(np.loadtxt(boxes)[0], boxes_of(4)[0])
    assert run_tracker.main([*NAMES, *options, checkpoints["dimp"]]) == 2
    assert "not an ATOM network" in capsys.readouterr().err


def test_a_video_and_its_table(checkpoints: dict[str, str], tmp_path: Path) -> None:
    draw_frames(tmp_path / "walk", boxes_of(4))
    out = tmp_path / "out.mp4"
    arguments = [*NAMES, str(tmp_path / "walk"), "--box", "4,8,12,10", "--device", "cpu"]
    assert run_video.main([*arguments, "--checkpoint", checkpoints["atom"], "--out", str(out)]) == 0
    rows = out.with_suffix(".csv").read_text().splitlines()
    assert len(rows) == 5
    assert rows[1].startswith("0,4.000,8.000,12.000,10.000,1.0000,ok")
    assert run_video.main([*arguments, "--checkpoint", checkpoints["dimp"], "--out", str(out)]) == 2


def test_no_weights_says_how_to_get_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EBMTRACK_NETWORKS", str(tmp_path))
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "w"))
    root = write_otb(tmp_path / "otb", {"Walking": 2})
    assert run_tracker.main(["atom", "default", "--dataset", "generated", "--root", str(root)]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "atom_default.pth") in said
    assert "run_training.py bbreg atom." in said
