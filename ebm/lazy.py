"""Packages whose public names are imported when they are first used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, names: dict[str, Any], homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``.

    Args:
        package: its name, for the error.
        names: its ``globals()``, which take what was imported.
        homes: the modules that define the public names.
    """
    module_of = {name: module for module, own in homes.items() for name in own}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        names[name] = getattr(import_module(module_of[name]), name)
        return names[name]

    return get, lambda: sorted({*names, *module_of})
