"""Boxes of one result file, whatever toolkit wrote it: text, or MATLAB's .mat of OTB and UAV123."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from pytracking.evaluation.annotation_formats import read_polygons

__all__ = ["RESULT_FILES", "read_confidences", "read_result"]

RESULT_FILES = (".txt", ".csv", ".mat")


def read_result(path: Path) -> np.ndarray:
    """The boxes of a result file, xywh, px, float64 ``[T, 4]``.

    Args:
        path: text with four numbers a line (or corners of polygons, whose bounding rectangles are taken),
            separated by tabs, commas or blanks; or a ``.mat`` file of the OTB or UAV123 toolkit.

    Raises:
        InputError: if it is none of these.
        MissingPackageError: if it is a ``.mat`` file and SciPy is not installed.
    """
    return _read_mat(path) if path.suffix.lower() == ".mat" else read_polygons(path)


def read_confidences(path: Path, frames: int) -> np.ndarray | None:
    """How sure a tracker is that the target is there, ``[T]``, from the file beside its boxes.

    Args:
        path: the file of the boxes.
        frames: T; PyTracking leaves a single number of ATOM and DiMP, which says nothing.
    """
    for suffix in ("_object_presence_scores", "_scores", "_confidence"):
        file = path.with_name(f"{path.stem}{suffix}.txt")
        if file.is_file():
            try:
                scores = np.loadtxt(file, usecols=0, ndmin=1)
            except ValueError:
                return None
            return scores if len(scores) == frames and np.isfinite(scores).all() else None
    return None


def _read_mat(path: Path) -> np.ndarray:
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError as error:
        raise explain_missing("results in MATLAB's .mat files", "scipy") from error
    try:
        content = loadmat(str(path), squeeze_me=True, struct_as_record=False)
    except NotImplementedError as error:
        raise InputError(f"{path} is a .mat file of version 7.3; save it in MATLAB with '-v7'.") from error
    except Exception as error:  # whatever its parser stumbles over
        raise InputError(f"{path} is no whole .mat file ({type(error).__name__}: {error}).") from error
    content = {key: value for key, value in content.items() if not key.startswith("__")}
    runs = list(_runs(content.get("results", next(iter(content.values()), None))))
    if len(runs) != 1:
        kinds = "nothing that is a track" if not runs else f"{len(runs)} tracks (of TRE or SRE?)"
        raise InputError(f"{path} holds {kinds}; expected one, as one-pass evaluation (OPE) leaves it.")
    boxes = np.asarray(runs[0], dtype=np.float64)
    return boxes.reshape(-1, 4)


def _runs(value: Any) -> Iterator[np.ndarray]:
    """The tracks in what a .mat file holds: structures with ``res`` of type rect, or plain arrays."""
    if hasattr(value, "_fieldnames"):
        kind = str(getattr(value, "type", "rect"))
        if "res" in value._fieldnames and kind == "rect":
            yield from _runs(value.res)
        elif "res" in value._fieldnames:
            raise InputError(f"A track of type {kind!r} is no rows of boxes; save it as 'rect'.")
    elif isinstance(value, np.ndarray) and value.dtype == object:
        for item in value.ravel():
            yield from _runs(item)
    elif isinstance(value, np.ndarray) and value.shape[-1:] == (4,) and value.dtype.kind in "fiu":
        yield value
