"""Names to values, with a suggestion when the name is wrong."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from ebm.exceptions import UnknownNameError

__all__ = ["lookup", "unknown_name"]

T = TypeVar("T")


def unknown_name(kind: str, name: str, known: Iterable[str], remedy: str = "") -> UnknownNameError:
    """The error for a `name` that is not among `known`: nearest names first, a short list otherwise.

    Args:
        kind: what the name stands for, e.g. ``"dataset"``.
        name: the name as given.
        known: the names that exist.
        remedy: a closing sentence on what to do, optional.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        hint = "did you mean " + " or ".join(repr(n) for n in near) + "?"
    elif len(names) <= 20:
        hint = f"known: {', '.join(names) or '(none)'}."
    else:
        hint = f"{len(names)} are known, from {names[0]!r} to {names[-1]!r}."
    return UnknownNameError(f"Unknown {kind} {name!r}; {hint}" + (f" {remedy}" if remedy else ""))


def lookup(kind: str, name: str, known: Mapping[str, T]) -> T:
    """``known[name]``, or an error that names the nearest entries.

    Raises:
        UnknownNameError: if `name` is not a key of `known`.
    """
    if name in known:
        return known[name]
    raise unknown_name(kind, name, known)
