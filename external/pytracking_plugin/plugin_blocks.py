"""Marked blocks in files of the clone, put in and taken out byte for byte."""

import ast
import re

__all__ = ["find_block", "insert_block", "render", "without_block"]

BEGIN, END = b"# >>> EBMTrack plugin >>>", b"# <<< EBMTrack plugin <<<"
# Comments that must stay ahead: interpreter line and encoding.
AHEAD = re.compile(rb"\A(#!.*\n)?(#.*coding[:=].*\n)?")


def render(text: str, content: bytes) -> bytes:
    """The block around `text`, with the line ends of `content`."""
    block = BEGIN + b"\n" + text.encode() + END + b"\n"
    return block.replace(b"\n", b"\r\n") if b"\r\n" in content else block


def insert_block(content: bytes, text: str, place: str) -> tuple[bytes, bytes]:
    """`content` with the block at its ``"top"`` or ``"end"``, and the bytes that were put in."""
    block = render(text, content)
    if place == "end":
        gap = b"" if not content or content.endswith(b"\n") else render("", content)[-1:]
        return content + gap + block, gap + block
    at = _first_place(content)
    return content[:at] + block + content[at:], block


def find_block(content: bytes) -> bytes | None:
    """What lies between the marks, marks included; None without both of them."""
    start, end = content.find(BEGIN), content.find(END)
    return None if start < 0 or end < start else content[start : end + len(END)]


def without_block(content: bytes, inserted: bytes) -> bytes | None:
    """`content` without the bytes `inserted`; None where they are not there once and unchanged."""
    return content.replace(inserted, b"") if content.count(inserted) == 1 else None


def _first_place(content: bytes) -> int:
    """Offset of the first line that a statement may go on: after docstring and imports from __future__."""
    try:
        body = ast.parse(content).body
    except (SyntaxError, ValueError):
        body = []
    ahead = AHEAD.match(content)
    line = 0
    for place, node in enumerate(body):
        docstring = place == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        line = node.end_lineno or 0
    lines = content.splitlines(keepends=True)
    if line and not lines[line - 1].endswith(b"\n"):
        return 0  # one line without an end: nothing but a docstring
    return max(sum(map(len, lines[:line])), ahead.end() if ahead else 0)
