"""Text as a value of the type that a field asks for; whatever else it is, is refused."""

import ast
import collections.abc
import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

from ebm.exceptions import InputError
from ebm.lookup import unknown_name

__all__ = ["parsed"]

_WORDS = {"none": None, "null": None, "true": True, "false": False}
_NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    types.NoneType: "none",
}


def parsed(text: str, hint: Any, key: str) -> Any:
    """`text` as the type `hint`: whole numbers pass for numbers, lists for tuples, a word for itself.

    Args:
        text: a Python or JSON literal, or a word.
        hint: the field's type.
        key: the field, for messages.

    Raises:
        InputError: if it is of another type.
        UnknownNameError: if it is none of the words that the field knows.
    """
    if text.lower() in _WORDS:
        return _converted(_WORDS[text.lower()], hint, key)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    return _converted(value, hint, key)


def _converted(value: Any, hint: Any, key: str) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _as_one_of(value, get_args(hint), hint, key)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise unknown_name(f"value of {key}", str(value), map(str, get_args(hint)))
    if hint == tuple[str, ...] and isinstance(value, str):
        # The shell takes quotes away: [conv1, bn1] and conv1,bn1 are meant as lists of words.
        value = tuple(word.strip(" '\"") for word in value.strip("[]()").split(",") if word.strip())
    if origin is tuple and is_dataclass(part := get_args(hint)[0]):
        if value in ((), []):
            return ()
        names = " or ".join(f"{key}.0.{field.name}" for field in fields(part))
        raise InputError(f"{key} is a list of parts; set one of their fields, e.g. {names}.")
    if origin in (tuple, collections.abc.Sequence) and isinstance(value, tuple | list):
        return _as_tuple(value, origin, get_args(hint), hint, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is types.NoneType and value is None:
        return None
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    if isinstance(hint, type) and is_dataclass(hint):
        names = ", ".join(f"{key}.{field.name}" for field in fields(hint))
        raise InputError(f"{key} has parts; set one of them: {names}.")
    raise _refusal(value, hint, key)


def _as_one_of(value: Any, hints: Sequence[Any], whole: Any, key: str) -> Any:
    for hint in hints:
        try:
            return _converted(value, hint, key)
        except (InputError, ValueError):
            continue
    raise _refusal(value, whole, key)


def _as_tuple(value: Sequence[Any], origin: Any, hints: Sequence[Any], whole: Any, key: str) -> Any:
    if origin is not tuple or (len(hints) == 2 and hints[1] is Ellipsis):
        hints = [hints[0]] * len(value)
    if len(hints) != len(value):
        raise _refusal(value, whole, key)
    try:
        return tuple(_converted(entry, hint, key) for entry, hint in zip(value, hints))
    except InputError as error:
        raise _refusal(value, whole, key) from error


def _refusal(value: Any, hint: Any, key: str) -> InputError:
    return InputError(f"{key} must be {_describe(hint)}, got {value!r}.")


def _describe(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(part) for part in arguments)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return f"({', '.join(_describe(part) for part in arguments)})"
    if origin in (tuple, collections.abc.Sequence):
        return f"a list of {_describe(arguments[0])}, e.g. ({_example(arguments[0])},)"
    return "none" if hint is types.NoneType else _NAMES.get(hint, str(hint))


def _example(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"({', '.join(_example(part) for part in get_args(hint))})"
    return {int: "1", float: "0.1", str: "a"}.get(hint, "...")
