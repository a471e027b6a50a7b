"""Files made to take memory: each is refused by name before anything of the size that it states is made."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.field.crafted import write_all

SPARE = 1 << 30  # bytes; the files state twelve times as much


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="measures memory as Linux tells it")
def test_crafted_files_are_refused_in_little_memory(tmp_path: Path) -> None:
    write_all(tmp_path)
    for file in list(tmp_path.glob("*.pt")):
        shutil.copy(file, file.with_suffix(".fitted"))
    names = {file.name for file in tmp_path.iterdir()}
    command = [sys.executable, "-m", "tests.field.crafted", str(tmp_path), str(SPARE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    outcomes = found["outcomes"]
    assert outcomes.pop("sound.pt") == "read"
    assert outcomes.keys() == names
    wrong = {
        name: what for name, what in outcomes.items() if not (what.startswith("refused: ") and name in what)
    }
    assert not wrong
    assert found["grown_mib"] < 300, outcomes
