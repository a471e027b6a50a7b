"""A setting as text, ``--show``, and that text read back, ``--set @FILE``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.files import expanded
from ltr.train_settings.recipe import TrainRecipe

__all__ = ["FIXED", "read_shown", "show_recipe"]

FIXED = ("module", "name")  # what names an experiment: a changed setting must not pose as another one
FINGERPRINT = "fingerprint"  # shown, but follows from all others
NOTE = "  # "


def show_recipe(recipe: TrainRecipe, origin: TrainRecipe | None = None) -> str:
    """The resolved setting, one ``key = value`` a line, as `read_shown` and ``--set`` take them.

    Args:
        recipe: the setting.
        origin: the setting it was made from; what differs is marked with the value there.
    """
    lines = _lines(recipe.plain())
    before = lines if origin is None else _lines(origin.plain())
    width = max(map(len, lines))
    text: list[str] = []
    part = None
    for key, value in lines.items():
        head = key.partition(".")[0] if "." in key or key == "classifier" else ""
        text += [""] if part not in (None, head) else []
        part = head
        then = repr(before[key]) if key in before else "not set"
        note = f"{NOTE}{then} in {recipe.module}/{recipe.name}" if before.get(key) != value else ""
        text.append(f"{key:<{width}} = {value!r}{note}")
    steps, cells = recipe.samples_per_epoch // recipe.batch_size, recipe.geometry.feature_size
    return "\n".join(
        [
            *text,
            f"{FINGERPRINT:<{width}} = {recipe.fingerprint()!r}",
            "",
            f"# {steps} steps an epoch, {steps * recipe.schedule.epochs} in all; maps of {cells} x {cells}",
            *(f"# {remark}" for remark in recipe.remarks()),
        ]
    )


def read_shown(file: Path, recipe: TrainRecipe) -> list[str]:
    """The assignments in a file that `show_recipe` gave, edited or not.

    Args:
        file: lines ``key = value``; blank ones and what follows a ``#`` do not count.
        recipe: the setting to which they are meant to apply.

    Raises:
        InputError: if it cannot be read, a line is no assignment, or it is of another setting.
    """
    try:
        lines = expanded(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--set @{file} cannot be read: {error}.") from error
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise InputError(f"{file}, line {number}: expected key = value, found {text!r}.")
        if key in FIXED and value.strip("'\"") != getattr(recipe, key):
            raise InputError(
                f"{file} is of the {key} {value}, but this command trains {recipe.module} {recipe.name}."
            )
        if key not in (*FIXED, FINGERPRINT):
            found.append(f"{key}={value}")
    return found


def _lines(data: Any, prefix: str = "") -> dict[str, Any]:
    """Values by dotted key; a list of numbers or words, however deep, is a value."""
    if isinstance(data, list) and any(isinstance(entry, Mapping) for entry in data):
        data = dict(enumerate(data))
    if not isinstance(data, Mapping):
        return {prefix: data}
    lines: dict[str, Any] = {}
    for key, value in data.items():
        lines |= _lines(value, f"{prefix}.{key}" if prefix else str(key))
    return lines
