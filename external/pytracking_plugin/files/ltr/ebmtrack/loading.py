"""PyTracking's checkpoints on torch 2.6 and later, which load no class that was not allowed."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["allow_checkpoints", "with_checkpoints"]

# Classes that PyTracking's checkpoints name, besides tensors and standard containers.
CHECKPOINT_CLASSES = (
    ("model_constructor", "NetConstructor"),
    ("settings", "Settings"),
    ("local", "EnvironmentSettings"),
    ("stats", "AverageMeter"),
    ("stats", "StatValue"),
)
# Where these classes live, and where older files say that they do.
PACKAGES = ("ltr.admin", "dlframework.common.utils")
CLONE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def with_checkpoints(load: Callable[..., Any]) -> Callable[..., Any]:
    """`load`, which reads a checkpoint, after the classes in it are allowed."""

    @functools.wraps(load)
    def loaded(*arguments: Any, **options: Any) -> Any:
        allow_checkpoints()
        return load(*arguments, **options)

    return loaded


@functools.lru_cache(maxsize=None)  # noqa: UP033 - also for old Pythons
def allow_checkpoints() -> None:
    """Let `torch.load` rebuild the classes in PyTracking's checkpoints, and run no other code from a file.

    An empty class stands in for one that cannot be imported, so that tracking does not need the training
    side's local.py. The network is built by the function that the file names: of this clone alone.
    """
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        return  # loads everything
    known = []
    for module, name in CHECKPOINT_CLASSES:
        try:
            found = getattr(importlib.import_module(f"{PACKAGES[0]}.{module}"), name)
        except Exception:  # noqa: BLE001 - a user's local.py may fail in any way; only its class is wanted
            # The class only holds paths or figures of the run that wrote the file.
            found = type(name, (), {})
        known += [(found, f"{package}.{module}.{name}") for package in PACKAGES]
        if name == "NetConstructor" and hasattr(found, "get"):
            found.get = _of_this_clone(found.get)
    torch.serialization.add_safe_globals(known)


def _folders_of(package: str) -> list[str]:
    """The folders in which a top-level package or module lies; none for what is built into Python."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return []
    places = list(spec.submodule_search_locations or []) or [spec.origin or ""]
    return [os.path.dirname(os.path.realpath(place)) for place in places if os.path.isabs(place)]


def _of_this_clone(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`NetConstructor.get` for functions in the clone's own packages: a file could name os.system."""

    @functools.wraps(get)
    def checked(self: Any) -> Any:
        package = self.fun_module.split(".")[0]
        known = CLONE in _folders_of(package)
        function = getattr(importlib.import_module(self.fun_module), self.fun_name, None) if known else None
        # What the module itself imported, such as a function of shutil, is not of the clone either.
        if getattr(function, "__module__", None) != self.fun_module:
            raise ValueError(
                f"The checkpoint's network is built by {self.fun_module}.{self.fun_name}, which is not "
                f"of this clone ({CLONE}). A damaged or hostile file may name anything; if this one is "
                f"right, put the package {package!r} into the clone's folder."
            )
        return get(self)

    return checked
