"""What a network states about itself takes the place of the parameter set's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ebm.exceptions import InputError
from pytracking.parameter.base import CropParams

__all__ = ["adopt_geometry"]

P = TypeVar("P", bound=CropParams)

GEOMETRY = {  # key of the checkpoint's net_info -> parameter
    "image_sample_size": "image_sample_size",
    "search_area_scale": "search_area_scale",
    "crop_type": "border_mode",
    "max_scale_change": "patch_max_scale_change",
}
OWN = ("box_scores", "density_temperature", "presence_power")  # keys and parameters of the box branch


def adopt_geometry(params: P, info: Mapping[str, Any] | None) -> tuple[P, tuple[str, ...]]:
    """Replace crop parameters, and what is known of the box branch's scores, by what the network states.

    Args:
        params: the parameter set.
        info: the network's ``info``, from the checkpoint's ``net_info``; None or without the keys changes
            nothing.

    Returns:
        The parameters in force, and sentences on what was overridden.

    Raises:
        InputError: if the checkpoint states a geometry that no tracker can use.
    """
    if not isinstance(info, Mapping):
        return params, ()
    own = {name: info[name] for name in OWN if name in info and hasattr(params, name)}
    params = _replaced(params, own) if own else params
    if not params.geometry_from_network:
        return params, ()
    stated = {field: info[key] for key, field in GEOMETRY.items() if key in info}
    changed = {field: value for field, value in stated.items() if value != getattr(params, field)}
    if not changed:
        return params, ()
    adopted = _replaced(params, changed)
    parts = [f"{field} {value} (parameter set: {getattr(params, field)})" for field, value in changed.items()]
    return adopted, (f"Crop geometry is the checkpoint's: {', '.join(parts)}.",)


def _replaced(params: P, changed: Mapping[str, Any]) -> P:
    try:
        return replace(params, **changed)
    except ValueError as error:
        raise InputError(f"The checkpoint's net_info cannot be used: {error}") from error
