"""The weights in the package's own folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ebm.exceptions import InputError
from ebm.integrity.json_files import read_sealed_json
from pytracking.weights.card import ModelCard, read_card

__all__ = ["CARD", "FOLDER", "Shipped", "bare_name", "find_shipped", "shipped", "shipped_names"]

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


def shipped_names(folder: Path | None = None) -> list[str]:
    """Names of all that lie there, whether or not their cards can be read."""
    return [path.stem for path in (folder or FOLDER).glob(f"*{_ENDING}")]
