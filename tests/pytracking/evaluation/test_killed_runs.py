"""``run_tracker.py`` with four workers, killed at random times: the finished run equals an undisturbed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytracking.evaluation.results import ResultFolder
from tests.pytracking.evaluation.tiny import write_otb

LENGTHS = {f"s{number}": 12 + 2 * number for number in range(10)}
STEP = 0.02  # seconds a frame

# A tracker that walks at random by the seed of run and sequence; also inside worker processes.
WALKER = f"""
import os, sys, time
from pathlib import Path
import numpy as np
from pytracking.tracker import registry
from pytracking.tracker.base import Flag, Tracked
from pytracking.tracker.first_box import FirstBox

class Walker(FirstBox):
    def __init__(self, seed=0):
        super().__init__()
        self.drawn = np.random.default_rng(seed)
    def twin(self):
        return Walker()
    def track(self, image):
        time.sleep({STEP})
        Path(os.environ["PIDS"], str(os.getpid())).touch()
        self._box[:2] += self.drawn.normal(size=2)
        return Tracked(box=self._box.copy(), score=float(self.drawn.random()), flag=Flag.NORMAL)

registry.TRACKERS["first_box"] = lambda params, options: Walker(options.seed)

if __name__ == "__main__":
    from pytracking.run_tracker import main
    sys.exit(main(sys.argv[1:]))
"""


def start(folder: Path, root: Path, results: str, threads: int) -> subprocess.Popen[str]:
    script, pids = folder / "walker.py", folder / results / "pids"
    script.write_text(WALKER)
    pids.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(script), "first_box", "default", "--dataset_name", "generated"]
    command += ["--root", str(root), "--results", str(folder / results), "--threads", str(threads)]
    paths = os.pathsep.join(part for part in sys.path if part)
    return subprocess.Popen(
        command,
        env=os.environ | {"PIDS": str(pids), "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def content(folder: Path) -> dict[str, bytes]:
    """Boxes and scores; times differ from run to run, and so do the records that hold their checksums."""
    files = [path for path in folder.glob("*.txt") if not path.stem.endswith("_time")]
    return {path.name: path.read_bytes() for path in files}


def kill_at_random(folder: Path, root: Path, results: str, drawn: random.Random) -> None:
    """Kill a run some time after some sequences are done; a busy machine needs longer for them."""
    process = start(folder, root, results, threads=4)
    done, deadline = drawn.randrange(len(LENGTHS) - 1), time.monotonic() + 120
    try:
        while not any((folder / results / "pids").iterdir()) or finished(folder / results) < done:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(drawn.uniform(0, STEP * min(LENGTHS.values())))
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def finished(results: Path) -> int:
    return len(list(results.glob("first_box/*/s?.txt")))


@pytest.mark.slow
def test_a_run_killed_at_random_times_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "otb", LENGTHS)
    undisturbed = start(tmp_path, root, "undisturbed", threads=0)
    out, errors = undisturbed.communicate(timeout=120)
    assert undisturbed.returncode == 0, errors
    (expected,) = (tmp_path / "undisturbed/first_box").iterdir()
    assert len(content(expected)) == 2 * len(LENGTHS)
    seed = random.randrange(1 << 32)
    print("drawn from seed", seed)
    kept = []
    for attempt in range(3):
        results = f"killed{attempt}"
        kill_at_random(tmp_path, root, results, random.Random(seed + attempt))
        place = tmp_path / results / "first_box" / expected.name
        kept.append(finished(tmp_path / results))
        again = start(tmp_path, root, results, threads=0 if attempt else 4)
        out, errors = again.communicate(timeout=120)
        assert again.returncode == 0, errors
        if kept[-1]:
            assert f"{kept[-1]} sequence{'s' * (kept[-1] > 1)} finished before and kept" in out
        assert content(place) == content(expected)
        assert ResultFolder(place).manifest()["seed"] == 0
    print("finished when killed:", kept)
