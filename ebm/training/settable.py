"""Fields of a setting changed by name with type checking: ``--set box.beta=0.2``."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from ebm.training.shown import read_shown
from ebm.training.typed import parsed

__all__ = ["Settable"]

T = TypeVar("T")
# (part of a setting, field, path below it, text, whole key) -> its new value, None for the usual rule.
Special = Callable[[Any, str, Sequence[str], str, str], Any]


@dataclass(frozen=True)
class Settable:
    """How the fields of a kind of setting are changed.

    Attributes:
        fixed: fields that name a setting: a changed one must not pose as another.
        short: what one would type -> the field.
        special: a rule for fields that are no parts or values; None for a field that is.
    """

    fixed: tuple[str, ...] = ("name",)
    short: Mapping[str, str] = field(default_factory=dict)
    special: Special = lambda owner, name, rest, text, key: None

    def set_fields(self, recipe: T, assignments: Sequence[str]) -> T:
        """The recipe with fields replaced, in order, and checked when all of them are.

        Args:
            recipe: where to start, a frozen dataclass.
            assignments: ``key=value`` with dotted keys as ``--show`` prints them, e.g. ``box.beta=0.2``,
                ``optimiser.groups.0.lr=1e-4``, ``box.sigmas=((0.05,0.05),(0.5,0.5))``,
                ``box.label_sigma=none``; or ``@FILE``, a file of such lines.

        Raises:
            UnknownNameError: for a field that does not exist, with the nearest ones.
            InputError: for a value of another type, an assignment without ``=``, a file that cannot be read.
            DomainError: if the recipe refuses the values.
        """
        for text in assignments:
            names = {name: getattr(recipe, name) for name in self.fixed}
            lines = read_shown(Path(text[1:]), names) if text.startswith("@") else [text]
            for line in lines:
                recipe = self._assigned(recipe, line)
        return cast(T, _checked(recipe)) if assignments else recipe

    def _assigned(self, recipe: T, assignment: str) -> T:
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise InputError(
                f"--set takes key=value, e.g. batch_size=10, or @FILE with such lines, got {assignment!r}."
            )
        if key in self.fixed:
            raise InputError(f"{key!r} names the setting and cannot be set.")
        return self._with(recipe, self.short.get(key, key).split("."), text, key)

    def _with(self, owner: T, path: Sequence[str], text: str, key: str) -> T:
        """`owner`, a recipe or a part of one, with the field at `path` replaced."""
        if isinstance(owner, tuple):
            return cast(T, self._with_entry(owner, path, text, key))
        assert is_dataclass(owner)
        assert not isinstance(owner, type)
        name, rest = path[0], path[1:]
        known = [field.name for field in fields(owner)]
        if name not in known:
            before = ".".join(key.split(".")[: -len(path)])
            raise unknown_name(f"field of {before}" if before else "field", name, known)
        old = getattr(owner, name)
        value = self.special(owner, name, rest, text, key)
        if value is not None:
            return _exchanged(owner, name, value)
        if rest:
            if not (is_dataclass(old) or isinstance(old, tuple)):
                raise InputError(f"{key!r}: {name} is {old!r} and has no parts.")
            value = self._with(old, rest, text, key)
        else:
            # A part that may be of several kinds is described by the one that it is of.
            hint = type(old) if is_dataclass(old) else get_type_hints(type(owner))[name]
            value = parsed(text, hint, key)
        return _exchanged(owner, name, value)

    def _with_entry(
        self, owner: tuple[Any, ...], path: Sequence[str], text: str, key: str
    ) -> tuple[Any, ...]:
        place, rest = path[0], path[1:]
        if not place.isdigit() or int(place) >= len(owner):
            there = f"entries 0 to {len(owner) - 1}" if owner else "no entries"
            raise InputError(f"{key!r}: there are {there}, not {place!r}.")
        index = int(place)
        old = owner[index]
        value = self._with(old, rest, text, key) if rest else parsed(text, type(old), key)
        return (*owner[:index], value, *owner[index + 1 :])


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
