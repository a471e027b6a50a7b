"""The command table of ``ebmtrack``."""

import subprocess
import sys

import pytest

from pytracking.cli import COMMANDS, main


def test_every_command_has_a_main_and_a_help_page() -> None:
    for name, command in COMMANDS.items():
        with pytest.raises(SystemExit) as stop:
            command.load()(["--help"])
        assert stop.value.code == 0, name


def test_an_unknown_command_is_an_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evalute"]) == 2
    assert "did you mean 'evaluate'" in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in COMMANDS)


def test_no_arguments_is_a_usage_error() -> None:
    assert main([]) == 2


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_imports_nothing_heavy(name: str) -> None:
    code = (
        "import sys; from pytracking.cli import main\n"
        f"try: main([{name!r}, '--help'] if {name!r} else ['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'torchvision', 'cv2', 'pandas', 'matplotlib'} & sys.modules.keys()\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ebmtrack ")
