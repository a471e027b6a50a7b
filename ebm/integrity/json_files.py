"""JSON files that carry the checksum of what they say as their last field."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.files import write_atomic
from ebm.integrity.checksums import damaged, note_unchecked

__all__ = ["read_sealed_json", "sealed_text", "write_sealed_json"]

FIELD = "sha256"
_MOST = 1 << 28  # bytes; a file of ours has a thousandth of it


def sealed_text(fields: Mapping[str, Any], *, allow_nan: bool = False) -> str:
    """JSON of some fields and of their checksum.

    Args:
        fields: plain values.
        allow_nan: write NaN and infinity as Python reads them; other programs may not.

    Raises:
        ValueError: if a number is NaN or infinite and these are not allowed.
    """
    content = {key: value for key, value in fields.items() if key != FIELD}
    sealed = {**content, FIELD: _digest(json.loads(json.dumps(content)))}
    return json.dumps(sealed, indent=1, ensure_ascii=False, allow_nan=allow_nan) + "\n"


def write_sealed_json(path: Path, fields: Mapping[str, Any], *, allow_nan: bool = False) -> None:
    """Write fields as JSON with their checksum, whole or not at all; arguments as `sealed_text`.

    Raises:
        InputError: if the file cannot be written.
        ValueError: if a number is NaN or infinite and these are not allowed.
    """
    write_atomic(path, sealed_text(fields, allow_nan=allow_nan))


def read_sealed_json(path: Path, *, said_of: Path | None = None) -> dict[str, Any]:
    """The fields of a JSON file, their checksum verified and taken off.

    Args:
        path: the file.
        said_of: what is said to have no checksum if this file has none, e.g. the folder of many like it.

    Raises:
        InputError: if the file is missing, damaged, or no object in JSON.
    """
    try:
        size = path.stat().st_size
        if size > _MOST:
            raise damaged(path, f"it has {size} bytes, which no such file has")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"no valid JSON ({error})") from error
    if not isinstance(fields, dict):
        raise damaged(path, "it holds something else than named values")
    unchecked, claimed = FIELD not in fields, fields.pop(FIELD, None)
    if unchecked:
        note_unchecked(said_of or path)
    elif claimed != _digest(fields):
        raise damaged(
            path, f"its checksum does not fit what it says (take the field {FIELD!r} out if you changed it)"
        )
    return fields


def _digest(content: Mapping[str, Any]) -> str:
    """Of the values, not of how the file spaces them: people may format it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
