"""Results of other toolkits written anew as ours: float boxes, tabs, one file a sequence; and the reverse."""

from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Sequence as List
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ebm.lookup import lookup
from pytracking.analysis.irregular import far_from
from pytracking.analysis.sources import FolderSource
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import write_atomic, write_json

__all__ = ["LAYOUTS", "Imported", "import_results"]

PARAMETER = "imported"


@dataclass(frozen=True)
class Imported:
    """What was made of one run.

    Args:
        folder: of the files written.
        sequences: how many.
        missing: names of sequences without a result.
        odd: what a reader must know: ``NAME: 3 rows for 5 frames``.
    """

    folder: Path
    sequences: int
    missing: tuple[str, ...]
    odd: tuple[str, ...]


def import_results(
    sources: List[FolderSource],
    sequences: List[Sequence],
    out: Path,
    *,
    allow_missing: bool = False,
    layout: str = "ours",
) -> list[Imported]:
    """Write results as ``OUT/LABEL/imported/SEQUENCE.txt``, with ``_000`` ... for several runs.

    Args:
        sources: runs of trackers.
        sequences: of the dataset whose names the files get.
        out: a results root.
        allow_missing: import a run that lacks sequences.
        layout: a key of `LAYOUTS`; ``pytracking`` writes ``OUT/TRACKER/PARAM/SEQUENCE.txt``, with ``_000``
            likewise, of a label ``TRACKER/PARAM``.

    Raises:
        InputError: if a label is not as the layout needs it, a run lacks sequences or a file cannot be read,
            or there is something at its place already; nothing of that run is written then.
    """
    place = lookup("layout", layout, LAYOUTS)
    places = [
        place(source.label) for source in sources
    ]  # a name that will not do is told before any is written
    runs: Counter[str] = Counter()
    done = []
    for source, (tracker, parameter) in zip(sources, places, strict=True):
        several = sum(other.label == source.label for other in sources) > 1
        folder = out / tracker / (f"{parameter}_{runs[source.label]:03d}" if several else parameter)
        runs[source.label] += 1
        done.append(_import(source, sequences, folder, allow_missing))
    return done


def _ours(label: str) -> tuple[str, str]:
    return label.replace("/", "_"), PARAMETER


def _pytracking(label: str) -> tuple[str, str]:
    tracker, parameter = label.split("/") if label.count("/") == 1 else ("", "")
    if not tracker or not parameter:
        raise InputError(
            f"PyTracking's results lie in TRACKER/PARAM; name {label!r} so: TRACKER/PARAM={label}."
        )
    return tracker, parameter


LAYOUTS: Mapping[str, Callable[[str], tuple[str, str]]] = {"ours": _ours, "pytracking": _pytracking}


def _import(source: FolderSource, sequences: List[Sequence], folder: Path, allow_missing: bool) -> Imported:
    there = [sequence for sequence in sequences if source.has(sequence)]
    missing = [sequence.name for sequence in sequences if not source.has(sequence)]
    if not there or (missing and not allow_missing):
        raise InputError(
            f"{source.folder.path} has no result of {', '.join(missing[:5])} ({len(missing)} of "
            f"{len(sequences)} sequences); is it of this data set? --allow-missing imports the others."
        )
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is there already; remove it, or choose another --out.")
    tracks = {
        sequence.name: source.boxes(sequence) for sequence in there
    }  # all are read before any is written
    for name, boxes in tracks.items():
        rows = "\n".join("\t".join(f"{value:.10g}" for value in box) for box in boxes)
        write_atomic(folder / f"{name}.txt", f"{rows}\n")
    odd = [note for sequence in there for note in _odd(sequence, tracks[sequence.name])]
    record = {
        "imported_from": str(source.origin or source.folder.path),
        "dataset": sequences[0].dataset,
        "sequences": len(there),
        "missing": missing,
        "odd": odd,
    }
    write_json(folder / "import.json", record)
    return Imported(folder, len(there), tuple(missing), tuple(odd))


def _odd(sequence: Sequence, boxes: np.ndarray) -> list[str]:
    notes = []
    if len(boxes) != len(sequence):
        notes.append(f"{sequence.name}: {len(boxes)} rows for {len(sequence)} frames")
    if not np.isfinite(boxes).all():
        notes.append(f"{sequence.name}: {int((~np.isfinite(boxes).all(axis=1)).sum())} rows are not finite")
    elif far_from(boxes[0], sequence.init_box):
        notes.append(f"{sequence.name}: the first row is far from the initial box")
    return notes
