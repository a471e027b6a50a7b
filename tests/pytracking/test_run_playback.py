"""The command that writes comparison videos."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pytracking.cli import main
from pytracking.evaluation.video_io import open_video
from tests.pytracking.evaluation.tiny import boxes_of, write_otb

LENGTHS = {"Walking": 6, "Deer": 4, "Couple": 5}
SHIFTS = {"near": {"Walking": 1, "Deer": 3, "Couple": 0}, "far": {"Walking": 9, "Deer": 4, "Couple": 0}}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The command with a data set, and results `near`, a folder, and `far`, an archive."""
    root = write_otb(tmp_path / "otb", LENGTHS)
    for name, shifts in SHIFTS.items():
        for sequence, frames in LENGTHS.items():
            file = tmp_path / name / f"{sequence}.txt"
            file.parent.mkdir(exist_ok=True)
            boxes = boxes_of(frames) + (shifts[sequence], 0, 0, 0)
            np.savetxt(file, boxes, delimiter="\t" if name == "near" else ",")
    shutil.make_archive(str(tmp_path / "far"), "zip", tmp_path, "far")
    results = [str(tmp_path / "near"), f"Far away={tmp_path / 'far.zip'}"]
    return ["playback", *results, "--dataset", "generated", "--root", str(root)]


def frames_of(path: Path) -> list[np.ndarray]:
    return list(open_video(path).frames())


def test_a_sequence_by_its_name(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "videos"
    assert main([*words, "--sequence", "Walking,Deer", "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"Walking.mp4", "Deer.mp4"}
    frames = frames_of(out / "Walking.mp4")
    assert len(frames) == 6
    assert frames[0].shape[1] == 640  # of 64 px
    # near: 11 of 12 px overlap, 110 / 130; far: 3 of 12, 30 / 210.
    assert "Walking: mean IoU near 0.85, Far away 0.14" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (["--worst", "1"], ["Deer"]),
        (["--sort", "best", "--count", "2"], ["Couple", "Walking"]),
        (["--sort", "spread", "--count", "2"], ["Walking", "Deer"]),
        (["--count", "2"], ["Walking", "Deer"]),
    ],
)
def test_choices_in_one_file(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    choice: list[str],
    names: list[str],
) -> None:
    out = tmp_path / "look.mp4"
    assert main([*words, *choice, "--stride", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed if ": mean IoU" in line] == names
    assert len(frames_of(out)) == sum(-(-LENGTHS[name] // 2) for name in names)


def test_without_annotation_there_are_boxes_and_no_overlap(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "otb/Deer/groundtruth_rect.txt"
    file.write_text(file.read_text().splitlines()[0] + "\n" + "nan,nan,nan,nan\n" * 3)
    out = tmp_path / "videos"
    assert main([*words, "--sequence", "Deer", "--out", str(out)]) == 0
    assert "Deer: no annotation beyond the first frame" in capsys.readouterr().out
    assert len(frames_of(out / "Deer.mp4")) == 4
    assert main([*words, "--sequence", "Deer", "--worst", "1", "--out", str(out)]) == 2
    assert "ground truth on its first frame only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "3 sequences would be written; name some with --sequence"),
        (["--worst", "1", "--sort", "best"], "--worst N means --sort worst --count N"),
        (["--sort", "wurst"], "'worst'"),
        (["--sequence", "Deer", "--out", "OTB/new"], "data set"),
        (["--sequence", "Deer", "--out", "NEAR/x.mp4"], "the results"),
        (["--sequence", "Deer", "--fps", "0"], "frames per second"),
        (["ground truth=first_box", "--sequence", "Deer"], "another label"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    message: str,
) -> None:
    places = {"OTB": str(tmp_path / "otb"), "NEAR": str(tmp_path / "near")}
    for name, place in places.items():
        more = [word.replace(name, place) for word in more]
    first = [more.pop(0)] if more and "=" in more[0] else []
    out = [] if "--out" in more else ["--out", str(tmp_path / "out")]
    assert main([words[0], *first, *words[1:], *more, *out]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_missing_result_is_named(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "near/Deer.txt").unlink()
    out = ["--out", str(tmp_path / "out")]
    assert main([*words, "--sequence", "*", *out]) == 2
    assert "near has no result of sequence Deer" in capsys.readouterr().err
    assert main([*words, "--sequence", "*", *out, "--allow-missing"]) == 0
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {"Walking", "Couple"}


def test_a_broken_frame_leaves_no_video_of_a_part(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*words, "--sequence", "Walking,Deer", "--out", str(tmp_path / "videos")]
    (tmp_path / "otb/Deer/img/0003.jpg").write_bytes(b"no picture")
    assert main(command) == 2
    assert "0003.jpg" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["Walking.mp4"]
    (tmp_path / "videos/Deer.mp4").write_bytes(b"of before")
    assert main(command) == 2
    assert (tmp_path / "videos/Deer.mp4").read_bytes() == b"of before"
    assert len(frames_of(tmp_path / "videos/Walking.mp4")) == 6
    assert len(list((tmp_path / "videos").iterdir())) == 2
