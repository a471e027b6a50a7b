"""How commands start and end: negative numbers, names that a terminal cannot show, readers that leave."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebm.command import CommandParser, local_path, run_command, script_imports
from ebm.exceptions import InputError, MissingPackageError

SCRIPT = """
import sys
from ebm.command import CommandParser, run_command

def body(options):
    for number in range(options.lines):
        print(f"line {number} {options.name}")
    open(options.done, "w").write("finished")
    print("the end", file=sys.stderr)
    return options.code

parser = CommandParser()
parser.add_argument("--lines", type=int, default=1)
parser.add_argument("--code", type=int, default=0)
parser.add_argument("--name", default="")
parser.add_argument("done")
sys.exit(run_command(parser, body))
"""


def parsed(*arguments: str) -> argparse.Namespace:
    parser = CommandParser()
    parser.add_argument("--box", type=lambda text: [float(part) for part in text.split(",")])
    parser.add_argument("--rate", type=float)
    parser.add_argument("--many", type=float, nargs="+")
    parser.add_argument("--flag", action="store_true")
    parser.add_argument("place", type=float, nargs="?")
    return parser.parse_args(arguments)


@pytest.mark.parametrize("text", ["-5,10,20,20", "-.5,1,2,3", "-1e3,-2,3,4"])
def test_lists_that_begin_with_a_minus(text: str) -> None:
    expected = [float(part) for part in text.split(",")]
    assert parsed("--box", text).box == expected
    assert parsed(f"--box={text}").box == expected


@pytest.mark.parametrize("text", ["-1", "-0.5", "-.5", "-1e-3", "-1_000", "-inf", "-Infinity"])
def test_numbers_that_begin_with_a_minus(text: str) -> None:
    assert parsed("--rate", text).rate == float(text)
    assert parsed("--many", "1", text, "2").many == [1, float(text), 2]
    assert parsed(text).place == float(text)


def test_what_is_no_number_is_an_option_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("--blag", "-x", "-infinite"):
        with pytest.raises(SystemExit):
            parsed("--rate", wrong)
    assert "expected one argument" in capsys.readouterr().err


def test_commands_below_a_command_take_them_too() -> None:
    parser = CommandParser()
    below = parser.add_subparsers().add_parser("sub")
    below.add_argument("--box")
    assert parser.parse_args(["sub", "--box", "-1,2"]).box == "-1,2"


@pytest.mark.parametrize("text", ["http://host/a.pth", "s3://bucket/a", "rtsp://host"])
def test_an_address_is_no_path(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is an address"):
        local_path(text)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/a") == tmp_path / "a"
    assert local_path("~nobody_of_this_name/a") == Path("~nobody_of_this_name/a")
    assert local_path("a:b") == Path("a:b")
    with pytest.raises(argparse.ArgumentTypeError, match="empty"):
        local_path("")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("the input"), 2, "error: the input\n"),
        (
            OSError(28, "No space left on device", "out"),
            2,
            "error: [Errno 28] No space left on device: 'out'\n",
        ),
        (ModuleNotFoundError("no", name="torch"), 2, "lacks the module torch"),
        (KeyboardInterrupt(), 130, "interrupted: all is kept\n"),
    ],
)
def test_what_ends_a_command(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(options: argparse.Namespace) -> int:
        raise error

    assert run_command(CommandParser(), body, [], interrupted="all is kept") == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MissingPackageError("cv2 is needed", name="cv2"), "error: cv2 is needed"),
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "error: cv2 is needed for this command"),
        (ModuleNotFoundError("No module named 'numpy'", name="numpy"), "lacks the module numpy"),
        (ImportError("libGL.so.1: cannot open"), "error: libGL.so.1: cannot open"),
    ],
)
def test_what_a_script_cannot_import_ends_it_in_a_line(
    error: ImportError, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, script_imports("__main__"):
        raise error
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    with pytest.raises(type(error)), script_imports("pytracking.evaluate"):  # the importer's to handle
        raise error
    assert capsys.readouterr().err == ""


def test_a_script_does_not_hide_what_we_forgot() -> None:
    with pytest.raises(ModuleNotFoundError), script_imports("__main__"):
        raise ModuleNotFoundError("No module named 'ebm.gone'", name="ebm.gone")


def test_a_fault_of_our_own_keeps_its_traceback() -> None:
    def body(options: argparse.Namespace) -> int:
        raise ModuleNotFoundError("no", name="ebm.nowhere")

    with pytest.raises(ModuleNotFoundError):
        run_command(CommandParser(), body, [])


def shell(line: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as ``$RUN`` in bash; its files are in the current folder."""
    (tmp_path / "script.py").write_text(SCRIPT)
    variables = {"PATH": "/usr/bin:/bin", "RUN": f"{sys.executable} script.py", **environment}
    command = ["bash", "-c", f"set -o pipefail; {line}"]
    return subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, errors="replace", check=False
    )


@pytest.mark.parametrize("name", ["кириллица", "日本語", "\udcff\udcfe"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_name_fails_a_print(tmp_path: Path, name: str, encoding: str) -> None:
    done = shell('$RUN --name "$NAME" done', tmp_path, NAME=name, LC_ALL="C", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "the end\n")
    assert done.stdout.startswith("line 0 ")
    assert (tmp_path / "done").read_text() == "finished"


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("reader", ["head -1", "true", "grep -m 1 line"])
def test_a_reader_that_leaves_ends_nothing(tmp_path: Path, reader: str, code: int) -> None:
    done = shell(f"$RUN --lines 20000 --code {code} done | {reader}", tmp_path)
    assert (done.returncode, done.stderr) == (code, "the end\n")
    assert (tmp_path / "done").read_text() == "finished"


def test_a_reader_of_errors_that_leaves_ends_nothing(tmp_path: Path) -> None:
    done = shell("$RUN done 2> >(true); code=$?; sleep 0.2; exit $code", tmp_path)
    assert (done.returncode, done.stdout) == (0, "line 0 \n")


def test_what_a_full_disk_swallows_is_told_after_the_work(tmp_path: Path) -> None:
    done = shell("$RUN done > /dev/full", tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr
        == "the end\nerror: what was printed is not complete: [Errno 28] No space left on device\n"
    )
    assert (tmp_path / "done").read_text() == "finished"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_output_at_all_is_no_error(tmp_path: Path, closed: str) -> None:
    """A file opened later must not take the number of standard output, which C libraries print to."""
    assert shell(f"$RUN done {closed}", tmp_path).returncode == 0
    assert (tmp_path / "done").read_text() == "finished"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_that_is_not_buffered_stays_so(tmp_path: Path, stream: str) -> None:
    """As in containers, whose images set the variable: what was printed is there also after a kill."""
    (tmp_path / "script.py").write_text(
        "import os, sys\nfrom ebm.command import run_guarded\n"
        f"run_guarded(lambda: print('told', end='', file=sys.{stream}) or os._exit(3))\n"
    )
    unbuffered = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (unbuffered.returncode, getattr(unbuffered, stream)) == (3, "told")
