"""How processes find each other: by the command's own means, or by torchrun's variables."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ebm.exceptions import EBMError, InputError
from ltr.trainers import launch as module
from ltr.trainers.launch import expected_world, launch, under_torchrun
from ltr.trainers.world import World

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "host",
    "MASTER_PORT": "29500",
}


def test_one_process_is_alone() -> None:
    with launch(1, []) as join:
        assert join(torch.device("cpu")) == World()


def test_torchrun_says_who_is_who(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not under_torchrun()
    assert expected_world(3) == World(0, 3, 0, 3)
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert under_torchrun()
    assert expected_world() == World(rank=5, size=8, local_rank=1, local_size=4)
    with pytest.raises(InputError, match="nproc-per-node"):
        expected_world(2)


def test_processes_of_a_command_know_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TORCHRUN, module.STORE: "x", module.RANK: "1", module.SIZE: "2"}.items():
        monkeypatch.setenv(name, value)
    assert not under_torchrun()
    assert expected_world(2) == World(1, 2, 1, 2)


KILLED = """
import os, signal, sys
from ltr.trainers import launch as module

start = module._start

def told(*arguments):
    process = start(*arguments)
    print(process.pid, flush=True)
    return process

module._start = told
with module.launch(2, ["dimp", "dimp_nce_plus_small", "--device=cpu", "--processes=2", *sys.argv[1:]]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


LEAVING = """
from pathlib import Path
import torch
from ltr.trainers.launch import launch

with launch(2, []) as join:
    world = join(torch.device("cpu"))
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # imports modules that refer to the group
    world.gather(0)
print([task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")])
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are looked up in /proc")
def test_no_thread_of_the_group_is_left_to_abort_the_end_of_a_process(tmp_path: Path) -> None:
    shared = os.environ | {module.STORE: str(tmp_path / "store"), module.SIZE: "2"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LEAVING],
            env=shared | {module.RANK: str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert all("python" in output and "gloo" not in output for output in outputs), outputs


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_the_others_end_with_a_main_process_that_is_killed_while_they_start(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, "--workspace", str(tmp_path)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    other = int(killed.stdout)
    deadline = time.monotonic() + 60
    while alive(other):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_ended_another_process_is_said() -> None:
    starts = launch(2, ["dimp", "no_such_setting"])
    with pytest.raises(EBMError, match="(?s)Process 1 of the run ended with code 2.*Unknown"), starts as join:
        join(torch.device("cpu"))
