"""``ebmtrack vot``: with a stand-in for the toolkit, and with the real one where a variable names it."""

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from pytracking.vot.check import _finding
from pytracking.vot.command import main
from pytracking.vot.ncc import NCC
from pytracking.vot.regions import box_of_text
from pytracking.vot.sequence_folder import ShortSequence, draw_sequence, shorten
from pytracking.vot.toolkit import REQUIREMENTS, Said, install_toolkit

TRACKER = ["first_box", "default"]

# Answers every frame with the first region, as a toolkit that works would leave it in a workspace; `Said` of
# the tracker named by SILENT instead.
STAND_IN = """#!{python}
import os, pathlib, sys
if sys.argv[1] == "-c":
    print('{{"toolkit": "{version}", "python": "3.11.0", "tracker": true, "trax": true}}')
elif "--help" in sys.argv:
    print("usage: vot")
else:
    space, name = pathlib.Path(sys.argv[sys.argv.index("--workspace") + 1]), sys.argv[-1]
    assert f"[{{name}}]" in (space / "trackers.ini").read_text()
    if name == os.environ.get("SILENT"):
        print("\\x1b[31mPython tracker worker failed: no such thing\\x1b[0m")
        sys.exit(0)
    (sequence,) = (space / "sequences/list.txt").read_text().split()
    folder = space / "results" / name / "baseline" / sequence
    folder.mkdir(parents=True)
    for truth in (space / "sequences" / sequence).glob("groundtruth*.txt"):
        lines = truth.read_text().split()
        stem = f"{{sequence}}{{truth.stem.removeprefix('groundtruth')}}_001"
        (folder / f"{{stem}}.txt").write_text("1\\n" + f"{{lines[0]}}\\n" * (len(lines) - 1))
        (folder / f"{{stem}}_time.value").write_text("1.0\\n" + "0.25\\n" * (len(lines) - 1))
"""


@pytest.fixture
def toolkit(tmp_path: Path) -> Path:
    return stand_in(tmp_path / "python", "0.8.1")


def stand_in(path: Path, version: str) -> Path:
    path.write_text(STAND_IN.format(python=sys.executable, version=version))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_every_protocol_and_the_reference_have_a_line(
    toolkit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = tmp_path / "kept"
    assert main(["check", *TRACKER, "--python", str(toolkit), "--keep", str(keep)]) == 0
    said = capsys.readouterr().out
    assert f"vot-toolkit 0.8.1, Python 3.11.0: {toolkit}\n5 frames of drawn, 2 objects\n" in said
    lines = re.findall(
        r"^  (\S+) +ok: all 5 frames answered for 2 objects, mean overlap .*", said, re.MULTILINE
    )
    assert lines == ["NCC", *(f"first_box-default-{name}" for name in ("python", "folder", "trax"))]
    assert "0.250 s a frame" in said
    assert (keep / "ebmtrack_ncc.py").is_file()


def test_one_that_does_not_answer_fails_the_command(
    toolkit: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SILENT", "first_box-default-folder")
    assert main(["check", *TRACKER, "--python", str(toolkit), "--protocol", "folder"]) == 1
    said = capsys.readouterr().out
    assert "FAILED: no result for 1, 2: the tracker refused: no such thing." in said
    assert "NCC" in said
    assert "-trax" not in said


def test_an_old_toolkit_is_tried_by_trax(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = stand_in(tmp_path / "old", "0.7.4")
    assert main(["check", *TRACKER, "--python", str(old), "--keep", str(tmp_path / "kept")]) == 0
    out, err = capsys.readouterr()
    assert "first_box-default-trax" in out
    assert "not tried by python: toolkit 0.7.4 is older than 0.8." in err
    assert "protocol = traxpython" in (tmp_path / "kept/trackers.ini").read_text()
    assert main(["check", *TRACKER, "--python", str(old), "--protocol", "folder"]) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--python", "/none/python"], "cannot be started"),
        (["--python", sys.executable], "has no vot-toolkit"),
        (["--sequence", "nowhere"], "VOT's layout"),
        (["--keep", "."], "not empty"),
        (["--checkpoint", "none.pth.tar"], "none.pth.tar"),
    ],
)
def test_what_cannot_be_checked(
    toolkit: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    tracker = ["dimp", "nce_plus"] if "--checkpoint" in options else TRACKER
    assert main(["check", *tracker, "--python", str(toolkit), *options]) == 2
    assert words in capsys.readouterr().err


def test_an_environment_that_is_none_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("mine")  # an environment, but somebody's own
    with pytest.raises(ValueError, match="not made by this command"):
        install_toolkit(tmp_path, print)
    assert [path.name for path in tmp_path.iterdir()] == ["pyvenv.cfg"]


def test_an_environment_is_made_once_and_anew_if_it_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, said = tmp_path / "made", []
    runs: list[list[str]] = []

    def fake(words: list[str], *rest: object) -> Said:
        runs.append(words)
        if words[1:3] == ["-m", "venv"]:
            (folder / "bin").mkdir()
            (folder / "bin/python").touch()
            (folder / "lib/python3.11/site-packages").mkdir(parents=True)
        return Said(1 if fail and "pip" in words else 0, "no such package")

    monkeypatch.setattr("pytracking.vot.toolkit._run", fake)
    fail = True
    with pytest.raises(ValueError, match="says no such package"):
        install_toolkit(folder, said.append)
    fail = False
    assert install_toolkit(folder, said.append) == folder / "bin/python"  # over what was left half-way
    assert set(REQUIREMENTS) <= set(runs[-1])
    assert install_toolkit(folder, said.append) == folder / "bin/python"
    assert (len(runs), len(said)) == (4, 2)
    beside = (folder / "lib/python3.11/site-packages/ebmtrack-beside.pth").read_text().splitlines()
    assert str(Path(__file__).resolve().parents[3]) in beside
    (folder / "bin/python").unlink()
    install_toolkit(folder, said.append)
    assert len(runs) == 6


def test_the_toolkit_that_is_installed_is_the_one_of_the_extra() -> None:
    import tomllib

    text = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text("utf-8")
    assert list(REQUIREMENTS) == tomllib.loads(text)["project"]["optional-dependencies"]["vot-toolkit"]


def test_integrate_writes_and_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = tmp_path / "space"
    command = ["integrate", str(space), *TRACKER, "--stack", "vots2026/main", "--name", "First"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "[First] added" in said
    assert f"vot evaluate --workspace {space} First" in said
    text = (space / "trackers.ini").read_text()
    assert "arg_when_lost = empty" in text  # VOTS scores whether a target is known to be absent
    assert main(command) == 0
    assert "[First] unchanged" in capsys.readouterr().out
    assert main([*command, "--when-lost", "box"]) == 2
    assert "--replace" in capsys.readouterr().err
    assert main([*command, "--when-lost", "box", "--replace"]) == 0
    assert "arg_when_lost" not in (space / "trackers.ini").read_text()
    before = (space / "trackers.ini").read_text()
    assert main(["integrate", str(space), *TRACKER, "--stack", "vot2018/shortterm"]) == 2
    assert (space / "trackers.ini").read_text() == before
    assert main(["integrate", str(space), *TRACKER, "--name", "a b"]) == 2


def test_a_sequence_is_cut(tmp_path: Path) -> None:
    drawn = draw_sequence(tmp_path / "a", 4)
    assert (drawn.frames, sorted(drawn.truth), drawn.starts_from_mask) == (4, ["1", "2"], False)
    short = shorten(tmp_path / "a/drawn", tmp_path / "b", 3)
    assert short.frames == 3
    assert short.truth == {name: lines[:3] for name, lines in drawn.truth.items()}
    assert len(list((tmp_path / "b/drawn/color").iterdir())) == 3
    assert (tmp_path / "b/list.txt").read_text() == "drawn\n"


def test_the_reference_finds_what_moves(tmp_path: Path) -> None:
    drawn = draw_sequence(tmp_path, 3)
    frames = [str(path) for path in sorted((tmp_path / "drawn/color").iterdir())]
    tracker = NCC()
    tracker.init(frames[0], [(box_of_text(drawn.truth["1"][0]), {})])
    for number in (1, 2):
        ((box, _),) = tracker.update(frames[number], [])
        assert box == box_of_text(drawn.truth["1"][number])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Tracker interrupted, it did not reply in 30 seconds", "Raise --timeout"),
        ("Python tracker runtime timed out after 30 seconds", "Raise --timeout"),
        ("Unable to connect to tracker\nerror: No weights here", "handshake (No weights here)"),
        ("Tracker process exited with code 2", "code 2."),
        ("error: no weights.\nTracker process exited with code 2", "code 2 (no weights)."),
        ("error: no.\nPython tracker worker failed: no.", "the tracker refused: no."),
        ("Runtime protocol 'folder' not available", "no protocol folder"),
        ("something new", "something new"),
        ("", "said nothing"),
    ],
)
def test_known_failures_in_words(tmp_path: Path, text: str, words: str) -> None:
    sequence = ShortSequence(name="s", frames=2, truth={"": ["1,2,3,4", "1,2,3,4"]})
    found = _finding("x", Said(1, text), tmp_path, sequence)
    assert not found.ok
    assert words in found.words


def test_answers_that_are_not_whole(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    sequence = ShortSequence(name="s", frames=3, truth={"": ["1,2,3,4", "1,2,3,4", "nan,nan,nan,nan"]})
    result = tmp_path / "s/s_001.txt"
    result.write_text("1\n1,2,3,4\n")
    assert "2 of 3 frames" in _finding("x", Said(0, ""), tmp_path, sequence).words
    result.write_text("1\n0,0,0,0\n1,2,3,4\n")
    assert _finding("x", Said(0, ""), tmp_path, sequence).overlap == 0.0
    result.write_text("1\n1,2,3,4\n0\n")
    assert _finding("x", Said(0, ""), tmp_path, sequence).overlap == 1.0
    result.write_text("1\nx,2,3,4\n0\n")
    assert not _finding("x", Said(0, ""), tmp_path, sequence).ok


def test_the_real_toolkit(test_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = os.environ.get("EBMTRACK_TEST_VOT_PYTHON")
    if not python:
        pytest.skip("EBMTRACK_TEST_VOT_PYTHON names no Python with the VOT toolkit; .ci/vot runs this")
    sequence = ["--sequence", str(test_data / "vot/book")]
    assert main(["check", *TRACKER, "--python", python, *sequence]) == 0
    said = capsys.readouterr().out
    assert said.count("ok: all 5 frames answered, mean overlap with the annotation") >= 3
