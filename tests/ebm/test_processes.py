"""Workers end with the process that they work for, however that ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import is_running

SCRIPT = """
import os, sys, time
from pathlib import Path
from {module} import {function} as run

def wait(job):
    (Path({folder!r}) / str(os.getpid())).touch()
    time.sleep(600)

def cell(cell):
    wait(cell)

if __name__ == "__main__":
    {call}
"""
CALLS = {
    "cells": (
        "ebm.tasks.cells",
        "run_cells",
        "run([{'n': 0}, {'n': 1}], Path(%r) / 'out' / 'cells.json', cell, jobs=2)",
    ),
    "generated data": ("ltr.dataset.generated.parallel", "run_jobs", "run(wait, [0, 1], workers=2)"),
}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("kind", CALLS)
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path, kind: str) -> None:
    module, function, call = CALLS[kind]
    marks = tmp_path / "marks"
    marks.mkdir()
    call = call % str(tmp_path) if "%" in call else call
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(module=module, function=function, folder=str(marks), call=call))
    parent = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while len(list(marks.iterdir())) < 2 and time.monotonic() < deadline and parent.poll() is None:
        time.sleep(0.05)
    workers = [int(file.name) for file in marks.iterdir()]
    assert len(workers) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 60
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [worker for worker in workers if is_running(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left
