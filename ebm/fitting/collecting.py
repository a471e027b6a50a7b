"""Answers block by block: what is done when Ctrl-C comes is handed over."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ebm.exceptions import PredictionInterrupted

__all__ = ["collected"]

Part = TypeVar("Part")


def collected(
    parts: Iterable[Part], finish: Callable[[list[Part]], Any], size: Callable[[Part], int], total: int
) -> Any:
    """What becomes of all parts together.

    Args:
        parts: answers for some rows each, in the order of the rows.
        finish: makes the answer of the first parts, all of them or fewer.
        size: rows of a part.
        total: rows of all.

    Raises:
        PredictionInterrupted: (a KeyboardInterrupt) after Ctrl-C, with the answer for the rows that are done.
    """
    done: list[Part] = []
    try:
        for part in parts:
            done.append(part)
    except KeyboardInterrupt as stop:
        count = sum(map(size, done))
        if not count:
            raise
        raise PredictionInterrupted(
            f"interrupted after {count} of {total} rows. Their answers are `result` of this exception: "
            "`except ebm.PredictionInterrupted as stop: first = stop.result`, at a prompt "
            f"`import sys; first = sys.last_value.result`. Go on with the rows from {count} on.",
            finish(done),
            count,
        ) from stop
    return finish(done)
