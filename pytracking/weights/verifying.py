"""Weights that are installed with the package, held to everything that their cards promise."""

from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.input_statistics import input_statistics
from ebm.lookup import unknown_name
from pytracking.utils.loading import WeightsChoice, load_tracking_network
from pytracking.weights.shipped import Shipped, find_shipped, shipped_names

__all__ = ["verify_shipped"]


def verify_shipped(name: str, folder: Path | None = None) -> tuple[Shipped, Any]:
    """Weights with every promise checked: hash, card, architecture, finite numbers, normalisation.

    Args:
        name: of the file, with or without its ending.
        folder: where it is; default the package's.

    Returns:
        The weights, and their network.

    Raises:
        UnknownNameError: if there are none of that name, with the nearest.
        InputError: naming the first promise that does not hold.
    """
    found = find_shipped(name, folder)
    if found is None:
        raise unknown_name("shipped weights", name, shipped_names(folder))
    card = found.card
    network = load_tracking_network(WeightsChoice(path=found.path, how="shipped"), card.tracker)
    for what, stated, own in zip(
        ("mean", "standard deviation"), (card.input_mean, card.input_std), input_statistics(network)
    ):
        if any(abs(a - b) > 1e-4 for a, b in zip(stated, own)):
            raise InputError(
                f"The card of {found.path.name} states an input of {what} {_shown(stated)}, and its network "
                f"takes {_shown(own)}."
            )
    built = getattr(network, "constructor", None)
    if built is not None and built.fun_name != card.network:
        raise InputError(
            f"The card of {found.path.name} states the network {card.network}, and the file holds a "
            f"{built.fun_name}."
        )
    return found, network


def _shown(values: tuple[float, float, float]) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"
