"""The folder of an exported tracker: read, and held to what its description says; no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.integrity.checksums import damaged, sha256_of
from ebm.integrity.json_files import read_sealed_json
from pytracking.exported.names import BOX_GRAPHS, DESCRIPTION, FORMAT, GRAPHS, OPSET
from pytracking.exported.values import from_values
from pytracking.parameter.tracking_params import TrackingParams

if TYPE_CHECKING:
    from ltr.admin.exported import Weights

__all__ = ["ExportedFolder", "read_folder"]

_EXPORT = "write one with: ebmtrack export onnx atom nce_plus_lite --out DIR"


@dataclass(frozen=True, kw_only=True)
class ExportedFolder:
    """An exported tracker on disk; as a string, the sentence a command prints.

    Attributes:
        path: the folder.
        tracker: ``"dimp"`` or ``"atom"``.
        parameter: name of the parameter set.
        params: its values, those that the graphs were made with.
        graphs: file of every graph.
        filter_size: (h, w) of the filter of dimp's classifier, cells; None of atom, whose parameters say it.
        softmax_reg: score of the outcome "nowhere"; None for no such outcome.
        learned: numbers that the network has learned.
        source: name of the checkpoint.
    """

    path: Path
    tracker: str
    parameter: str
    params: TrackingParams
    graphs: Mapping[str, Path]
    filter_size: tuple[int, int] | None
    softmax_reg: float | None
    learned: int
    source: str

    @property
    def how(self) -> str:
        """Where it comes from."""
        return f"exported from {self.source}"

    @property
    def weights(self) -> "Weights":
        """Which of the checkpoint's weights: that was decided when it was exported."""
        return "auto"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is read, the description first."""
        return (self.path / DESCRIPTION, *self.graphs.values())

    def __str__(self) -> str:
        return f"Weights: {self.path} ({self.how}, {self.tracker} {self.parameter})."


def read_folder(path: str | Path) -> ExportedFolder:
    """Read a folder that ``ebmtrack export onnx`` wrote.

    Raises:
        InputError: if the folder, its description or a graph is missing, a file is not the one that was
            written, or the folder is of another version.
    """
    folder = expanded(path)
    text = folder / DESCRIPTION
    if not text.is_file():
        there = folder.is_dir()
        what = f"The folder {folder} has no {DESCRIPTION}" if there else f"There is no folder {folder}"
        raise InputError(f"{what}; an exported tracker is such a folder: {_EXPORT}.")
    about = read_sealed_json(text)
    if about.get("format") != FORMAT or about.get("opset") != OPSET:
        raise InputError(
            f"{text} is in the format {about.get('format')!r} with opset {about.get('opset')!r}, and this "
            f"program reads {FORMAT!r} with opset {OPSET}; export the tracker again."
        )
    try:
        tracker = str(about["tracker"])
        params = from_values(about["parameters"], tracker)
        return ExportedFolder(
            path=folder,
            tracker=tracker,
            parameter=str(about["parameter"]),
            params=params,
            graphs=_verified(folder, about["graphs"], GRAPHS[tracker] + BOX_GRAPHS * params.use_iou_net),
            filter_size=None if tracker == "atom" else _pair(about["filter_size"]),
            softmax_reg=None if about.get("softmax_reg") is None else float(about["softmax_reg"]),
            learned=int(about["network"]["parameters"]),
            source=str(about["network"]["source"]),
        )
    except InputError as error:
        raise InputError(f"{text}: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"{text} is damaged or no description of a tracker: {error!r}.") from error


def _pair(values: Sequence[Any]) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def _verified(folder: Path, graphs: Mapping[str, Any], needed: Sequence[str]) -> dict[str, Path]:
    """The file of every graph, each the one that was written."""
    absent = [name for name in needed if name not in graphs]
    if absent:
        raise InputError(f"It names no graph {', '.join(absent)}, which a tracker needs.")
    files = {name: folder / Path(graph["file"]).name for name, graph in graphs.items()}
    missing = [file.name for file in files.values() if not file.is_file()]
    if missing:
        raise InputError(
            f"{', '.join(missing)} of the exported tracker in {folder} "
            f"{'is' if len(missing) == 1 else 'are'} missing; copy the whole folder."
        )
    for name, file in files.items():
        if sha256_of(file) != graphs[name]["sha256"]:
            raise damaged(file, f"its checksum is not the one in {DESCRIPTION}; or it is of another export")
    return files
