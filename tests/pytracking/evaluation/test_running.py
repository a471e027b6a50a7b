"""Runs over datasets: resumable, in one process or several, with failures reported at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.demo.scratch import untrained
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.running import run_dataset
from pytracking.evaluation.spec import TrackerSpec, make_spec
from pytracking.tracker.base import Tracked
from pytracking.tracker.first_box import FirstBox
from tests.processes import is_running
from tests.pytracking.evaluation.tiny import otb_layout, write_otb

LENGTHS = {f"s{number}": 4 + number for number in range(6)}

# A first-box tracker that takes its time and says who it is; run as a script, also inside worker processes.
SLOW = """
import os, sys, time
from pathlib import Path
from pytracking.tracker import registry
from pytracking.tracker.first_box import FirstBox

class Slow(FirstBox):
    def track(self, image):
        time.sleep(0.05)
        Path(os.environ["PIDS"], str(os.getpid())).touch()
        return super().track(image)

registry.TRACKERS["first_box"] = lambda params, options: Slow()

if __name__ == "__main__":
    from pytracking.run_tracker import main
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_otb(tmp_path / "otb", LENGTHS)


@pytest.fixture
def sequences(root: Path) -> list[Sequence]:
    layout = otb_layout(root, "generated")
    return [layout.read(name) for name in LENGTHS]


@pytest.fixture
def spec() -> TrackerSpec:
    return make_spec("first_box", "default")


def test_a_batch_gives_the_boxes_of_each_sequence_alone(sequences: list[Sequence], tmp_path: Path) -> None:
    weights = untrained(tmp_path)
    spec = make_spec("dimp", "nce_plus_small", checkpoint=weights, seed=3, device="cpu")
    told: list[str] = []
    single = run_dataset(sequences, spec, results_root=tmp_path / "a", progress=False)
    batched = run_dataset(
        sequences, spec, results_root=tmp_path / "b", batch=4, progress=False, say=told.append
    )
    assert batched.finished == single.finished == list(LENGTHS)
    assert batched.fps is None
    assert told == ["Running on cpu: 1 process of 1 thread, 4 sequences at a time"]
    for name in LENGTHS:
        one, other = (ResultFolder(report.folder).boxes(name) for report in (single, batched))
        np.testing.assert_allclose(other, one, atol=1e-3)
        scores = [(report.folder / f"{name}_scores.txt").read_text() for report in (single, batched)]
        assert [line.split()[1] for line in scores[0].splitlines()] == [
            line.split()[1] for line in scores[1].splitlines()
        ]
    again = run_dataset(sequences, spec, results_root=tmp_path / "b", batch=4, progress=False)
    assert again.reused == tuple(LENGTHS)


def test_in_a_batch_a_damaged_sequence_fails_alone(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    sequences[1].frames[2].write_bytes(b"no image")
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", batch=3, progress=False)
    assert list(report.failed) == ["s1"]
    assert "0003.jpg" in report.failed["s1"]
    assert len(report.finished) == 5


def test_a_batch_that_is_too_large_is_run_one_by_one(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = FirstBox.advance

    def tight(self: FirstBox, targets: list[FirstBox], frames: list[np.ndarray]) -> list[Tracked]:
        if len(targets) > 1:
            raise MemoryError("too many")
        return advance(self, targets, frames)

    monkeypatch.setattr(FirstBox, "advance", tight)
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", batch=3, progress=False)
    assert not report.failed
    assert set(report.finished) == set(LENGTHS)


def test_processes_and_a_batch_do_not_go_together(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--threads 2.*--batch 3.*not both"):
        run_dataset(sequences, spec, results_root=tmp_path / "r", batch=3, workers=2)


def test_a_run_saves_every_sequence_and_a_manifest(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False)
    assert report.finished == list(LENGTHS)
    assert not report.failed
    assert report.fps is not None
    assert report.folder == tmp_path / f"r/first_box/default-{spec.hash}"
    folder = ResultFolder(report.folder)
    for sequence in sequences:
        np.testing.assert_allclose(
            folder.boxes(sequence.name), np.tile(sequence.init_box, (len(sequence), 1))
        )
    manifest = folder.manifest()
    assert manifest["seed"] == 0
    assert manifest["config_hash"] == spec.hash
    assert manifest["versions"]["numpy"] == np.__version__
    assert list(manifest["datasets"]["generated"]["sequences"]) == list(LENGTHS)


def test_finished_sequences_are_not_run_again(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    run_dataset(sequences[:3], spec, results_root=tmp_path / "r", progress=False)
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False)
    assert report.reused == ("s0", "s1", "s2")
    assert [outcome.sequence for outcome in report.outcomes] == ["s3", "s4", "s5"]
    again = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False, rerun=True)
    assert not again.reused
    assert len(again.outcomes) == 6


def test_workers_give_the_same_results_and_no_times(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    said: list[str] = []
    here = run_dataset(sequences, spec, results_root=tmp_path / "a", progress=False, say=said.append)
    there = run_dataset(
        sequences, spec, results_root=tmp_path / "b", workers=2, progress=False, say=said.append
    )
    assert said == ["Running on cpu: 1 process of 1 thread", "Running on cpu: 2 processes of 1 thread each"]
    assert there.finished == here.finished
    assert there.fps is None
    for sequence in sequences:
        one, two = (ResultFolder(report.folder).file(sequence.name) for report in (here, there))
        assert one.read_bytes() == two.read_bytes()
        assert ResultFolder(there.folder).times(sequence.name) is None


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failing_sequence_is_reported_and_the_others_finish(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path, workers: int
) -> None:
    bad = sequences[2].frames[3]
    bad.write_bytes(bad.read_bytes()[:100])
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", workers=workers, progress=False)
    assert list(report.failed) == ["s2"]
    assert "0004.jpg" in report.failed["s2"]
    assert "s2" in report.failed["s2"]
    assert report.finished == ["s0", "s1", "s3", "s4", "s5"]
    assert not (report.folder / "s2.txt").exists()


def test_a_failure_that_nobody_foresaw_leaves_its_traceback(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytracking.evaluation import runner

    original = runner.track_sequence

    def breaks(tracker: object, sequence: Sequence, **options: object) -> object:
        if sequence.name == "s1":
            raise ZeroDivisionError("nothing to divide by")
        return original(tracker, sequence, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "track_sequence", breaks)
    report = run_dataset(sequences[:3], spec, results_root=tmp_path / "r", progress=False)
    assert "ZeroDivisionError: nothing to divide by" in report.failed["s1"]
    trace = report.folder / "s1_error.txt"
    assert "track_sequence" in trace.read_text() or "breaks" in trace.read_text()
    monkeypatch.setattr(runner, "track_sequence", original)
    assert not run_dataset(sequences[:3], spec, results_root=tmp_path / "r", progress=False).failed
    assert not trace.exists()


def test_other_settings_go_to_another_folder(tmp_path: Path) -> None:
    folders = {
        make_spec("first_box", "default", seed=seed, run_id=run).folder(tmp_path)
        for seed in (0, 1)
        for run in (None, 0, 1)
    }
    assert len(folders) == 6
    assert {folder.name.split("-")[0] for folder in folders} == {"default", "default_000", "default_001"}


def test_seeds_differ_by_run_and_sequence_and_not_by_anything_else(spec: TrackerSpec) -> None:
    seeds = {
        make_spec("first_box", "default", run_id=run).sequence_seed(name) for run in (0, 1) for name in "ab"
    }
    assert len(seeds) == 4
    assert spec.sequence_seed("a") == make_spec("first_box", "default").sequence_seed("a")
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_no_sequences_is_an_error(spec: TrackerSpec, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sequences"):
        run_dataset([], spec, results_root=tmp_path, progress=False)


def start_slow(root: Path, tmp_path: Path, threads: int) -> subprocess.Popen[str]:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    (tmp_path / "pids").mkdir(exist_ok=True)
    command = [sys.executable, str(script), "first_box", "default", "--dataset", "generated"]
    command += ["--root", str(root), "--results", str(tmp_path / "r"), "--threads", str(threads)]
    environment = os.environ | {
        "PIDS": str(tmp_path / "pids"),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )


def finished_names(tmp_path: Path) -> set[str]:
    return {path.stem for path in (tmp_path / "r").glob("*/*/s?.txt")}


def wait_for(condition: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_killed_run_resumes(
    root: Path, sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path, threads: int
) -> None:
    process = start_slow(root, tmp_path, threads)
    try:
        wait_for(lambda: len(finished_names(tmp_path)) >= 2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    kept = finished_names(tmp_path)
    assert 2 <= len(kept) < 6
    workers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    assert workers
    wait_for(lambda: not any(is_running(pid) for pid in workers), 20)  # no orphans
    kept = finished_names(tmp_path)
    folder = spec.folder(tmp_path / "r")
    stamps = {name: (folder / f"{name}.txt").stat().st_mtime_ns for name in kept}
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False)
    assert set(report.reused) == kept
    assert sorted(report.finished) == sorted(LENGTHS)
    assert {name: (folder / f"{name}.txt").stat().st_mtime_ns for name in kept} == stamps


@pytest.mark.parametrize("threads", [0, 2])
def test_ctrl_c_keeps_finished_results(root: Path, tmp_path: Path, threads: int) -> None:
    process = start_slow(root, tmp_path, threads)
    wait_for(lambda: len(finished_names(tmp_path)) >= 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "finished sequences are kept" in errors
    assert 1 <= len(finished_names(tmp_path)) < 6


def test_a_worker_that_dies_costs_its_sequences_only(
    root: Path, sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    process = start_slow(root, tmp_path, 2)
    wait_for(lambda: len(finished_names(tmp_path)) >= 2)
    victims = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    os.kill(victims[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "its worker process died" in errors
    assert len(finished_names(tmp_path)) >= 2
    report = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False)
    assert not report.failed
    assert len(report.reused) >= 2


def test_the_manifest_survives_damage(sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path) -> None:
    report = run_dataset(sequences[:1], spec, results_root=tmp_path, progress=False)
    (report.folder / "manifest.json").write_text("{")
    run_dataset(sequences[:2], spec, results_root=tmp_path, progress=False)
    assert (
        "s1"
        in json.loads((report.folder / "manifest.json").read_text())["datasets"]["generated"]["sequences"]
    )


def test_results_made_on_another_root_are_not_replaced(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    first = run_dataset(sequences, spec, results_root=tmp_path / "r", progress=False)
    before = (first.folder / "s1.txt").read_bytes()
    other = otb_layout(write_otb(tmp_path / "other", {"s1": 9}), "generated").read("s1")
    with pytest.raises(InputError, match="1 of these sequences .*first s1.*--results.*--rerun"):
        run_dataset([other], spec, results_root=tmp_path / "r", progress=False)
    assert (first.folder / "s1.txt").read_bytes() == before
    again = run_dataset([other], spec, results_root=tmp_path / "r", progress=False, rerun=True)
    assert len(ResultFolder(again.folder).boxes("s1")) == 9


def test_two_sequences_of_one_name_are_refused(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="'s1' and 's1' have one name"):
        run_dataset([sequences[1], sequences[1]], spec, results_root=tmp_path / "r", progress=False)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("place", ["file", "proc"])
def test_a_place_that_takes_no_results_is_told_before_anything_is_tracked(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    where = tmp_path / "file" / "r" if place == "file" else Path("/proc/nothing")
    with pytest.raises(InputError, match="cannot be written"):
        run_dataset(sequences, spec, results_root=where, progress=False)


def test_a_folder_that_stops_taking_files_fails_sequence_by_sequence(
    sequences: list[Sequence], spec: TrackerSpec, tmp_path: Path
) -> None:
    report = run_dataset(sequences[:1], spec, results_root=tmp_path / "r", progress=False)
    for name in ("s1_time.txt", "s2_time.txt"):
        (report.folder / name).mkdir()  # a file cannot replace it, whoever is asking
    report = run_dataset(sequences[:4], spec, results_root=tmp_path / "r", progress=False)
    assert list(report.failed) == ["s1", "s2"]
    assert "s1_time.txt cannot be written" in report.failed["s1"]
    assert report.finished == ["s0", "s3"]
