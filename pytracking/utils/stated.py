"""Copies of weights that state what was measured for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from pytracking.parameter import find_parameters
from pytracking.parameter.lookup import parameter_sets_of

__all__ = ["set_of_weights", "store_stated"]

_KEPT = ("net_type", "net", "net_ema", "constructor", "epoch", "settings")


def store_stated(path: Path, weights: Path, stated: Mapping[str, Any]) -> None:
    """Write a copy of a weights file, without what only training needs, that states more in ``net_info``.

    Args:
        path: the copy, with a checksum.
        weights: a checkpoint or an export.
        stated: name -> value; replaces values of the same names.

    Raises:
        InputError: if the weights cannot be read.
    """
    from ltr.admin.loading import read_checkpoint, write_checkpoint

    fields = read_checkpoint(weights)
    kept = {key: fields[key] for key in _KEPT if key in fields}
    write_checkpoint(path, kept | {"net_info": dict(fields.get("net_info") or {}) | dict(stated)})


def set_of_weights(
    weights: Path, tracker: str | None = None, parameter: str | None = None
) -> tuple[str, str]:
    """The tracker and the parameter set that a weights file is tracked with.

    Args:
        weights: states its train setting.
        tracker: as given, or None.
        parameter: as given, or None for the first set that looks for checkpoints of this train setting.

    Raises:
        InputError: if the file does not say, or no set, or one of another tracker, looks for such weights.
        UnknownNameError: for a tracker or a set that does not exist.
    """
    if tracker is not None and parameter is not None:
        find_parameters(tracker, parameter)
        return tracker, parameter
    from ltr.admin.loading import read_checkpoint

    settings = read_checkpoint(weights).get("settings")
    if not isinstance(settings, Mapping) or not {"module", "name"} <= set(settings):
        raise InputError(
            f"{weights} does not say by which train setting it was made; name the parameter set with "
            "--tracker dimp --parameter NAME."
        )
    setting = f"{settings['module']}/{settings['name']}"
    found = [pair for pair in parameter_sets_of(setting) if tracker in (None, pair[0])]
    if not found:
        raise InputError(
            f"No parameter set looks for weights of the train setting {setting} ({weights}); name one with "
            "--tracker and --parameter."
        )
    return found[0] if parameter is None else (found[0][0], parameter)
