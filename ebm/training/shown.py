"""A setting as text, ``--show``, and that text read back, ``--set @FILE``."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.files import expanded

__all__ = ["FINGERPRINT", "fingerprint_of", "plain_of", "read_shown", "show_plain"]

FINGERPRINT = "fingerprint"  # shown, but follows from all others
NOTE = "  # "


def show_plain(
    plain: Mapping[str, Any], fingerprint: str, before: Mapping[str, Any] | None = None, called: str = ""
) -> str:
    """A resolved setting, one ``key = value`` a line, as `read_shown` and ``--set`` take them.

    Args:
        plain: the setting as plain data.
        fingerprint: of it.
        before: the setting it was made from; what differs is marked with the value there.
        called: the name of that one.
    """
    lines = _lines(plain)
    then = lines if before is None else _lines(before)
    width = max(map(len, [*lines, FINGERPRINT]))
    text: list[str] = []
    part = None
    for key, value in lines.items():
        head = key.partition(".")[0] if "." in key or key == "classifier" else ""
        text += [""] if part not in (None, head) else []
        part = head
        old = repr(then[key]) if key in then else "not set"
        note = f"{NOTE}{old} in {called}" if then.get(key) != value else ""
        text.append(f"{key:<{width}} = {value!r}{note}")
    return "\n".join([*text, f"{FINGERPRINT:<{width}} = {fingerprint!r}"])


def plain_of(recipe: Any) -> dict[str, Any]:
    """A dataclass as nested dictionaries, lists, strings and numbers."""
    data: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return data


def fingerprint_of(recipe: Any) -> str:
    """Hash of a dataclass's values; 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(plain_of(recipe), sort_keys=True).encode()).hexdigest()[:16]


def read_shown(file: Path, names: Mapping[str, str]) -> list[str]:
    """The assignments in a file that `show_plain` gave, edited or not.

    Args:
        file: lines ``key = value``; blank ones and what follows a ``#`` do not count.
        names: what names the setting to which they are meant to apply, field -> value.

    Raises:
        InputError: if it cannot be read, a line is no assignment, or it is of another setting.
    """
    try:
        lines = expanded(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--set @{file} cannot be read: {error}.") from error
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise InputError(f"{file}, line {number}: expected key = value, found {text!r}.")
        if key in names and value.strip("'\"") != names[key]:
            raise InputError(
                f"{file} is of the {key} {value}, but this command trains {' '.join(names.values())}."
            )
        if key not in (*names, FINGERPRINT):
            found.append(f"{key}={value}")
    return found


def _lines(data: Any, prefix: str = "") -> dict[str, Any]:
    """Values by dotted key; a list of numbers or words, however deep, is a value."""
    if isinstance(data, list) and any(isinstance(entry, Mapping) for entry in data):
        data = dict(enumerate(data))
    if not isinstance(data, Mapping):
        return {prefix: data}
    lines: dict[str, Any] = {}
    for key, value in data.items():
        lines |= _lines(value, f"{prefix}.{key}" if prefix else str(key))
    return lines
