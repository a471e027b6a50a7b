"""How every command starts and ends: one parser, one guard, output that cannot fail a finished run."""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from ebm.exceptions import EBMError
from ebm.extras import EXTRA_OF, explain_missing
from ebm.files import expanded
from ebm.number_texts import parse_whole
from ebm.threads import sleep_when_idle

__all__ = [
    "CommandParser",
    "at_least",
    "counting_number",
    "local_path",
    "run_command",
    "run_guarded",
    "script_imports",
    "whole_number",
]

_OWN_PACKAGES = ("ebm", "ltr", "pytracking")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+[^/]")


class CommandParser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` that takes negative numbers as they are written.

    argparse itself knows ``-5`` and ``-0.5`` as values, and takes ``-5,10,20,20``, ``-1e-3`` and ``-inf`` for
    unknown options.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """See `argparse.ArgumentParser`; texts keep their line breaks."""
        super().__init__(*args, **options)
        self._negative_number_matcher = re.compile(r"-(\.?\d|(inf|infinity|nan)\b)", re.IGNORECASE)


def local_path(text: str) -> Path:
    """A path of this machine, for argparse; ``~`` is the home folder.

    Raises:
        argparse.ArgumentTypeError: if it is empty, as an unset variable of the shell is, or an address.
    """
    if not text:
        raise argparse.ArgumentTypeError("expected a path, got an empty text")
    if _ADDRESS.match(text) and not Path(text).exists():
        raise argparse.ArgumentTypeError(f"{text} is an address; download it and name the file")
    return expanded(text)


def whole_number(text: str) -> int:
    """A number of at least 0, for argparse."""
    return at_least(0, text)


def counting_number(text: str) -> int:
    """A number of at least 1, for argparse."""
    return at_least(1, text)


def at_least(least: int, text: str) -> int:
    """A whole number of at least `least`, for argparse."""
    value = parse_whole(text.removeprefix("-"))
    if value is None:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    if text.startswith("-") or value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
    return value


def run_command(
    parser: argparse.ArgumentParser,
    body: Callable[[argparse.Namespace], int],
    argv: Sequence[str] | None = None,
    *,
    interrupted: str = "",
) -> int:
    """Parse a command's arguments and run it, see `run_guarded`.

    Args:
        parser: of the arguments.
        body: takes what was parsed and returns the exit code.
        argv: the arguments; ``sys.argv[1:]`` where left out.
        interrupted: what Ctrl-C leaves behind, told to the user.

    Returns: the exit code.
    """
    return run_guarded(lambda: body(parser.parse_args(None if argv is None else list(argv))), interrupted)


def run_guarded(body: Callable[[], int], interrupted: str = "") -> int:
    """Run a command to its exit code: the first and the last thing that every command does.

    What has to be set before torch is imported is set here, so the body imports it.

    Args:
        body: returns the exit code.
        interrupted: what Ctrl-C leaves behind, told to the user; a KeyboardInterrupt of the body with a text
            knows better.

    Returns: the body's code; 2 after an error of the input, the installation or the system, 130 after Ctrl-C,
        1 where all went well but what was printed could not be written (a closed pipe is no error).
    """
    sleep_when_idle()
    with _unfailing_output() as lost:
        code = _guarded(body, interrupted)
        sys.stdout.flush()
        if lost and code == 0:
            print(f"error: what was printed is not complete: {lost[0]}", file=sys.stderr)
            return 1
        return code


def _guarded(body: Callable[[], int], interrupted: str) -> int:
    """The body's exit code, or that of what ended it."""
    try:
        return body()
    except EBMError as error:
        return _refused(str(error))
    except ModuleNotFoundError as error:
        return _refused(_what_is_missing(error))
    except OSError as error:  # a disk that filled up, a folder that went away
        return _refused(str(error))
    except KeyboardInterrupt as stop:
        # What the body says knows better; Ctrl-C itself says nothing, and subclasses speak to programs.
        told = str(stop) if type(stop) is KeyboardInterrupt and stop.args else interrupted
        print(f"interrupted: {told}" if told else "interrupted", file=sys.stderr)
        return 130


@contextmanager
def script_imports(name: str) -> Iterator[None]:
    """Imports of a file that may be started as a script; what they lack ends it as it would end its command.

    Args:
        name: the file's ``__name__``. Where another file imports it, the error is left to that one.

    Raises:
        SystemExit: of a script, with 2, after a line that says what is missing and how to get it.
    """
    try:
        yield
    except ImportError as error:
        if name != "__main__":
            raise
        what = _what_is_missing(error) if isinstance(error, ModuleNotFoundError) else str(error)
        raise SystemExit(_refused(what)) from error


def _what_is_missing(error: ModuleNotFoundError) -> str:
    """Which module this Python lacks, and how to get it; of our own the error is a fault, and is raised."""
    module = (error.name or "").split(".")[0]
    if not module or module in _OWN_PACKAGES:
        raise error
    if module in EXTRA_OF:
        return str(explain_missing("this command", module))
    return (
        f"this Python ({sys.executable}) lacks the module {error.name}. Run 'bash install.sh' once and "
        "use .venv/bin/python."
    )


def _refused(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


@contextmanager
def _unfailing_output() -> Iterator[list[OSError]]:
    """No print fails inside: what the encoding lacks is escaped, what cannot be written is dropped.

    A closed pipe (``| head -1``) is what a reader does who has seen enough. A full disk is not.

    Yields: errors other than closed pipes met while writing to standard output, the first of them.
    """
    lost: list[OSError] = []
    with ExitStack() as stack:
        _open_missing()
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
                tolerant = _tolerant(stream, lost if name == "stdout" else [])
                setattr(sys, name, tolerant)
                stack.callback(_restore, name, stream, tolerant)
            elif isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        yield lost


def _open_missing() -> None:
    """Give a process that was started without standard output or error (``2>&-``) a place to print to."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is not None:
            continue
        # The number would otherwise go to the next file opened, and C libraries print into it.
        if not _is_open(number):
            made = os.open(os.devnull, os.O_WRONLY)
            if made != number:
                os.dup2(made, number)
                os.close(made)
        stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  lives as long as the process
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


class _TolerantFile(io.FileIO):
    """A file descriptor whose writes never fail."""

    def __init__(self, number: int, lost: list[OSError]) -> None:
        super().__init__(number, "w", closefd=False)
        self._lost = lost

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            return len(memoryview(data).cast("B"))
        except OSError as error:
            if not self._lost:
                self._lost.append(error)
            return len(memoryview(data).cast("B"))


def _tolerant(stream: io.TextIOWrapper, lost: list[OSError]) -> TextIO:
    stream.flush()
    file = _TolerantFile(stream.fileno(), lost)
    # Under PYTHONUNBUFFERED there is no buffer, and none may be added: lines would wait.
    buffer: Any = file if isinstance(stream.buffer, io.RawIOBase) else io.BufferedWriter(file)
    return io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _restore(name: str, stream: TextIO, tolerant: TextIO) -> None:
    tolerant.flush()
    if getattr(sys, name) is tolerant:
        setattr(sys, name, stream)
