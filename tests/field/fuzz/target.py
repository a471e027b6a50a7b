"""What a reader has to offer to be tried: an example, a reading of it, and what is right after damage."""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from tests.field.fuzz.damage import BINARY, Damage

__all__ = ["UNKNOWABLE", "Judge", "Target", "command", "hearing"]

UNKNOWABLE = "?"  # start of a verdict: the file cannot tell, for it has no checksum and stayed well-formed

Judge = Callable[[Path, Any, Any, str], str]  # folder, what was read, what was read before, what was said


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        name: of the kind, ``group/kind``.
        write: writes an example into an empty folder.
        read: what the example says; raises one of our errors if it is refused.
        judge: why an answer is wrong; empty if it is right or explained by what was said, `UNKNOWABLE` and a
            reason if nobody could know.
        files: pattern of those of its files that are damaged.
        kinds: of damage.
        weight: how often it is tried, compared with others.
    """

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    judge: Judge
    files: str = "**/*"
    kinds: Sequence[Damage] = field(default=BINARY, repr=False)
    weight: int = 2


@contextlib.contextmanager
def hearing() -> Iterator[io.StringIO]:
    """Collects what is printed and logged."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield said
    finally:
        root.removeHandler(handler)


def command(argv: Sequence[str]) -> tuple[int, str, str]:
    """The exit code, output and errors of a command of ours, in this process.

    Raises:
        InputError: if it refuses its input with exit code 2 and a reason.
    """
    from pytracking.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(argv))
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
    if code == 2:
        assert "error: " in err.getvalue(), f"exit code 2 without a reason: {err.getvalue()!r}"
        raise InputError(err.getvalue())
    assert code in (0, 1), f"exit code {code}"
    return code, out.getvalue(), err.getvalue()
