"""Parameter sets as JSON can hold them, and back."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ebm.exceptions import InputError
from pytracking.parameter.base import Augmentation
from pytracking.parameter.dimp_params import DiMPParams

__all__ = ["as_values", "from_values"]


def as_values(params: DiMPParams) -> dict[str, Any]:
    """Every parameter by its name; tuples become lists, an infinite number the text ``inf`` or ``-inf``."""
    return {name: _plain(value) for name, value in params.as_dict().items()}


def from_values(values: Mapping[str, Any]) -> DiMPParams:
    """The parameter set of some values; a parameter that they do not name has its default.

    Raises:
        InputError: for a name that is no parameter, or a value that none can have.
    """
    given = {name: _restored(value) for name, value in values.items()}
    unknown = sorted(given.keys() - {field.name for field in fields(DiMPParams)})
    if unknown:
        raise InputError(f"It has parameters that this version does not know: {', '.join(unknown)}.")
    try:
        augmentation = Augmentation(**given.pop("augmentation", {}))
        return DiMPParams(**given, augmentation=augmentation)
    except (TypeError, ValueError) as error:
        raise InputError(f"Its parameters cannot be used: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Augmentation):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _restored(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _restored(item) for name, item in value.items()}
    if isinstance(value, list):
        return tuple(_restored(item) for item in value)
    return float(value) if value in ("inf", "-inf") else value
