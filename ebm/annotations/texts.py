"""Text and JSON that other programs have written: read whole, with errors that name file and line."""

import json
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError

__all__ = ["CONVERT", "read_data", "read_json", "read_text", "text_of"]

CONVERT = "ebmtrack dataset convert"


def read_text(file: Path, what: str) -> str:
    """The text of a file, a byte-order mark removed.

    Args:
        file: the file.
        what: what it is to the reader, for the message, e.g. ``"annotation file"``.

    Raises:
        InputError: if it is missing or not text in UTF-8.
    """
    return text_of(read_data(file, what), file, what)


def read_data(file: Path, what: str) -> bytes:
    """The bytes of a file, for `text_of`; arguments as `read_text`.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{what} {file} cannot be read ({error.strerror}). Extract it again, or leave it out."
        ) from error


def text_of(data: bytes, file: Path, what: str) -> str:
    """The text that the bytes of a file are, as `read_text`.

    Raises:
        InputError: if they are not text in UTF-8.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            f"{what} {file} is text in UTF-16, as Windows programs save it; save it as UTF-8, or convert it: "
            f"{CONVERT} {file} --out NEW."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {file} is not text ({error.reason} at byte {error.start}).") from error
    if "\0" in text:
        raise InputError(
            f"{what} {file} is not text in UTF-8 (byte {data.index(0)} is zero); is it UTF-16, or an image?"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: if it is missing or broken, naming file and line.
    """
    try:
        return json.loads(read_text(file, "JSON file"))
    except json.JSONDecodeError as error:
        raise InputError(f"{file}, line {error.lineno}: not valid JSON ({error.msg}).") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, as many brackets
        raise InputError(f"{file}: not JSON that can be read ({error}).") from error
