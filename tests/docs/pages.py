"""Reads the documentation's pages: fenced blocks, the output they announce, and why one is not run.

A ``python`` block directly followed by a ``text`` block prints that text. Two comments may stand in the line
before a fence: ``<!-- not run: why -->`` and, before a text block, ``<!-- numbers within 30 % -->``. A page
whose examples use an optional package says ``<!-- needs: package -->``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"```(\w*)")
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
NEEDS = re.compile(r"^<!-- needs: (\w+) -->$", re.MULTILINE)
WITHIN = re.compile(r"<!-- numbers within (\d+) % -->")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language and text, and the comment in the line before it."""

    line: int
    language: str
    text: str
    note: str
    follows: bool  # only blank lines and its note lie between this block and the one before

    @property
    def reason_not_to_run(self) -> str | None:
        found = NOT_RUN.fullmatch(self.note)
        return found[1] if found else None

    @property
    def tolerance(self) -> float:
        """Relative tolerance of the numbers in an output."""
        found = WITHIN.fullmatch(self.note)
        return int(found[1]) / 100 if found else 0.01


def all_pages() -> list[Path]:
    """Every page of the site."""
    return sorted(DOCS.rglob("*.md"))


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = text.splitlines()
    previous_end, number = None, 0
    while number < len(lines):
        opening = FENCE.fullmatch(lines[number].strip())
        if opening is None or not lines[number].startswith("```"):
            number += 1
            continue
        end = next(i for i in range(number + 1, len(lines)) if lines[i] == "```")
        note = lines[number - 1].strip() if number and lines[number - 1].startswith("<!--") else ""
        between = lines[(previous_end or 0) + 1 : number - bool(note)]
        follows = previous_end is not None and not any(line.strip() for line in between)
        yield Block(number + 1, opening[1], "\n".join(lines[number + 1 : end]) + "\n", note, follows)
        previous_end, number = end, end + 1


def differences(announced: str, printed: str, tolerance: float) -> str | None:
    """What differs between two outputs, None if nothing does: words must agree, numbers within a tolerance.

    A number may also be off by one unit of its last announced digit.
    """
    if NUMBER.sub("#", announced).split() != NUMBER.sub("#", printed).split():
        return f"announced\n{announced}\nprinted\n{printed}"
    for said, got in zip(NUMBER.findall(announced), NUMBER.findall(printed), strict=True):
        decimals = len(said.partition("e")[0].partition(".")[2])
        unit = 10.0 ** (int(said.partition("e")[2] or 0) - decimals) if "." in said else 0.0
        if abs(float(said) - float(got)) > max(tolerance * abs(float(said)), 1.01 * unit):
            return f"announced {said}, printed {got} in\n{printed}"
    return None
