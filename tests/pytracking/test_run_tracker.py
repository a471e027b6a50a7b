"""The command that runs a tracker: its table, its errors, its exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from pytracking.run_tracker import main
from tests.pytracking.evaluation.tiny import write_otb

SCRIPT = Path(__file__).resolve().parents[2] / "pytracking/run_tracker.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_otb(tmp_path / "otb", {"Walking": 6, "Deer": 4})


def run(root: Path, tmp_path: Path, *options: str) -> int:
    arguments = ["first_box", "default", "--dataset", "generated", "--root", str(root)]
    return main([*arguments, "--results", str(tmp_path / "r"), *options])


def test_the_table_names_tracker_protocol_and_set(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, tmp_path) == 0
    out = capsys.readouterr().out
    assert "Weights: none" in out
    assert "2 sequences run, 10 frames" in out
    assert "first_box/default |" in out
    assert "Protocol pytracking" in out
    assert run(root, tmp_path, "--per-sequence") == 0
    out = capsys.readouterr().out
    assert "2 sequences finished before" in out
    assert "Walking" in out


def test_a_sequence_run_id_and_comparison(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "perfect").mkdir()
    (tmp_path / "perfect/deer.txt").write_text((root / "Deer/groundtruth_rect.txt").read_text())
    options = ["--sequence", "deer", "--runid", "3", "--compare", f"perfect={tmp_path / 'perfect'}"]
    assert run(root, tmp_path, *options) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "|" in line]
    assert rows[1].startswith("perfect ")
    assert "95.24" in rows[1]
    assert [path.name.split("-")[0] for path in (tmp_path / "r/first_box").iterdir()] == ["default_003"]


def test_comparisons_that_cannot_be_shown_are_refused_before_the_run(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, names in enumerate((("Deer", "Walking"), ("Deer", "Walking"), ("Deer",), ("Other",))):
        (tmp_path / f"t{number}").mkdir()
        for name in names:
            (tmp_path / f"t{number}/{name}.txt").write_text("1,1,9,9\n" * 6)
    one, two, half, none = (str(tmp_path / f"t{number}") for number in range(4))
    for words, allow, message in (
        ([f"a={one}", "--compare", f"a={two}"], [], "are two trackers"),
        ([half], [], "--allow-missing"),
        ([none], ["--allow-missing"], "no sequence that all have"),
    ):
        assert run(root, tmp_path, "--compare", *words, *allow) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "r").exists()
    assert run(root, tmp_path, "--compare", f"a={one}", "--compare", half, "--allow-missing") == 0
    out = capsys.readouterr().out
    assert "\na " in out
    assert "\nt2 " in out


def test_sequences_at_a_time(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, tmp_path, "--batch", "2") == 0
    out = capsys.readouterr().out
    assert "1 process of 1 thread, 2 sequences at a time" in out
    assert "2 sequences run, 10 frames" in out
    assert run(root, tmp_path, "--batch", "2", "--threads", "2", "--rerun") == 2
    assert "not both" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(root, tmp_path, "--batch", "0")
    assert "must be at least 1, got 0" in capsys.readouterr().err


def test_the_older_spelling_of_dataset(root: Path, tmp_path: Path) -> None:
    arguments = ["first_box", "default", "--dataset_name", "generated", "--root", str(root)]
    assert main([*arguments, "--results", str(tmp_path / "r"), "--sequence", "0"]) == 0


def test_a_failing_sequence_ends_with_one_and_the_others_are_scored(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = root / "Deer/img/0002.jpg"
    image.write_bytes(image.read_bytes()[:200])
    assert run(root, tmp_path) == 1
    printed = capsys.readouterr()
    assert "1 of 2 sequences failed" in printed.err
    assert "0002.jpg" in printed.err
    assert "Deer" in printed.err
    assert "1 sequence" in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dmip", "nce_plus"], "did you mean 'dimp'"),
        (["dimp", "nce_pluss"], "'nce_plus'"),
        (["dimp", "nce_plus", "--dataset", "lasto"], "did you mean 'lasot'"),
        (["dimp", "nce_plus", "--dataset", "lasot"], r"EBMTRACK_LASOT="),
        (["first_box", "default", "--dataset", "otb", "--protocol", "otbb"], "'otb'"),
    ],
)
def test_wrong_names_are_told_with_the_nearest(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("EBMTRACK_LASOT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_no_weights_says_how_to_get_some(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    assert main(["dimp", "nce_plus", "--dataset", "generated", "--root", str(root)]) == 2
    assert "run_training.py dimp dimp_nce_plus" in capsys.readouterr().err
    missing = ["--checkpoint", str(tmp_path / "none.pth.tar")]
    assert main(["dimp", "nce_plus", "--dataset", "generated", "--root", str(root), *missing]) == 2
    assert "none.pth.tar" in capsys.readouterr().err


def test_a_file_that_holds_no_weights(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.pth.tar"
    wrong.write_bytes(b"no checkpoint")
    options = ["--dataset", "generated", "--root", str(root), "--results", str(tmp_path / "r")]
    assert main(["dimp", "nce_plus", *options, "--checkpoint", str(wrong)]) == 2
    assert "wrong.pth.tar" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("run_tracker", "first_box default --dataset generated"),
        ("run_video", "first_box default . --box 1,1,9,9"),
        ("evaluate", "first_box --dataset generated"),
    ],
)
def test_the_script_in_a_python_without_the_project(script: str, arguments: str, tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(SCRIPT.with_name(f"{script}.py")), *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("bash install.sh") == 1
    assert ".venv/bin/python" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("script", "example"),
    [
        ("run_tracker", "python pytracking/run_tracker.py"),
        ("run_video", "ebmtrack video clip.mp4 --box"),
        ("evaluate", "python pytracking/evaluate.py"),
    ],
)
def test_help_has_examples(script: str, example: str) -> None:
    command = [sys.executable, str(SCRIPT.with_name(f"{script}.py")), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPT.parents[1])
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert example in done.stdout
