"""Recipe fields changed by name with type checking, ``--set box.beta=0.2``, and the recipe as text."""

import ast
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from ltr.train_settings.compare import flat_differences, flatten
from ltr.train_settings.recipe import TrainRecipe

__all__ = ["set_fields", "show_recipe"]

T = TypeVar("T")

# What names an experiment rather than describes it: a changed recipe must not pose as another one.
_FIXED = ("module", "name")


def set_fields(recipe: TrainRecipe, assignments: Sequence[str]) -> TrainRecipe:
    """The recipe with fields replaced, in order.

    Args:
        recipe: where to start.
        assignments: ``key=value`` with dotted keys as `show_recipe` prints them, e.g. ``box.beta=0.2``,
            ``optimiser.groups.0.lr=1e-4``, ``box.sigmas=((0.05,0.05),(0.5,0.5))``, ``box.label_sigma=none``.

    Raises:
        UnknownNameError: for a field that does not exist, with the nearest ones.
        InputError: for a value of another type, or an assignment without ``=``.
        DomainError: if the recipe refuses the value.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals:
            raise InputError(f"--set takes key=value, e.g. batch_size=10, got {assignment!r}.")
        if key in _FIXED:
            raise InputError(f"{key!r} names the setting and cannot be set.")
        recipe = _with(recipe, key.split("."), text.strip(), key)
    return recipe


def _with(owner: T, path: Sequence[str], text: str, key: str) -> T:
    """`owner`, a recipe or a part of one, with the field at `path` replaced."""
    if isinstance(owner, tuple):
        return _with_entry(owner, path, text, key)
    if isinstance(owner, Mapping):
        known = dict(owner)
        if len(path) != 1 or path[0] not in known:
            raise unknown_name(f"entry of {key.rpartition('.')[0]}", path[0], known)
        value = _converted(_literal(text), type(known[path[0]]), key)
        return known | {path[0]: value}  # type: ignore[return-value]
    assert is_dataclass(owner)
    assert not isinstance(owner, type)
    name, rest = path[0], path[1:]
    known_fields = [field.name for field in fields(owner)]
    if name not in known_fields:
        before = key.split(".")[: -len(path)]
        raise unknown_name(f"field {'.'.join(before)}".strip() if before else "field", name, known_fields)
    old = getattr(owner, name)
    if rest:
        if not (is_dataclass(old) or isinstance(old, tuple | Mapping)):
            raise InputError(f"{key!r}: {name} is {old!r} and has no parts.")
        return replace(owner, **{name: _with(old, rest, text, key)})
    # A part that may be of several kinds is described by the one that it is of.
    hint = type(old) if is_dataclass(old) else get_type_hints(type(owner))[name]
    return replace(owner, **{name: _converted(_literal(text), hint, key)})


def _with_entry(owner: tuple[Any, ...], path: Sequence[str], text: str, key: str) -> Any:
    place, rest = path[0], path[1:]
    if not place.isdigit() or int(place) >= len(owner):
        raise InputError(f"{key!r}: there are entries 0 to {len(owner) - 1}, not {place!r}.")
    index = int(place)
    old = owner[index]
    value = _with(old, rest, text, key) if rest else _converted(_literal(text), type(old), key)
    return (*owner[:index], value, *owner[index + 1 :])


def _literal(text: str) -> Any:
    """A Python or JSON literal; a word stands for itself."""
    words = {"none": None, "null": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _converted(value: Any, hint: Any, key: str) -> Any:
    """`value` as the type a field asks for; whole numbers pass for floats, lists for tuples."""
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _as_one_of(value, get_args(hint), hint, key)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise unknown_name(f"value of {key}", str(value), map(str, get_args(hint)))
    if origin is tuple and isinstance(value, tuple | list):
        return _as_tuple(value, get_args(hint), hint, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is types.NoneType and value is None:
        return None
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    if isinstance(hint, type) and is_dataclass(hint):
        names = ", ".join(f"{key}.{field.name}" for field in fields(hint))
        raise InputError(f"{key} has parts; set one of them: {names}.")
    raise InputError(f"{key} must be {_describe(hint)}, got {value!r}.")


def _as_one_of(value: Any, hints: Sequence[Any], whole: Any, key: str) -> Any:
    for hint in hints:
        try:
            return _converted(value, hint, key)
        except (InputError, ValueError):
            continue
    raise InputError(f"{key} must be {_describe(whole)}, got {value!r}.")


def _as_tuple(value: Sequence[Any], hints: Sequence[Any], whole: Any, key: str) -> tuple[Any, ...]:
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = [hints[0]] * len(value)
    if len(hints) != len(value):
        raise InputError(f"{key} must be {_describe(whole)}, got {value!r}.")
    return tuple(_converted(entry, hint, key) for entry, hint in zip(value, hints))


def _describe(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_describe(part) for part in get_args(hint))
    return names.get(hint, "none" if hint is types.NoneType else str(hint).replace("typing.", ""))


def show_recipe(recipe: TrainRecipe, origin: TrainRecipe | None = None) -> str:
    """The resolved recipe, one ``key = value`` a line, keys as `set_fields` takes them.

    Args:
        recipe: the recipe.
        origin: the setting it was made from; what differs is marked with the value there.
    """
    leaves = flatten(recipe.plain())
    changed = {} if origin is None else flat_differences(origin.plain(), recipe.plain())
    width = max(map(len, leaves))
    lines = []
    for key, value in leaves.items():
        note = f"    # {changed[key][0]!r} in {recipe.module}/{recipe.name}" if key in changed else ""
        lines.append(f"{key:<{width}} = {value!r}{note}")
    return "\n".join([*lines, f"{'fingerprint':<{width}} = {recipe.fingerprint()!r}"])
