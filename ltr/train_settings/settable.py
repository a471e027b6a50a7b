"""Fields of a setting changed by name with type checking: ``--set box.beta=0.2``."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from ltr.train_settings.build import network_arguments
from ltr.train_settings.recipe import NetworkRecipe, TrainRecipe
from ltr.train_settings.shown import FIXED, read_shown
from ltr.train_settings.typed import parsed

__all__ = ["set_fields"]

T = TypeVar("T")

SHORT = {"network.backbone": "network.kwargs.backbone"}  # what one would type -> the field


def set_fields(recipe: TrainRecipe, assignments: Sequence[str]) -> TrainRecipe:
    """The recipe with fields replaced, in order, and checked when all of them are.

    Args:
        recipe: where to start.
        assignments: ``key=value`` with dotted keys as ``--show`` prints them, e.g. ``box.beta=0.2``,
            ``optimiser.groups.0.lr=1e-4``, ``box.sigmas=((0.05,0.05),(0.5,0.5))``, ``box.label_sigma=none``;
            or ``@FILE``, a file of such lines.

    Raises:
        UnknownNameError: for a field that does not exist, with the nearest ones.
        InputError: for a value of another type, an assignment without ``=``, a file that cannot be read.
        DomainError: if the recipe refuses the values.
    """
    for text in assignments:
        lines = read_shown(Path(text[1:]), recipe) if text.startswith("@") else [text]
        for line in lines:
            recipe = _assigned(recipe, line)
    return cast(TrainRecipe, _checked(recipe)) if assignments else recipe


def _assigned(recipe: TrainRecipe, assignment: str) -> TrainRecipe:
    key, equals, text = (part.strip() for part in assignment.partition("="))
    if not equals:
        raise InputError(
            f"--set takes key=value, e.g. batch_size=10, or @FILE with such lines, got {assignment!r}."
        )
    if key in FIXED:
        raise InputError(f"{key!r} names the setting and cannot be set.")
    return _with(recipe, SHORT.get(key, key).split("."), text, key)


def _with(owner: T, path: Sequence[str], text: str, key: str) -> T:
    """`owner`, a recipe or a part of one, with the field at `path` replaced."""
    if isinstance(owner, tuple):
        return cast(T, _with_entry(owner, path, text, key))
    assert is_dataclass(owner)
    assert not isinstance(owner, type)
    name, rest = path[0], path[1:]
    known = [field.name for field in fields(owner)]
    if name not in known:
        before = ".".join(key.split(".")[: -len(path)])
        raise unknown_name(f"field of {before}" if before else "field", name, known)
    old = getattr(owner, name)
    value: Any
    if isinstance(owner, NetworkRecipe) and name == "kwargs":
        value = _with_argument(owner, rest, text, key)
    elif rest:
        if not (is_dataclass(old) or isinstance(old, tuple)):
            raise InputError(f"{key!r}: {name} is {old!r} and has no parts.")
        value = _with(old, rest, text, key)
    else:
        # A part that may be of several kinds is described by the one that it is of.
        hint = type(old) if is_dataclass(old) else get_type_hints(type(owner))[name]
        value = parsed(text, hint, key)
    return _exchanged(owner, name, value)


def _exchanged(owner: T, name: str, value: Any) -> T:
    """`replace` without the checks, since fields that belong together are set one after the other."""
    changed = copy.copy(owner)
    object.__setattr__(changed, name, value)
    return changed


def _checked(value: Any) -> Any:
    """A recipe or a part of one built anew, which checks it."""
    if isinstance(value, tuple):
        return tuple(map(_checked, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(value, **{field.name: _checked(getattr(value, field.name)) for field in fields(value)})


def _with_entry(owner: tuple[Any, ...], path: Sequence[str], text: str, key: str) -> tuple[Any, ...]:
    place, rest = path[0], path[1:]
    if not place.isdigit() or int(place) >= len(owner):
        there = f"entries 0 to {len(owner) - 1}" if owner else "no entries"
        raise InputError(f"{key!r}: there are {there}, not {place!r}.")
    index = int(place)
    old = owner[index]
    value = _with(old, rest, text, key) if rest else parsed(text, type(old), key)
    return (*owner[:index], value, *owner[index + 1 :])


def _with_argument(network: NetworkRecipe, path: Sequence[str], text: str, key: str) -> Mapping[str, Any]:
    """The network's arguments with one of them replaced or added."""
    known = network_arguments(network.constructor)
    if len(path) != 1:
        raise InputError(f"{key!r}: set one argument of the network, e.g. network.kwargs.{min(known)}.")
    if path[0] not in known:
        raise unknown_name(f"argument of {network.constructor}", path[0], known)
    return {**network.kwargs, path[0]: parsed(text, known[path[0]], key)}
