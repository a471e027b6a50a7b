"""Fields of a setting changed by name with type checking: ``--set box.beta=0.2``."""

from collections.abc import Mapping, Sequence
from typing import Any

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from ebm.training.settable import Settable
from ebm.training.typed import parsed
from ltr.train_settings.build import network_arguments
from ltr.train_settings.recipe import NetworkRecipe, TrainRecipe
from ltr.train_settings.shown import FIXED

__all__ = ["set_fields"]

SHORT = {"network.backbone": "network.kwargs.backbone"}


def set_fields(recipe: TrainRecipe, assignments: Sequence[str]) -> TrainRecipe:
    """The recipe with fields replaced, see `ebm.training.settable.Settable.set_fields`.

    An argument of the network is set as ``network.kwargs.NAME``.
    """
    return Settable(FIXED, SHORT, _argument).set_fields(recipe, assignments)


def _argument(owner: Any, name: str, path: Sequence[str], text: str, key: str) -> Mapping[str, Any] | None:
    """The network's arguments with one of them replaced or added; None for any other field."""
    if not (isinstance(owner, NetworkRecipe) and name == "kwargs"):
        return None
    known = network_arguments(owner.constructor)
    if len(path) != 1:
        raise InputError(f"{key!r}: set one argument of the network, e.g. network.kwargs.{min(known)}.")
    if path[0] not in known:
        raise unknown_name(f"argument of {owner.constructor}", path[0], known)
    return {**owner.kwargs, path[0]: parsed(text, known[path[0]], key)}
