"""The weights in the package's own folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.integrity.json_files import read_sealed_json
from ebm.lookup import unknown_name
from pytracking.weights.card import ModelCard, read_card

__all__ = ["CARD", "FOLDER", "Shipped", "bare_name", "find_shipped", "shipped", "verify_shipped"]

FOLDER = Path(__file__).parent
_ENDING = ".safetensors"
CARD = ".card.json"


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A file of weights and its card."""

    path: Path
    card: ModelCard

    @property
    def size(self) -> int:
        """Bytes of the weights."""
        return self.path.stat().st_size


def shipped(folder: Path | None = None) -> Iterator[Shipped]:
    """All weights with their cards, by name.

    Args:
        folder: where they are; default the package's.

    Raises:
        InputError: if a card is missing, damaged, or not that of the weights beside it.
    """
    for path in sorted((folder or FOLDER).glob(f"*{_ENDING}")):
        yield _read(path)


def find_shipped(name: str, folder: Path | None = None) -> Shipped | None:
    """The weights of a file name, with or without its ending; None where there are none.

    Raises:
        InputError: if their card is missing, damaged, or not theirs.
    """
    path = (folder or FOLDER) / f"{bare_name(name)}{_ENDING}"
    return _read(path) if path.is_file() else None


def bare_name(name: str) -> str:
    """A file name without the ending of weights."""
    for ending in (_ENDING, ".pth.tar", ".pth", ".pt"):
        name = name.removesuffix(ending)
    return name


def _read(path: Path) -> Shipped:
    """Weights whose card and description state one hash; the file itself is hashed when it is loaded."""
    beside = path.with_name(path.stem + CARD)
    if not beside.is_file():
        raise InputError(f"{path} has no model card {beside.name} beside it; install the package again.")
    card = read_card(beside)
    text = path.with_suffix(".json")
    stated = read_sealed_json(text).get("weights_sha256")
    if card.weights_sha256 != stated or card.name != path.stem:
        raise InputError(
            f"{beside} is the card of {card.name}, sha256 {card.weights_sha256[:12]}..., and {text.name} "
            f"describes weights of {str(stated)[:12]}...; they do not belong together. Install the package "
            "again."
        )
    return Shipped(path=path, card=card)


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
    from ebm.input_statistics import input_statistics
    from pytracking.utils.loading import WeightsChoice, load_tracking_network

    found = find_shipped(name, folder)
    if found is None:
        raise unknown_name("shipped weights", name, [p.stem for p in (folder or FOLDER).glob(f"*{_ENDING}")])
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
