"""Threads: waiting ones sleep, a network gets what it can use, and the caller's settings stay."""

import contextlib
import importlib
import subprocess
import sys

import pytest
import torch

from ebm import threads
from ebm.threads import available_cores, core_limit, in_words, sleep_when_idle, threads_for, using_threads
from pytracking.cli import COMMANDS

MAINS = ["pytracking.cli", *(command.module for command in COMMANDS.values())]


class Asked(Exception):
    """The command has asked for sleeping threads."""


@pytest.mark.parametrize("name", MAINS)
def test_every_command_asks_for_sleeping_threads_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> None:
        raise Asked

    monkeypatch.setattr("ebm.command.sleep_when_idle", ask)
    with pytest.raises(Asked):
        # The command that looks at its arguments before it starts loads nothing heavy for that.
        importlib.import_module(name).main(["check", "lasot"] if "check_dataset" in name else ["--help"])


IN_TIME = f"""
import importlib, os, sys
for name in {MAINS}:
    importlib.import_module(name)
from pytracking.cli import main
main(["--version"])
print("torch" in sys.modules, os.environ["OMP_WAIT_POLICY"], os.environ["KMP_BLOCKTIME"])
del os.environ["OMP_WAIT_POLICY"], os.environ["KMP_BLOCKTIME"]
import ebm, pytracking, torch
main(["--version"])
print("OMP_WAIT_POLICY" in os.environ)
"""


def test_it_is_in_time_and_a_program_that_has_loaded_torch_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", IN_TIME], env={"PATH": ""}, capture_output=True, text=True)
    assert done.stdout.splitlines()[1::2] == ["False PASSIVE 0", "False"], done.stderr


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_what_the_user_said_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.sys, "modules", {})
    environment = {name: "7"}
    monkeypatch.setattr(threads.os, "environ", environment)
    sleep_when_idle()
    assert environment == {name: "7"}


@pytest.mark.parametrize(
    ("given", "limit"), [("1", 1), ("100000", None), ("1,4", 1), ("", None), ("x", None)]
)
def test_openmps_number_of_threads_is_a_limit(
    given: str, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert core_limit() == (limit or available_cores()) >= 1


def test_a_small_network_gets_one_thread_a_large_one_the_cores() -> None:
    from ltr.models.tracking.dimpnet import dimpnet18, dimpnet_small

    nets = dimpnet_small(), dimpnet18(backbone_pretrained=False)
    small, large = (sum(p.numel() for p in net.parameters()) for net in nets)
    assert threads_for(small, 8) == threads_for(0, 8) == 1
    assert threads_for(large, 8) == 8
    assert threads_for(large, 0) == 1


def test_numbers_of_threads_are_put_back_whatever_happens() -> None:
    import cv2

    before = torch.get_num_threads(), cv2.getNumThreads()
    with using_threads(2):
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
        with contextlib.suppress(Asked), using_threads(3, opencv=1):
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (3, 1)
            raise Asked
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_words() -> None:
    assert [in_words(1, "thread"), in_words(2, "thread")] == ["1 thread", "2 threads"]
    assert [in_words(1, "process"), in_words(0, "process")] == ["1 process", "0 processes"]
