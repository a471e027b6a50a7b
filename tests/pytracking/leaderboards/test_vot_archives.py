"""The VOT toolkit's workspaces packed as the toolkit does, and archives that a challenge would reject."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ebm.exceptions import EBMError, InputError
from pytracking.cli import main
from pytracking.leaderboards.checks import guess_server
from pytracking.leaderboards.findings import is_rejected, said
from pytracking.leaderboards.vot_archives import check_vot, find_tracker, pack_vot
from tests.pytracking.leaderboards.made import change, entries, write_zip

FRAMES = 4
STACK = """title: Check
experiments:
  baseline:
    type: unsupervised
    repetitions: 1
    multiobject: true
"""
RUN = "baseline/ants/ants_1_001"
TRACK = b"1\n10,10,20,20\nm1,2,3,4,5,1\n10,10,20,10,20,30,10,30\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two sequences of four frames, two objects in one of them, as toolkit 0.8.1 leaves them."""
    folder = tmp_path / "workspace"
    for name, objects in (("ants", (1, 2)), ("book", (1,))):
        runs = folder / "results/DiMP/baseline" / name
        runs.mkdir(parents=True)
        sequence = folder / "sequences" / name
        sequence.mkdir(parents=True)
        for number in objects:
            (sequence / f"groundtruth_{number}.txt").write_text("10,10,20,20\n" * FRAMES)
            (runs / f"{name}_{number}_001.txt").write_bytes(TRACK)
            for value in ("time", "confidence"):
                (runs / f"{name}_{number}_001_{value}.value").write_text("0.5\n" * FRAMES)
    (folder / "sequences/list.txt").write_text("ants\nbook\n")
    (folder / "config.yaml").write_text(
        "registry:\n- ./trackers.ini\nstack: vots2026/main\nsequences: sequences\n"
    )
    (folder / "trackers.ini").write_text("[DiMP]\nlabel = DiMP\nprotocol = python\ncommand = a:B\n")
    return folder


@pytest.fixture
def packed(workspace: Path, tmp_path: Path) -> Path:
    report = pack_vot(workspace, find_tracker(workspace, None), tmp_path / "vot.zip")
    assert (report.findings, report.sequences, report.runs) == ([], 2, 1)
    return tmp_path / "vot.zip"


def test_a_workspace_is_packed_with_its_manifest(packed: Path) -> None:
    content = entries(packed)
    assert len(content) == 3 * 3 + 1
    assert content[f"{RUN}.txt"] == TRACK
    manifest = content["manifest.yml"].decode()
    assert 'identifier: "DiMP"' in manifest
    assert 'stack: "vots2026/main"' in manifest
    assert '  command: "a:B"' in manifest
    assert guess_server(packed) == "vot"
    assert not is_rejected(check_vot(packed).findings)


def test_from_the_command_line(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pack", "vot", str(workspace)]) == 0
    assert "Packed 2 sequences, 1 run each: DiMP_vot.zip" in capsys.readouterr().out
    assert main(["validate", "DiMP_vot.zip"]) == 0
    assert "is fit for the VOT challenge: 2 sequences" in capsys.readouterr().out
    change(tmp_path / "DiMP_vot.zip", tmp_path / "b.zip", lambda content: content.pop(f"{RUN}.txt") and None)
    assert main(["validate", "b.zip"]) == 1


def only(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda content: content.update({name: data})


BROKEN = {
    "no manifest": (lambda c: c.pop("manifest.yml") and None, "missing-file", "manifest.yml"),
    "a manifest of nobody": (only("manifest.yml", b"python: 3\n"), "manifest", "names no tracker"),
    "a folder around all": (
        lambda c: [c.update({f"DiMP/{n}": c.pop(n)}) for n in list(c)] and None,
        "extra-folder",
        "EXPERIMENT/SEQUENCE/FILE",
    ),
    "a read-me": (only("README", b"x"), "extra-file", "README"),
    "one-pass results": (
        only(f"{RUN}.txt", b"10,10,20,20\n" * FRAMES),
        "first-box",
        "result file of another benchmark",
    ),
    "an empty trajectory": (only(f"{RUN}.txt", b""), "empty", "it is empty"),
    "an empty line": (only(f"{RUN}.txt", b"1\n\n1,2,3,4\n1,2,3,4\n"), "blank-line", "line 2"),
    "blanks": (only(f"{RUN}.txt", b"1\n1 2 3 4\n1,2,3,4\n1,2,3,4\n"), "delimiter", "commas alone"),
    "NaN": (only(f"{RUN}.txt", b"1\n1,2,3,4\nnan,2,3,4\n1,2,3,4\n"), "not-finite", "line 3"),
    "a negative size": (only(f"{RUN}.txt", b"1\n1,2,3,4\n1,2,-3,4\n1,2,3,4\n"), "no-area", "negative"),
    "five numbers": (only(f"{RUN}.txt", b"1\n1,2,3,4,5\n1,2,3,4\n1,2,3,4\n"), "columns", "a rectangle has 4"),
    "words": (only(f"{RUN}.txt", b"1\nlost\n1,2,3,4\n1,2,3,4\n"), "number", "a region is numbers"),
    "too few lines": (only(f"{RUN}.txt", b"1\n1,2,3,4\n"), "line-count", "2 lines, the sequence 4 frames"),
    "values too short": (only(f"{RUN}_time.value", b"0.1\n"), "time-lines", "1 lines for 4 frames"),
    "no trajectory": (lambda c: c.pop(f"{RUN}.txt") and None, "missing-file", "no trajectory"),
    "a sequence missing": (
        lambda c: [c.pop(n) for n in list(c) if "/book/" in n] and None,
        "missing-file",
        "baseline/book: there are no runs",
    ),
    "a run missing": (only("baseline/book/book_1_002.txt", TRACK), "runs", r"1 run\(s\), others have 2"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_archive_is_rejected_for_the_right_reason(name: str, packed: Path, tmp_path: Path) -> None:
    edit, code, words = BROKEN[name]
    report = check_vot(change(packed, tmp_path / "broken.zip", edit), {"ants": FRAMES, "book": FRAMES})
    assert is_rejected(report.findings)
    lines = [shown for shown in said(report.findings) if f"[{code}]" in shown]
    assert any(re.search(words, shown) for shown in lines), said(report.findings)


def test_results_of_one_pass_are_not_packed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no workspace of the toolkit.*vot integrate"):
        find_tracker(tmp_path, None)
    with pytest.raises(InputError):
        check_vot(tmp_path / "nothing.zip")
    assert is_rejected(check_vot(write_zip(tmp_path / "ope.zip", {"ants.txt": b"1,2,3,4\n"})).findings)


def test_what_is_incomplete_is_not_packed(workspace: Path, tmp_path: Path) -> None:
    (workspace / "results/DiMP/baseline/ants/ants_2_001.txt").write_text("1\n1,2,3,4\n")
    with pytest.raises(InputError, match=r"\[line-count\] baseline/ants/ants_2_001.txt"):
        pack_vot(workspace, "DiMP", tmp_path / "vot.zip")
    assert not (tmp_path / "vot.zip").exists()
    (workspace / "results/Other").mkdir()
    with pytest.raises(InputError, match="2 trackers: DiMP, Other; say --tracker"):
        find_tracker(workspace, None)
    with pytest.raises(EBMError, match="did you mean 'DiMP'"):
        find_tracker(workspace, "DiMPs")
    with pytest.raises(InputError, match="holds no results"):
        pack_vot(workspace, "Other", tmp_path / "vot.zip")


def test_our_archive_has_the_files_of_the_toolkits_own(workspace: Path, packed: Path, tmp_path: Path) -> None:
    python = os.environ.get("EBMTRACK_TEST_VOT_PYTHON")
    if not python:
        pytest.skip("the VOT toolkit is not here: EBMTRACK_TEST_VOT_PYTHON is not set; bash .ci/vot")
    (workspace / "stack.yaml").write_text(STACK)
    config = (workspace / "config.yaml").read_text().replace("vots2026/main", str(workspace / "stack.yaml"))
    (workspace / "config.yaml").write_text(config)
    for name, objects in (("ants", 2), ("book", 1)):
        folder = workspace / "sequences" / name
        (folder / "color").mkdir()
        (folder / "sequence").write_text(
            "channels.color=color/%08d.jpg\nfps=30\nformat=default\nname=" + name + "\n"
        )
        import cv2
        import numpy as np

        for frame in range(1, FRAMES + 1):
            cv2.imwrite(str(folder / f"color/{frame:08d}.jpg"), np.zeros((50, 50, 3), np.uint8))
        if objects == 1:
            (folder / "groundtruth_1.txt").rename(folder / "groundtruth.txt")
    runs = workspace / "results/DiMP/baseline/book"
    for path in list(runs.iterdir()):
        path.rename(runs / path.name.replace("book_1_", "book_"))
    ours = tmp_path / "again.zip"
    pack_vot(workspace, "DiMP", ours)
    done = subprocess.run(
        [python, "-m", "vot", "pack", "--workspace", str(workspace), "DiMP"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    theirs = list(workspace.glob("DiMP_*.zip"))
    assert theirs, done.stdout + done.stderr
    assert entries(theirs[0]).keys() == entries(ours).keys()
    same = {name for name in entries(ours) if entries(theirs[0])[name] == entries(ours)[name]}
    assert entries(ours).keys() - same == {"manifest.yml"}
    assert not is_rejected(check_vot(theirs[0]).findings)
