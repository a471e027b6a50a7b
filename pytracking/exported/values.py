"""Parameter sets as JSON can hold them, and back."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ebm.exceptions import InputError
from pytracking.parameter.atom_params import ATOMParams
from pytracking.parameter.base import Augmentation
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.parameter.tracking_params import TrackingParams

__all__ = ["KINDS", "as_values", "from_values"]

KINDS: Mapping[str, type[TrackingParams]] = {"dimp": DiMPParams, "atom": ATOMParams}


def as_values(params: TrackingParams) -> dict[str, Any]:
    """Every parameter by its name; tuples become lists, an infinite number the text ``inf`` or ``-inf``."""
    return {name: _plain(value) for name, value in params.as_dict().items()}


def from_values(values: Mapping[str, Any], tracker: str = "dimp") -> TrackingParams:
    """The parameter set of some values; a parameter that they do not name has its default.

    Args:
        values: by name, as of `as_values`.
        tracker: whose parameters they are, a key of `KINDS`.

    Raises:
        InputError: for a name that is no parameter, or a value that none can have.
    """
    given = {name: _restored(value) for name, value in values.items()}
    kind = KINDS[tracker]
    unknown = sorted(given.keys() - {field.name for field in fields(kind)})
    if unknown:
        raise InputError(f"It has parameters that this version does not know: {', '.join(unknown)}.")
    try:
        if "augmentation" in given:
            given["augmentation"] = Augmentation(**given["augmentation"])
        return kind(**given)
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
