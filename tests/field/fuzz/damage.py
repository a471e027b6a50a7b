"""What happens to files: bytes flipped, cut, swapped, repeated; sizes, encodings, numbers, lines changed."""

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["BINARY", "JSON", "TEXT", "Damage", "damaged"]

Damage = Callable[[random.Random, bytes], bytes]

_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?")
_EXTREMES = [
    "0",
    "-1",
    "1e400",
    "-1e400",
    "1e300",
    "-1e-320",
    "nan",
    "inf",
    "-inf",
    "1_0",
    "0x10",
    "1,5",
    "1.5.2",
    "-",
    ".",
    "00007",
    "1e5",
    "+3",
    "True",
]
_EXTREMES += ["9" * 40, "9" * 5000, "\u0661\u0662", "\uff17", "3 4", "", " ", '"5"', "65536", "-2147483649"]
_WIDTHS = ((1, "little"), (2, "little"), (2, "big"), (4, "little"), (4, "big"), (8, "little"), (8, "big"))
_ENCODINGS = ("utf-16", "utf-16-le", "utf-8-sig", "utf-32", "latin-1", "cp037", "utf-7")
_ENDINGS = ("\r", "\r\n", "\n\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", ";", " ", "")
_SEPARATORS = (",", ";", "\t", " ", ", ", " ;", ",,", "\t\t", "|", "\u00a0", "\u3000")


def _span(draw: random.Random, data: bytes, longest: int = 64) -> tuple[int, int]:
    """Start and end of a stretch of the bytes; mostly short, near the start as often as anywhere else."""
    size = len(data)
    start = draw.randrange(min(size, 200) if draw.random() < 0.4 else size) if size else 0
    return start, min(size, start + draw.randint(1, longest))


def _flip(draw: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        if changed:
            changed[_span(draw, data)[0]] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut_end(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randint(0, len(data))]


def _remove(draw: random.Random, data: bytes) -> bytes:
    start, end = _span(draw, data, draw.choice((1, 8, 400)))
    return data[:start] + data[end:]


def _swap(draw: random.Random, data: bytes) -> bytes:
    size = draw.choice((1, 4, 64, 512))
    a, b = sorted(draw.randint(0, len(data)) for _ in range(2))
    if a + size > b:
        return data[::-1] if draw.random() < 0.05 else data
    return data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]


def _repeat(draw: random.Random, data: bytes) -> bytes:
    start, end = _span(draw, data, draw.choice((1, 16, 600)))
    return data[:end] + data[start:end] * draw.choice((1, 1, 2, 50)) + data[end:]


def _blank(draw: random.Random, data: bytes) -> bytes:
    start, end = _span(draw, data, draw.choice((1, 8, 200)))
    return data[:start] + draw.choice((b"\0", b"\xff", b" ")) * (end - start) + data[end:]


def _insert(draw: random.Random, data: bytes) -> bytes:
    start, _ = _span(draw, data)
    return data[:start] + draw.randbytes(draw.choice((1, 3, 16, 300))) + data[start:]


def _overwrite(draw: random.Random, data: bytes) -> bytes:
    start, end = _span(draw, data)
    return data[:start] + draw.randbytes(end - start) + data[end:]


def _resize(draw: random.Random, data: bytes) -> bytes:
    """A whole number somewhere becomes an extreme one: lengths, counts, widths, time stamps."""
    width, order = draw.choice(_WIDTHS)
    start, _ = _span(draw, data)
    top = 256**width
    value = draw.choice((0, 1, top - 1, top // 2, top // 2 - 1, top // 4, top - 2, 0x7FFF % top))
    return data[:start] + value.to_bytes(width, order) + data[start + width :]  # type: ignore[arg-type]


def _append(draw: random.Random, data: bytes) -> bytes:
    return data + draw.choice((data, draw.randbytes(100), bytes(1000), data[: len(data) // 2]))


def _number(draw: random.Random, data: bytes) -> bytes:
    places = list(_NUMBER.finditer(data))
    if not places:
        return _insert(draw, data)
    for place in sorted(
        draw.sample(places, min(len(places), draw.choice((1, 1, 1, 4)))), key=lambda p: -p.start()
    ):
        data = data[: place.start()] + draw.choice(_EXTREMES).encode() + data[place.end() :]
    return data


def _lines(draw: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) < 2:
        return _repeat(draw, data)
    a, b = draw.randrange(len(lines)), draw.randrange(len(lines))
    draw.choice(
        (
            lambda: lines.pop(a),
            lambda: lines.insert(b, lines[a]),
            lambda: lines.insert(b, b"\n"),
            lambda: lines.__setitem__(slice(None), lines[::-1]),
            lambda: lines.insert(b, b"# a comment\n"),
            lambda: lines.extend(lines * draw.choice((1, 30))),
            lambda: (lines.pop(a), lines.insert(b, lines[b % len(lines)])),
        )
    )()
    return b"".join(lines)


def _encode(draw: random.Random, data: bytes) -> bytes:
    return data.decode("latin-1").encode(draw.choice(_ENCODINGS), errors="replace")


def _endings(draw: random.Random, data: bytes) -> bytes:
    ending = draw.choice(_ENDINGS).encode()
    return data.replace(b"\n", ending, draw.choice((-1, 1, 2)))


def _separators(draw: random.Random, data: bytes) -> bytes:
    there = [mark for mark in (b",", b";", b"\t", b" ", b".") if mark in data] or [b","]
    return data.replace(draw.choice(there), draw.choice(_SEPARATORS).encode(), draw.choice((-1, 1, 3)))


def _characters(draw: random.Random, data: bytes) -> bytes:
    start, end = _span(draw, data, 3)
    odd = (
        "\0",
        '"',
        "'",
        "\ufeff",
        "\u202e",
        "\ud7ff",
        "\\",
        "[" * 50_000,
        "-",
        "e",
        "é",
        "\x1b[2J",
        "../",
        "/",
    )
    return data[:start] + draw.choice(odd).encode() + data[draw.choice((start, end)) :]


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value, as its container and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in list(items) for place in [(value, key), *_nodes(inner)]]


def _node(draw: random.Random, data: bytes) -> bytes:
    """A value somewhere in a JSON file becomes another one, or is missing, or is there twice."""
    try:
        content = json.loads(data)
        places = _nodes(content)
    except (ValueError, RecursionError):
        return _number(draw, data)
    if not places:
        return _number(draw, data)
    for _ in range(draw.choice((1, 1, 2))):
        container, key = draw.choice(places)
        if (isinstance(container, list) and key >= len(container)) or key is None:
            continue
        if isinstance(container, dict) and key not in container:
            continue
        if draw.random() < 0.15:
            del container[key]
        elif isinstance(container, list) and draw.random() < 0.2:
            container.append(container[key])
        else:
            container[key] = draw.choice(_values(container[key]))
    return (
        json.dumps(content).encode().replace(b'"@huge"', b"1" + b"0" * 400).replace(b'"@long"', b"9" * 5000)
    )


def _values(old: Any) -> Sequence[Any]:
    odd = [
        None,
        True,
        0,
        -1,
        1.5,
        "@huge",
        "@long",
        1e300,
        float("nan"),
        float("inf"),
        "7",
        "",
        "x\0y",
        [],
        {},
    ]
    return [
        *odd,
        [1, 2, 3],
        [[1, 2], [3, 4]],
        {"a": 1},
        "0",
        "\ud800",
        "a" * 5000,
        2**63,
        str(old),
        [old],
        "1_0",
    ]


BINARY: tuple[Damage, ...] = (
    *(_flip, _flip, _cut_end, _remove, _swap, _repeat, _blank),
    *(_insert, _overwrite, _resize, _resize, _append),
)
TEXT: tuple[Damage, ...] = (
    *(_number, _number, _number, _lines, _lines, _encode, _endings, _separators, _separators),
    *(_characters, _flip, _cut_end, _remove, _swap, _repeat, _blank, _insert),
)
JSON: tuple[Damage, ...] = (*(_node,) * 12, *TEXT)


def damaged(draw: random.Random, data: bytes, kinds: Sequence[Damage]) -> bytes:
    """The bytes after one to three of these kinds of damage."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        data = draw.choice(kinds)(draw, data)
        if len(data) > 4 << 20:
            return data[: 4 << 20]
    return data
