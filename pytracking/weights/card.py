"""Model cards: what a file of weights was made from, by whom it may be used, and what it does."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.integrity.json_files import read_sealed_json, write_sealed_json
from ebm.lookup import unknown_name

__all__ = ["ModelCard", "read_card", "write_card"]

FORMAT = "ebmtrack model card 1"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What is known of a file of weights; tables are rows of named cells."""

    name: str
    """Of the file, without its ending."""
    title: str
    tracker: str
    parameters: str
    """Parameter set that the weights were chosen for."""
    weights_sha256: str
    """Of the weights file."""
    licence: str
    """Of the weights, an SPDX name or a sentence."""
    network: str
    """Its constructor."""
    input_mean: tuple[float, float, float]
    """RGB in [0, 1]."""
    input_std: tuple[float, float, float]
    description: str = ""
    data: Sequence[Mapping[str, Any]] = ()
    """What it was trained on: name, count, licence, and whether research terms hold."""
    recipe: str = ""
    """Train setting, ``"module/name"``."""
    command: str = ""
    """Repeats the training."""
    seeds: Sequence[int] = ()
    hardware: str = ""
    hours: float | None = None
    results: Sequence[Mapping[str, Any]] = ()
    """Per sequence."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    failures: Sequence[str] = ()
    """Known ones."""

    def markdown(self) -> str:
        """The card as a page."""
        facts = {
            "Used by": f"`{self.tracker} {self.parameters}`",
            "Licence": self.licence,
            "SHA-256": f"`{self.weights_sha256}`",
            "Network": f"`{self.network}`",
            "Input": f"RGB, mean {_numbers(self.input_mean)}, standard deviation {_numbers(self.input_std)}",
            "Train setting": f"`{self.recipe}`" if self.recipe else "",
            "Repeated by": f"`{self.command}`" if self.command else "",
            "Seeds": _numbers(self.seeds),
            "Hardware": self.hardware,
            "Hours": "" if self.hours is None else f"{self.hours:g}",
        }
        parts = [f"# {self.title}", self.description]
        parts.append("\n".join(f"- {name}: {value}" for name, value in facts.items() if value))
        parts += _section("Data", _table(self.data))
        parts += _section("Results", _table(self.results))
        parts += _section("Calibration", "\n".join(f"- {k}: {v}" for k, v in self.calibration.items()))
        parts += _section("Known failures", "\n".join(f"- {text}" for text in self.failures))
        return "\n\n".join(part for part in parts if part) + "\n"


def write_card(path: Path, card: ModelCard) -> None:
    """Write a card as JSON, sealed, and as a page beside it.

    Raises:
        InputError: if they cannot be written.
    """
    write_sealed_json(path, {"format": FORMAT, **asdict(card)})
    path.with_suffix(".md").write_text(card.markdown(), encoding="utf-8")


def read_card(path: Path) -> ModelCard:
    """The card in a JSON file.

    Raises:
        InputError: if it is missing, damaged or incomplete.
    """
    return card_of(read_sealed_json(path), path)


def card_of(content: Mapping[str, Any], where: Path) -> ModelCard:
    """A card from named values.

    Raises:
        InputError: for another format, or naming what is missing or of another kind.
        UnknownNameError: for a field that a card does not have.
    """
    values = {key: value for key, value in content.items() if key != "format"}
    if content.get("format", FORMAT) != FORMAT:
        raise InputError(f"{where} is in the format {content['format']!r}; this program reads {FORMAT!r}.")
    known = {f.name for f in fields(ModelCard)}
    for name in values:
        if name not in known:
            raise unknown_name("field of a model card", name, known)
    for key in ("input_mean", "input_std"):
        if key in values:
            values[key] = _three(values[key], key, where)
    try:
        return ModelCard(**values)
    except TypeError as error:
        missing = [name for name in list(known) if f"'{name}'" in str(error)]
        raise InputError(
            f"{where} is an incomplete model card; it lacks {', '.join(sorted(missing))}."
        ) from error


def _three(value: Any, key: str, where: Path) -> tuple[float, float, float]:
    numbers = isinstance(value, list | tuple) and all(isinstance(v, float | int) for v in value)
    if not (numbers and len(value) == 3):
        raise InputError(f"{where} states {key} = {value!r}; it must be three numbers.")
    return float(value[0]), float(value[1]), float(value[2])


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _section(title: str, text: str) -> list[str]:
    return [f"## {title}", text] if text else []


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table; columns in the order in which they first come up."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns), *([str(row.get(c, "")) for c in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
