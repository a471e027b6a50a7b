"""Rows that come in batches, from a loader of torch or any iterable, as one table."""

import math
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebm.exceptions import InputError, ShapeError
from ebm.fitting import tables
from ebm.fitting.censored import Censored
from ebm.fitting.tables import names_of

__all__ = ["gathered", "whole_tables"]


def whole_tables(x: Any, y: Any, sample_weight: Any, validation_data: Any) -> tuple[Any, Any, Any]:
    """Inputs, targets and rows to hold out as tables, where they were given in batches.

    Args:
        x: inputs; batches of inputs and targets where `y` is None.
        y: targets or None.
        sample_weight: of the rows; must be None where they come in batches, whose order may be any.
        validation_data: a pair, batches or None.

    Raises:
        InputError, ShapeError: as `gathered`, or if there are weights of batches.
    """
    if y is None:
        if sample_weight is not None:
            raise InputError(
                "sample_weight belongs to rows in a known order; give x and y as arrays with it."
            )
        x, y = gathered("x", x)
    if _comes_in_batches(validation_data) and not isinstance(validation_data, tuple | list):
        validation_data = gathered("validation_data", validation_data)
    return x, y, validation_data


def gathered(name: str, batches: Iterable[Any]) -> tuple[Any, Any]:
    """All batches as one pair of inputs and targets.

    Args:
        name: of the argument, for messages.
        batches: pairs ``(B, ...)`` and ``(B,)`` or ``(B, D)`` of tensors, arrays, lists or data frames; they
            may be of different sizes.

    Raises:
        InputError: if these are no batches, there is none, one differs from the first in kind or columns, or
            together they take more than `ebm.fitting.tables.MOST_BYTES` as float64; none is asked for then.
        ShapeError: if rows differ in shape, or inputs and targets in number.
    """
    if not _comes_in_batches(batches):
        raise InputError(
            f"{name} is a {type(batches).__name__} without y; give x and y, or an iterable of batches "
            "(x, y), such as a DataLoader."
        )
    xs: list[Any] = []
    ys: list[Any] = []
    numbers = 0
    for place, batch in enumerate(batches):
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise InputError(f"batch {place} of {name} is no pair (x, y), it is a {type(batch).__name__}.")
        if any(isinstance(part, Censored) for part in batch):
            raise InputError(
                f"batch {place} of {name} has censored targets, which are not joined: give x and one "
                "ebm.Censored of all rows."
            )
        parts = [part.detach().cpu() if isinstance(part, Tensor) else part for part in batch]
        shapes = [_shape(name, place, part) for part in parts]
        if shapes[0][0] != shapes[1][0]:
            raise ShapeError(f"batch {place} of {name} has {shapes[0][0]} inputs and {shapes[1][0]} targets.")
        for known, part in ((xs, parts[0]), (ys, parts[1])):
            _require_like_first(name, place, known, part)
            known.append(part)
        numbers += sum(map(math.prod, shapes))
        if 8 * numbers > tables.MOST_BYTES:
            raise InputError(
                f"{name} takes more than {tables.MOST_BYTES / 2**30:g} GiB by batch {place}, {numbers} "
                "numbers of 8 bytes, and a fit holds all rows in memory; give fewer, such as a sample."
            )
    if not xs:
        raise InputError(f"{name} gave no batch; a generator gives its batches only once.")
    return _joined(xs), _joined(ys)


def _comes_in_batches(values: Any) -> bool:
    """Whether it is an iterable, but no table."""
    return hasattr(values, "__iter__") and not (
        hasattr(values, "shape") or hasattr(values, "columns") or isinstance(values, str | bytes | dict)
    )


def _shape(name: str, place: int, part: Any) -> tuple[int, ...]:
    try:
        shape = tuple(part.shape) if hasattr(part, "shape") else np.shape(part)
    except ValueError as error:
        raise ShapeError(f"batch {place} of {name} is ragged: {error}.") from error
    if not shape:
        raise ShapeError(f"batch {place} of {name} holds single values, expected rows (B, F) and (B,).")
    return shape


def _require_like_first(name: str, place: int, known: list[Any], part: Any) -> None:
    if not known:
        return
    first = known[0]
    shapes = [_shape(name, where, one)[1:] for where, one in ((0, first), (place, part))]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"batch {place} of {name} has rows of shape {shapes[1]}, the first one of {shapes[0]}."
        )
    if type(part) is not type(first) or names_of(part) != names_of(first):
        raise InputError(
            f"batch {place} of {name} is a {type(part).__name__} with columns {names_of(part)}, the first "
            f"one a {type(first).__name__} with {names_of(first)}."
        )


def _joined(parts: list[Any]) -> Any:
    """Batches of one kind below each other."""
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    if hasattr(parts[0], "to_numpy"):  # a frame or column, of pandas or polars
        return import_module(type(parts[0]).__module__.partition(".")[0]).concat(parts)
    return np.concatenate([np.asarray(part) for part in parts])
