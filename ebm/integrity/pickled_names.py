"""Names of classes and functions in a torch file, read off its pickle without running any of it."""

import contextlib
import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ebm.integrity.zips import ZIP_ERRORS

__all__ = ["named_globals"]

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
LEGACY_PICKLES = 4  # ahead of the raw storages: magic number, version, system, and the object itself


def named_globals(path: Path) -> list[str]:
    """Every class and function that a torch file refers to, as ``module.name``, in the order of the file.

    Args:
        path: a zip container, the stream of older versions, or a bare pickle. Of a damaged one, the names up
            to the damage.
    """
    names: dict[str, None] = {}
    # A directory of a zip that is damaged may also name its parts in no encoding, or be laid out impossibly.
    with contextlib.suppress(OSError, *ZIP_ERRORS), _pickles(path) as stream:
        for _ in range(LEGACY_PICKLES):
            # Whatever a hostile or damaged file brings the scanner to: nothing more is to be learned from it.
            with contextlib.suppress(ValueError, IndexError, OverflowError, EOFError, UnicodeError):
                names |= dict.fromkeys(filter(NAME.fullmatch, _names(stream)))
                continue
            break
    return list(names)


@contextlib.contextmanager
def _pickles(path: Path) -> Iterator[IO[bytes]]:
    """The bytes that begin with the file's pickles."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as container:
            inner = [name for name in container.namelist() if name.endswith("/data.pkl")]
            yield io.BytesIO(container.read(inner[0]) if inner else b"")
    else:
        with path.open("rb") as file:
            yield file


def _names(stream: IO[bytes]) -> Iterator[str]:
    """Names in one pickle."""
    strings: list[str] = []
    memo: dict[int, str] = {}
    last = ""
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(strings[-2:])
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = last
        elif "PUT" in opcode.name:
            memo[int(str(argument))] = last
        elif "GET" in opcode.name:
            strings.append(memo.get(int(str(argument)), ""))
        else:
            last = argument if isinstance(argument, str) else ""
            if last:
                strings.append(last)
