"""The same command under torchrun: the same bits as with processes of its own, stopped by a signal too."""

import signal
import sys
from pathlib import Path

import pytest

from ltr.admin.loading import read_checkpoint
from tests.ltr.train_settings.runs import LAST, ROOT, RUN, SHARING, assert_same_run, finish, start, wait_for

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
SCRIPT = str(ROOT / "ltr" / "run_training.py")


@pytest.mark.slow
def test_torchrun_trains_to_the_same_bits_as_processes_of_the_command(
    workspace: Path, shared_run: Path
) -> None:
    process = start(workspace, *SHARING, command=[*TORCHRUN, SCRIPT])
    wait_for(workspace / RUN / "history.csv", process)
    process.send_signal(signal.SIGTERM)  # torchrun hands it to both
    code, output = finish(process)
    assert code != 0
    assert output.count("state saved") == 1  # the main process alone speaks
    (interrupted,) = (workspace / RUN).glob("DiMPnet_interrupted_*.pt")
    resume = read_checkpoint(interrupted)["resume"]
    assert (resume["processes"], len(resume["random_others"])) == (2, 1)

    code, output = finish(start(workspace, *SHARING, command=[*TORCHRUN, "-m", "ltr.run_training"]))
    assert code == 0, output
    assert output.count("resuming") == output.count("batch:") == output.count("Finished") == 1
    assert "4 samples (2 groups x 2; batch statistics over 2 samples)" in output
    assert_same_run(workspace / LAST, shared_run)


@pytest.mark.slow
def test_bad_input_ends_all_processes(tmp_path: Path) -> None:
    process = start(tmp_path, *SHARING, "--resume", "absent.pth.tar", command=[*TORCHRUN, SCRIPT])
    code, output = finish(process)
    assert code != 0
    assert "error: No checkpoint at absent.pth.tar" in output
    assert not (tmp_path / RUN).exists()
