"""Files written whole or not at all."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError

__all__ = ["expanded", "require_writable_folder", "write_atomic", "write_json"]


def expanded(path: str | Path) -> Path:
    """A path whose ``~`` is the home folder.

    ``~name`` where there is no such user, and ``~`` where there is no home, stay: files may be called so.
    """
    return Path(os.path.expanduser(path))


def write_atomic(path: Path, content: str | bytes | Sequence[bytes | memoryview]) -> None:
    """Write a file, or the parts of it in turn, under a temporary name, flush and rename it.

    Readers see all of it or nothing.

    A device or a pipe (``/dev/stdout``) is written to, not replaced by a file.

    Raises:
        InputError: if the file cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        parts = [data] if isinstance(data, bytes) else data
        if path.exists() and not (path.is_file() or path.is_dir()):
            with path.open("wb") as stream:
                stream.writelines(parts)
            return
        with temporary.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        _discard(temporary)
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error
    except BaseException:  # Ctrl-C between two writes must not leave the temporary file either
        _discard(temporary)
        raise


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the folder itself may be what cannot be written; the first error is the one to tell
        return


def write_json(path: Path, value: Any) -> None:
    """Write plain values as JSON, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
        ValueError: if a number is NaN or infinite, which JSON cannot hold.
    """
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def require_writable_folder(path: Path) -> Path:
    """`path` as a folder that files can be written to; made where it is absent.

    Call it before a long computation, so that no result is lost for want of a place.

    Raises:
        InputError: if it is a file, or cannot be made or written to.
    """
    probe = path / f".{os.getpid()}.tmp"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"Output folder {path} cannot be used: {error.strerror or error}; choose another one."
        ) from error
    return path
