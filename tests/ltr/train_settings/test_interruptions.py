"""Runs that are killed, stopped, or run out of disk: what they leave; that they go on to the same bits."""

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ltr.admin import checkpoint_io
from ltr.admin.loading import read_checkpoint
from ltr.run_training import main
from tests.ltr.train_settings.runs import (
    LAST,
    LENGTH,
    RUN,
    SHARING,
    SMALL,
    STEPS,
    assert_same_run,
    finish,
    kill_at_random_step,
    linked,
    start,
    wait_for,
)
from tests.once import made_once


@pytest.fixture(scope="module")
def undisturbed(generated_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last checkpoint of a run that nothing disturbed, loaded in the main process."""

    def run(folder: Path) -> None:
        settings = (*LENGTH, "--set", "ema=0.9", "--workers", "0")
        code, output = finish(start(linked(generated_tiny, folder), *settings))
        assert code == 0, output

    return made_once(tmp_path_factory, "undisturbed-run", run) / LAST


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_killed_at_any_step_ends_with_the_same_bits(
    workspace: Path, undisturbed: Path, workers: str
) -> None:
    command = [*LENGTH, "--set", "ema=0.9", "--workers", workers]
    step = kill_at_random_step(workspace, *command)
    saved = len(list((workspace / RUN).glob("*_ep*.pth.tar")))
    assert saved == (step - 1) // (STEPS // 3)
    code, output = finish(start(workspace, *command))
    assert code == 0, output
    assert ("resuming" in output) == (saved > 0), f"killed before step {step}: {output}"
    assert_same_run(workspace / LAST, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_stops_after_a_checkpoint_of_the_epochs_middle(
    workspace: Path, undisturbed: Path, signum: int, code: int
) -> None:
    process = start(workspace, *LENGTH, "--set", "ema=0.9", "--workers", "2")
    wait_for(workspace / RUN / "history.csv", process)  # what is written last in an epoch
    time.sleep(0.2)
    os.killpg(process.pid, signum)
    got, output = finish(process)
    assert got == code, output
    assert "state saved" in output
    assert "Traceback" not in output
    position = read_checkpoint(workspace / RUN / "DiMPnet_interrupted_ep0001.pt")["resume"]["position"]
    assert position["epoch"] == 1
    assert 1 <= position["step"] < 8
    assert position["samples"] == 16 + 2 * position["step"]
    code, output = finish(start(workspace, *LENGTH, "--set", "ema=0.9", "--workers", "0"))
    assert code == 0, output
    assert_same_run(workspace / LAST, undisturbed)


@pytest.mark.slow
def test_processes_that_share_the_batches_stop_together_and_one_alone_goes_on_exactly(
    workspace: Path, shared_run: Path
) -> None:
    process = start(workspace, *SHARING, "--processes=2")
    wait_for(workspace / RUN / "history.csv", process)
    process.send_signal(signal.SIGTERM)
    code, output = finish(process)
    assert code == 143, output
    code, output = finish(start(workspace, *SHARING, "--workers=1"))
    assert code == 0, output
    assert "resuming" in output
    assert "no exact continuation" not in output
    assert_same_run(workspace / LAST, shared_run)


@pytest.mark.slow
def test_a_disk_that_fills_up_while_saving_costs_an_epoch_and_no_checkpoint(
    workspace: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*SMALL, "--workspace", str(workspace), "--samples=4", "--workers=0", "--epochs=2"]
    save = torch.save

    def full(content: Any, file: Any) -> None:
        if content["epoch"] == 2:
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(content, file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_io.torch, "save", full)
        assert main(command) == 2
    captured = capsys.readouterr()
    assert "there is no space left" in captured.err
    assert "DiMPnet_ep0002.pth.tar cannot be written" in captured.err
    assert "Finished" not in captured.out
    assert sorted(path.name for path in (workspace / RUN).iterdir()) == [
        "DiMPnet_ep0001.pth.tar",
        "history.csv",
    ]
    assert main(command) == 0
    assert "1 of 2 epochs done" in capsys.readouterr().out
    assert read_checkpoint(workspace / RUN / "DiMPnet_ep0002.pth.tar")["epoch"] == 2


@pytest.mark.slow
def test_checkpoints_that_cannot_be_gone_on_from_are_named(
    workspace: Path, capsys: pytest.CaptureFixture
) -> None:
    command = [*SMALL, "--workspace", str(workspace), "--samples=4", "--workers=0", "--epochs=2"]
    assert main(command) == 0
    first, second = (workspace / RUN / f"DiMPnet_ep000{epoch}.pth.tar" for epoch in (1, 2))
    whole = second.read_bytes()
    second.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert main([*command, "--epochs=3"]) == 2
    message = capsys.readouterr().err
    assert f"{second} is damaged: truncated" in message
    assert f"--resume {first}" in message
    assert main([*command, "--epochs=3", "--resume", str(first)]) == 0

    content = read_checkpoint(first)
    content["net"] = {name: value for name, value in content["net"].items() if "bb_regressor" not in name}
    other = workspace / "other.pth.tar"
    checkpoint_io.write_checkpoint(other, content)
    capsys.readouterr()
    assert main([*command, "--epochs=3", "--resume", str(other)]) == 2
    message = capsys.readouterr().err
    assert "The checkpoint to resume from does not fit DiMPnet" in message
    assert "keys missing (bb_regressor." in message
