"""Numbers as people and programs write them into files and arguments."""

import re

__all__ = ["parse_number", "parse_whole"]

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*|\s*[-+]?(nan|inf|infinity)\s*", re.A | re.I)
_DIGITS = 18  # what 63 bits hold; Python gives up at 4300


def parse_number(text: str) -> float:
    """The number that a text is, in the digits 0 to 9.

    `float` takes more than anybody means: ``1_0`` is 10 to it, and so are digits of other scripts, which are
    damage or another number where they stand in a table.

    Raises:
        ValueError: if it is none.
    """
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"could not convert string to float: {text[:40]!r}")
    return float(text)


def parse_whole(text: str) -> int | None:
    """The number that a text of digits 0 to 9 is; None of anything else, or of more than 18 digits."""
    plain = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if plain else None
