"""What is packed is fit for its server, and what is not fit is not packed."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from pytracking.analysis.sources import FirstBoxSource, FolderSource
from pytracking.evaluation.results import ResultFolder, SequenceResult
from pytracking.leaderboards.checks import check_archive, guess_server
from pytracking.leaderboards.packing import pack_results
from pytracking.leaderboards.servers import SERVERS, targets_of
from tests.pytracking.leaderboards.made import FRAMES, entries, make_benchmark, make_results


@pytest.mark.parametrize("server", SERVERS)
def test_what_is_packed_is_fit(server: str, tmp_path: Path) -> None:
    sequences, runs = make_benchmark(server), max(SERVERS[server].runs)
    out = tmp_path / "drift.zip"
    sources = make_results(tmp_path, sequences, runs)
    packed = pack_results(sources, SERVERS[server], sequences, out, tracker="drift")
    assert packed.findings == []
    assert packed.sequences == len(sequences)
    again = check_archive(out, SERVERS[server], targets_of(SERVERS[server], sequences))
    assert (again.findings, again.runs, again.unchecked) == ([], runs, "")
    assert check_archive(out, SERVERS[server], targets_of(SERVERS[server])).findings == []
    assert guess_server(out) == (server if server != "eval-ai" else None)
    assert list(tmp_path.glob(".*")) == []


def test_equal_results_give_equal_archives(tmp_path: Path) -> None:
    sequences = make_benchmark("eval-ai")
    sources = make_results(tmp_path, sequences)
    for name in ("a.zip", "b.zip"):
        pack_results(sources, SERVERS["eval-ai"], sequences, tmp_path / name, tracker="drift")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_got10k_has_a_folder_a_sequence_and_a_column_a_run(tmp_path: Path) -> None:
    sequences = make_benchmark("got10k")
    out = tmp_path / "drift.zip"
    pack_results(make_results(tmp_path, sequences, 3), SERVERS["got10k"], sequences, out, tracker="drift")
    content = entries(out)
    name = "GOT-10k_Test_000180"
    assert len(content) == 180 * 4
    assert {key for key in content if key.startswith(name)} == {
        f"{name}/{name}_{part}.txt" for part in ("001", "002", "003", "time")
    }
    times = np.loadtxt(content[f"{name}/{name}_time.txt"].decode().splitlines(), delimiter=",")
    assert times.shape == (FRAMES, 3)
    assert len({content[f"{name}/{name}_00{run}.txt"] for run in (1, 2, 3)}) == 3


def test_lasot_is_one_folder_called_after_the_tracker(tmp_path: Path) -> None:
    sequences = make_benchmark("lasot")
    out = tmp_path / "drift.zip"
    pack_results(make_results(tmp_path, sequences), SERVERS["lasot"], sequences, out, tracker="DiMP")
    content = entries(out)
    assert len(content) == 280
    assert {name.split("/")[0] for name in content} == {"DiMP_tracking_result"}


def test_boxes_keep_their_decimals(tmp_path: Path) -> None:
    sequences = make_benchmark("trackingnet")
    sources = make_results(tmp_path, sequences)
    out = tmp_path / "drift.zip"
    pack_results(sources, SERVERS["trackingnet"], sequences, out, tracker="drift")
    read = np.loadtxt(entries(out)["clip_3.txt"].decode().splitlines(), delimiter=",")
    np.testing.assert_allclose(read, sources[0].boxes(sequences[3]), atol=0.0051)


def test_times_of_a_shared_run_are_taken_only_knowingly(tmp_path: Path) -> None:
    sequences = make_benchmark("got10k")
    folder = ResultFolder(tmp_path / "shared")
    for sequence in sequences:
        boxes, ones = np.tile(sequence.init_box, (FRAMES, 1)), np.ones(FRAMES)
        folder.write(sequence, SequenceResult(boxes, ones, ones, ("ok",) * FRAMES, timed=False))
    source, out = [FolderSource("shared", folder)], tmp_path / "shared.zip"
    with pytest.raises(InputError, match="no undisturbed times of GOT-10k_Test_000001.*--shared-times"):
        pack_results(source, SERVERS["got10k"], sequences, out, tracker="shared")
    assert not out.exists()
    report = pack_results(source, SERVERS["got10k"], sequences, out, tracker="shared", shared_times=True)
    assert report.findings == []


def test_a_box_without_area_is_not_packed_unless_repaired(tmp_path: Path) -> None:
    sequences = make_benchmark("eval-ai")
    sources = make_results(tmp_path, sequences)
    path = tmp_path / "drift_000/clip_2.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], "5\t5\t0\t7", *lines[4:]]) + "\n")
    (tmp_path / "drift_000/clip_2_info.json").unlink()
    out = tmp_path / "drift.zip"
    with pytest.raises(InputError, match=r"(?s)\[no-area\] clip_2.txt: line 4 is 5.*--repair repeats"):
        pack_results(sources, SERVERS["eval-ai"], sequences, out, tracker="drift")
    assert not out.exists()
    assert list(tmp_path.glob(".*")) == []
    pack_results(sources, SERVERS["eval-ai"], sequences, out, tracker="drift", repair=True)
    rows = entries(out)["clip_2.txt"].decode().splitlines()
    assert rows[3] == rows[2]


def test_runs_and_sequences_that_are_missing_are_told(tmp_path: Path) -> None:
    sequences = make_benchmark("got10k")
    two = make_results(tmp_path, sequences, 2)
    with pytest.raises(InputError, match=r"takes 1 or 3 run\(s\); there are 2"):
        pack_results(two, SERVERS["got10k"], sequences, tmp_path / "a.zip", tracker="drift")
    (tmp_path / "drift_000/GOT-10k_Test_000007.txt").unlink()
    with pytest.raises(InputError, match="lacks 1 of the 180 sequences .* first GOT-10k_Test_000007"):
        pack_results(two[:1], SERVERS["got10k"], sequences, tmp_path / "a.zip", tracker="drift")
    with pytest.raises(InputError, match="first_box has no times"):
        pack_results([FirstBoxSource()], SERVERS["got10k"], sequences, tmp_path / "a.zip", tracker="x")
