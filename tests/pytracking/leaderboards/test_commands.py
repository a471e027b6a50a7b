"""``ebmtrack pack`` and ``ebmtrack validate``, as they are typed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pytracking.cli import main
from tests.pytracking.evaluation.tiny import boxes_of, write_lasot
from tests.pytracking.leaderboards.made import change, entries, make_benchmark, make_results

LENGTHS = {"cat-1": 6, "dog-2": 7}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_lasot(tmp_path / "LaSOT", LENGTHS)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "ATOM"
    folder.mkdir()
    for name, frames in LENGTHS.items():
        np.savetxt(
            folder / f"{name}.txt", boxes_of(frames) + np.linspace(0, 0.5, frames)[:, None], fmt="%.3f"
        )
    return folder


def test_pack_and_validate(
    root: Path,
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pack", "lasot", str(results), "--root", str(root)]) == 0
    assert "Packed 2 sequences, 1 run each: ATOM_lasot.zip" in capsys.readouterr().out
    out = tmp_path / "ATOM_lasot.zip"
    assert set(entries(out)) == {f"ATOM_tracking_result/{name}.txt" for name in LENGTHS}
    assert main(["validate", str(out), "--root", str(root)]) == 0
    assert "is fit for LaSOT test: 2 sequences" in capsys.readouterr().out
    assert main(["validate", str(out)]) == 1  # the whole benchmark has 280
    said = capsys.readouterr().out
    assert "error [missing-file] ATOM_tracking_result/airplane-1.txt" in said
    assert "ATOM_tracking_result/airplane-9.txt and 27" in said
    assert "were not compared" in said


def test_what_would_be_rejected_is_not_packed(
    root: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savetxt(results / "dog-2.txt", boxes_of(7, start=30.0), delimiter=",")
    out = tmp_path / "a.zip"
    out.write_bytes(b"of before")
    assert main(["pack", "lasot", str(results), "--root", str(root), "--out", str(out)]) == 2
    assert "[first-box] ATOM_tracking_result/dog-2.txt" in capsys.readouterr().err
    assert out.read_bytes() == b"of before"


def test_a_broken_archive_has_exit_code_1(
    root: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.zip"
    assert main(["pack", "lasot", str(results), "--root", str(root), "--out", str(out)]) == 0
    broken = change(out, tmp_path / "b.zip", lambda content: content.update({"../x.txt": b"1,2,3,4\n"}))
    capsys.readouterr()
    assert main(["validate", str(broken)]) == 1
    assert "error [path] ../x.txt" in capsys.readouterr().out
    (tmp_path / "c.zip").write_bytes(b"no zip")
    assert main(["validate", str(tmp_path / "c.zip"), "--for", "got10k"]) == 1
    assert "[not-a-zip]" in capsys.readouterr().out


def test_names_and_places_that_are_wrong_are_told(
    root: Path,
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "w"))
    for arguments, words in (
        (["pack", "lasto", str(results)], "did you mean 'lasot'"),
        (["pack", "lasot", str(results)], "needs the data set"),
        (["pack", "eval-ai", str(results)], "its name with --dataset"),
        (
            ["pack", "lasot", str(results), "--root", str(root), "--out", str(results / "cat-1.txt")],
            "results",
        ),
        (["pack", "vot", str(results)], "no workspace of the toolkit"),
        (["validate", str(tmp_path / "none.zip")], "no archive"),
    ):
        assert main(arguments) == 2
        assert words in capsys.readouterr().err
    (root / "generated.json").unlink()
    assert main(["pack", "lasot", str(results), "--root", str(root)]) == 2
    assert capsys.readouterr().err.endswith(" more. Add them.\n")
    few = packed_few(tmp_path)
    assert main(["validate", str(few)]) == 2
    assert "say --for SERVER" in capsys.readouterr().err


def packed_few(tmp_path: Path) -> Path:
    from pytracking.leaderboards.packing import pack_results
    from pytracking.leaderboards.servers import SERVERS

    sequences = make_benchmark("eval-ai")
    out = tmp_path / "few.zip"
    pack_results(make_results(tmp_path, sequences), SERVERS["eval-ai"], sequences, out, tracker="drift")
    return out


def test_any_benchmark_goes_to_eval_ai(root: Path, results: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.zip"
    arguments = ["--dataset", "lasot", "--root", str(root)]
    assert main(["pack", "eval-ai", str(results), "--out", str(out), *arguments]) == 0
    assert set(entries(out)) == {"cat-1.txt", "dog-2.txt"}
    assert main(["validate", str(out), "--for", "eval-ai", *arguments]) == 0


FRAMES = 3


def write_test_set(folder: Path, server: str, runs: int) -> list[str]:
    """A server's whole test set as distributed, with empty images, and a drifting box as PyTracking saves it.

    Returns: the commands' arguments that name both.
    """
    root, results = folder / "data", folder / "tracking_results/drift"
    for number, sequence in enumerate(make_benchmark(server)):
        name = f"vid{number}_0" if server == "trackingnet" else sequence.name
        first = ",".join(f"{value:.4f}" for value in sequence.init_box) + "\n"
        if server == "trackingnet":
            images, annotation, start = root / "TEST/frames" / name, root / f"TEST/anno/{name}.txt", 0
        else:
            images, annotation, start = root / "test" / name, root / "test" / name / "groundtruth.txt", 1
        images.mkdir(parents=True)
        for frame in range(start, start + FRAMES):
            (images / (f"{frame}.jpg" if start == 0 else f"{frame:08d}.jpg")).touch()
        annotation.parent.mkdir(exist_ok=True)
        annotation.write_text(first)
        for run in range(runs):
            file = results / (f"default_{run:03d}" if runs > 1 else "default") / f"{name}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            boxes = sequence.init_box + np.arange(FRAMES)[:, None] * (0.31 * (run + 1), 0.27, 0.013, 0)
            np.savetxt(file, boxes, delimiter="\t", fmt="%.4f")
            np.savetxt(file.with_name(f"{name}_time.txt"), np.full(FRAMES, 0.02 + run), fmt="%.6f")
    return ["--root", str(root), "--results-root", str(results.parent)]


@pytest.mark.parametrize(("server", "count", "runs"), [("trackingnet", 511, 1), ("got10k", 180, 3)])
def test_the_whole_test_sets_of_servers_that_keep_their_annotation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], server: str, count: int, runs: int
) -> None:
    out = tmp_path / "packed.zip"
    words = write_test_set(tmp_path, server, runs)
    pack = ["pack", server, "drift/default", *words, "--out", str(out)]
    if server == "got10k":
        assert main(pack) == 2  # PyTracking's times do not say that nothing ran beside
        assert "--shared-times" in capsys.readouterr().err
        pack.append("--shared-times")
    assert main(pack) == 0
    assert f"Packed {count} sequences, {runs} run" in capsys.readouterr().out
    assert len(entries(out)) == count * (1 if server == "trackingnet" else runs + 1)
    assert main(["validate", str(out), *words[:2]]) == 0
    assert f": {count} sequences, {runs} run" in capsys.readouterr().out
    image = next((tmp_path / "data").rglob("*.jpg"))
    image.unlink()
    assert main(["validate", str(out), *words[:2]]) == 1
    assert "[line-count]" in capsys.readouterr().out


def test_annotations_will_do_where_they_have_all_frames(root: Path, results: Path, tmp_path: Path) -> None:
    for images in root.glob("*/*/img"):
        shutil.rmtree(images)
    out = tmp_path / "a.zip"
    assert main(["pack", "lasot", str(results), "--root", str(root), "--out", str(out)]) == 0
    assert main(["validate", str(out), "--root", str(root)]) == 0
