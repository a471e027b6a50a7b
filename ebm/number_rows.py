"""Tables of plain decimal numbers, all of a text at once: as exact as one number at a time, and faster."""

import numpy as np
import numpy.typing as npt

__all__ = ["plain_rows"]

_BOM = b"\xef\xbb\xbf"
_SEPARATORS = (b",", b"\t", b" ")
_MOST = 15  # digits of a number: as many as a double holds whatever they are
_MINUS, _DOT, _LINE = b"-.\n"
_VALUES = bytes(code - 48 if 48 <= code < 58 else 0 for code in range(256))
_TENS = 10.0 ** np.arange(_MOST + 1)
_JOINS = np.array(
    [
        (8, (10 << 8) + 1, 0x00FF00FF00FF00FF),
        (16, (100 << 16) + 1, 0x0000FFFF0000FFFF),
        (32, (10_000 << 32) + 1, 0x00000000FFFFFFFF),
    ],
    dtype=np.uint64,
)
_LAST = np.array(  # masks of the last 0 to 8 characters of a word
    [(1 << 64) - (1 << 8 * (8 - count)) if count else 0 for count in range(9)], dtype=np.uint64
)


def plain_rows(data: bytes) -> npt.NDArray[np.float64] | None:
    """The numbers of a text of rows, ``[N, K]``, or None where the text is not plain, right or wrong.

    Plain are rows of as many numbers, with one comma, tab or blank between two; a number is digits, up to 15,
    with a point and a minus or without. A mark of byte order, line ends of Windows and blank lines at the end
    change nothing.

    A number is a whole one divided by a power of ten, both of which a double holds: the quotient is rounded
    once, as `float` rounds.
    """
    data = data.removeprefix(_BOM).rstrip() + b"\n"
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    first = data[: data.index(b"\n")]
    separator = next((mark for mark in _SEPARATORS if mark in first), b",")
    columns = first.count(separator) + 1
    if data.translate(None, b"0123456789.-\n" + separator):
        return None
    characters = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(characters < _MINUS)  # separators and line ends
    lines = characters[ends] == _LINE
    if not lines[columns - 1 :: columns].all() or np.count_nonzero(lines) * columns != len(ends):
        return None
    numbers = _numbers(data, characters, ends)
    return None if numbers is None else numbers.reshape(-1, columns)


def _numbers(
    data: bytes, characters: npt.NDArray[np.uint8], ends: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64] | None:
    """The numbers that end before these places, ``[M]``; None if one is not plain."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    minuses = data.count(b"-")
    negative = characters[starts] == _MINUS
    starts += negative
    points = _points(np.flatnonzero(characters == _DOT), starts, ends)
    if points is None or np.count_nonzero(negative) != minuses:
        return None
    before, decimals, pointed = points
    digits = ends - starts - pointed
    if digits.min() < 1 or digits.max() > _MOST:
        return None
    numbers = _whole_numbers(data, ends - before, digits)
    if decimals is not None:
        numbers /= _TENS[decimals]
    return np.negative(numbers, out=numbers, where=negative) if minuses else numbers


def _points(
    dots: npt.NDArray[np.intp], starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp] | int, npt.NDArray[np.intp] | None, npt.NDArray[np.intp] | int] | None:
    """Points up to the end of each number, its digits after one, and its points; None if one has two."""
    if not len(dots):
        return 0, None, 0
    if len(dots) == len(ends):
        right = (dots >= starts).all() and (dots < ends).all()
        return (np.arange(1, len(ends) + 1), ends - dots - 1, 1) if right else None
    of = np.searchsorted(ends, dots)
    pointed, decimals = np.zeros_like(ends), np.zeros_like(ends)
    pointed[of] = 1
    decimals[of] = ends[of] - dots - 1
    return (pointed.cumsum(), decimals, pointed) if pointed.sum() == len(dots) else None


def _whole_numbers(
    data: bytes, ends: npt.NDArray[np.intp], digits: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """The numbers of so many digits, ``[M]``, that end before these places of a text whose points are out."""
    values = bytes(16) + data.translate(_VALUES, b".")
    words: npt.NDArray[np.uint64] = np.ndarray((len(values) - 7,), "<u8", values, 0, (1,))  # at every byte
    last = ends + 8  # where the word of a number's last eight characters begins
    found = _of_words(words[last], np.minimum(digits, 8))
    if digits.max() > 8:
        found += _of_words(words[last - 8], np.maximum(digits - 8, 0)) * 1e8
    return found


def _of_words(words: npt.NDArray[np.uint64], digits: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """The numbers that the last characters of words are, each the value of a digit, ``[M]``.

    Neighbours are joined: digits to pairs, pairs to fours, those to the number. The last character is the
    highest byte.
    """
    words = words & _LAST[digits]
    for bits, ten, kept in _JOINS:
        words *= ten
        words >>= bits
        words &= kept
    return words.astype(np.float64)
