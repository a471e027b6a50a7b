"""Training commands as real processes, and what two runs must share."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ltr.admin.loading import read_checkpoint

__all__ = [
    "LAST",
    "LENGTH",
    "ROOT",
    "RUN",
    "SHARING",
    "SMALL",
    "STEPS",
    "assert_same_run",
    "finish",
    "kill_at_random_step",
    "linked",
    "start",
    "wait_for",
]

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["dimp", "dimp_nce_plus_small", "--scale=tiny", "--batch-size=2", "--no-validate", "--threads=1"]
RUN = Path("checkpoints/ltr/dimp/dimp_nce_plus_small")
LENGTH = ["--epochs", "3", "--samples", "16"]  # eight steps an epoch
STEPS = 24
SHARING = [*LENGTH, "--batch-size=4", "--workers=0"]  # for two processes; four steps an epoch
LAST = RUN / "DiMPnet_ep0003.pth.tar"

# The command, which ends itself by SIGKILL when it is about to make the step with the number given first.
SUICIDAL = """
import os, signal, sys
from ltr.run_training import main
from ltr.trainers.step import TrainStep

last, call, made = int(sys.argv.pop(1)), TrainStep.__call__, []

def counted(self, *arguments):
    made.append(1)
    if len(made) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return call(self, *arguments)

TrainStep.__call__ = counted
sys.exit(main(sys.argv[1:]))
"""


def start(workspace: Path, *arguments: str, command: Sequence[str] = ()) -> "subprocess.Popen[str]":
    """The training command as a process of its own, leading a process group.

    Args:
        workspace: where it works.
        *arguments: beside those of the small setting.
        command: what starts it, ``python ltr/run_training.py`` where left out.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EBMTRACK_")}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CONFIG_HOME": str(workspace)}
    command = command or [sys.executable, str(ROOT / "ltr" / "run_training.py")]
    return subprocess.Popen(
        [*command, *SMALL, "--workspace", str(workspace), *arguments],
        cwd=workspace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def linked(generated: Path, folder: Path) -> Path:
    """A workspace in `folder` that sees the tiny data."""
    folder.mkdir(exist_ok=True)
    (folder / "generated").symlink_to(generated)
    return folder


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and everything printed."""
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until a file is there, or fail with what the process said."""
    deadline = time.monotonic() + 240
    while not path.exists():
        assert time.monotonic() < deadline, "the file never came"
        assert process.poll() is None, finish(process)[1]
        time.sleep(0.01)


def kill_at_random_step(workspace: Path, *arguments: str) -> int:
    """Run the command until it is killed; the number of the step, from 1, that it was about to make."""
    step = random.SystemRandom().randint(1, STEPS)
    process = start(workspace, *arguments, command=[sys.executable, "-c", SUICIDAL, str(step)])
    code, output = finish(process)
    assert code == -signal.SIGKILL, output
    return step


def learned(path: Path) -> list[torch.Tensor]:
    """Weights, buffers, averages and optimizer state in a fixed order."""
    content = read_checkpoint(path)
    tensors: list[torch.Tensor] = [*content["net"].values(), *content.get("net_ema", {}).values()]
    for state in content["optimizer"]["state"].values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return tensors


def assert_same_run(first: Path, second: Path) -> None:
    """Fail unless both checkpoints hold the same bits."""
    a, b = learned(first), learned(second)
    assert len(a) == len(b) > 100
    assert all(torch.equal(x, y) for x, y in zip(a, b))
