"""Settings in numbers of NumPy, arrays and tensors, as the numbers of Python that they are."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeAlias, get_args, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.exceptions import DomainError

__all__ = [
    "labels_like",
    "Numbers",
    "listed",
    "no_number",
    "number_tensor",
    "plain",
    "plain_fields",
    "require_no_text",
    "require_number",
    "require_truth",
    "unmasked",
]

Numbers: TypeAlias = float | Sequence[float] | Tensor


def plain(value: Any) -> Any:
    """A number of NumPy, a 0-d array or a 0-d tensor as Python's; arrays and sequences as lists of such.

    Everything else is returned as it is.
    """
    if hasattr(value, "tolist"):  # scalars and arrays of NumPy, tensors, columns of pandas
        return value.tolist()
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def listed(value: Any) -> list[Any]:
    """One value or several, `plain`, as a list."""
    given = plain(value)
    return given if isinstance(given, list) else [given]


def plain_fields(config: Any) -> None:
    """Have a frozen dataclass hold Python's numbers, whatever kinds of number it was given; lists as tuples.

    Raises:
        DomainError: (a ValueError) if text stands where the annotation allows none.
    """
    texts = _text_fields(type(config))
    for field in fields(config):
        value = _tupled(plain(getattr(config, field.name)))
        if field.name not in texts:
            require_no_text(field.name, value)
        object.__setattr__(config, field.name, value)


def require_number(name: str, value: Any) -> float:
    """`value` as a number of Python, an integer as an integer; NaN and infinity are numbers too.

    Raises:
        DomainError: (a ValueError) if it is none: text, a truth value, several numbers, nothing.
    """
    if type(value) is float or type(value) is int:
        return value
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise no_number(name, value)
    return number


def require_truth(name: str, value: Any) -> bool:
    """`value` as a truth value of Python; those of NumPy and tensors are some too.

    Raises:
        DomainError: (a ValueError) if it is none: text, a number, several values, nothing.
    """
    truth = plain(value)
    if not isinstance(truth, bool):
        raise DomainError(f"{name} must be True or False, got {value!r}.")
    return truth


def require_no_text(name: str, value: Any) -> None:
    """Refuse text among what `plain` returned: where numbers are expected, it is not read as one.

    Raises:
        DomainError: (a ValueError) naming the first text.
    """
    for entry in value if isinstance(value, list | tuple) else [value]:
        if isinstance(entry, list | tuple):
            require_no_text(name, entry)
        elif isinstance(entry, str):
            raise no_number(name, entry)


def labels_like(name: str, values: Tensor | NDArray[Any], like: Tensor) -> Tensor:
    """Labels of NumPy, pandas or lists in the dtype and on the device of `like`; a tensor is left as it is.

    Raises:
        DomainError: (a ValueError) if they are no numbers.
    """
    return values if isinstance(values, Tensor) else number_tensor(name, values, like.dtype, like.device)


def number_tensor(
    name: str, value: Any, dtype: torch.dtype, device: torch.device | str | None = None
) -> Tensor:
    """One number or several as a tensor of their shape.

    Raises:
        DomainError: (a ValueError) if `value` is text or something else that holds no numbers.
    """
    try:
        given = value if isinstance(value, Tensor) else plain(value)
        if hasattr(value, "__array__") and not isinstance(value, Tensor):
            given = np.array(unmasked(value))  # quicker than a list, and a copy: the array may be read-only
        return torch.as_tensor(given, dtype=dtype, device=device)
    except (TypeError, ValueError) as error:
        raise no_number(name, value) from error


def unmasked(values: Any) -> Any:
    """A masked array of real numbers with NaN for what is masked; anything else as it is.

    What lies under a mask is no value: NumPy itself drops masks without a word where it converts.
    """
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "biuf" and np.ma.is_masked(values):
        return np.ma.filled(values.astype(np.float64), np.nan)
    return values


def no_number(name: str, value: Any) -> DomainError:
    """The error for something that should have been a number, with the remedy where it is one in quotes."""
    remedy = ""
    if isinstance(value, str):
        try:
            float(value)
            remedy = f"; without quotes it is one: {name}={value}"
        except ValueError:
            pass
    return DomainError(f"{name} must be a number, got {value!r}{remedy}.")


def _text_fields(config: type) -> frozenset[str]:
    """Fields of a dataclass whose annotation allows text, or anything at all."""
    hints = get_type_hints(config)
    return frozenset(name for name, hint in hints.items() if _allows_text(hint))


def _allows_text(hint: Any) -> bool:
    return hint in (str, Any) or isinstance(hint, str) or any(_allows_text(part) for part in get_args(hint))


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value
