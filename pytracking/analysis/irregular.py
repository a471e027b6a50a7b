"""What is odd about result files: numbers of rows, first rows, boxes without area."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pytracking.analysis.metrics import iou
from pytracking.analysis.protocols import Protocol
from pytracking.evaluation.data import Sequence

__all__ = ["SUMMARIES", "Irregularity", "far_from", "irregularities", "summary_of"]

_NEAR_OVERLAP = 0.5  # IoU of the first row with the initial box
_NEAR_PIXELS = 2.0  # and what counting from 0 or 1, or rounding, may add to each number
_BROKEN = {"previous": "repeat the box before", "miss": "fail", "error": "are refused"}
_SHOWN = 5  # sequences named for each kind

SUMMARIES = {  # kind -> what is said of the sequences that have it
    "short": "fewer rows than frames (frames without a row fail)",
    "long": "more rows than frames (the last rows are left out)",
    "far": "a first row far from the initial box (another video's result, or other frames?)",
    "empty": "boxes without area",
    "broken": "rows that are no boxes (NaN, or a negative size)",
    "other data": "been made on other images or another annotation than these",
}


@dataclass(frozen=True)
class Irregularity:
    """One odd thing about the result of one sequence."""

    kind: str  # a key of `SUMMARIES`
    sequence: str
    detail: str


def far_from(box: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a result's first row cannot be the initial box: xywh, px, ``[4]`` each."""
    if np.abs(box - truth).max() <= _NEAR_PIXELS:
        return False
    return not bool(iou(box[None], truth[None])[0] >= _NEAR_OVERLAP)


def irregularities(boxes: np.ndarray, sequence: Sequence, protocol: Protocol) -> list[Irregularity]:
    """What is odd about a result.

    Args:
        boxes: as saved, xywh, px, ``[P, 4]``.
        sequence: what it is to be the result of.
        protocol: the rules it is scored by, which decide what becomes of boxes without area.
    """
    found = []
    rows, frames = len(boxes), len(sequence)
    if rows != frames:
        kind = "short" if rows < frames else "long"
        found.append(Irregularity(kind, sequence.name, f"{rows} rows for {frames} frames"))
    first, initial = boxes[0], sequence.init_box
    if far_from(first, initial):
        found.append(
            Irregularity(
                "far", sequence.name, f"{_show(first)} for {_show(initial)}{_reading(boxes, sequence)}"
            )
        )
    if not (np.isfinite(boxes.sum()) and boxes[:, 2:].min() >= 0):
        broken = int((~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1)).sum())
        found.append(Irregularity("broken", sequence.name, f"{broken} {_BROKEN[protocol.broken_box]}"))
    if not boxes[1:, 2:].all():
        empty = int((boxes[1:, 2:] == 0).any(axis=1).sum())
        done = "repeat the box before" if protocol.empty_box == "previous" else "fail"
        found.append(Irregularity("empty", sequence.name, f"{empty} {done}"))
    return found


def _reading(boxes: np.ndarray, sequence: Sequence) -> str:
    """What the rows may be instead, where one can tell."""
    first, initial = boxes[0], sequence.init_box
    if not far_from(np.concatenate([first[:2], first[2:] - first[:2]]), initial):
        return ", which reads like corners x1,y1,x2,y2"
    if not far_from(first[[1, 0, 3, 2]], initial):
        return ", which reads like y,x,h,w: columns are swapped"
    if not far_from(first[[2, 3, 0, 1]], initial):
        return ", which reads like w,h,x,y: columns are swapped"
    extra = len(boxes) - len(sequence)
    if extra > 0 and not far_from(boxes[extra], initial):
        return f"; row {extra + 1} fits: the first {extra} rows are of frames that the benchmark leaves out"
    return ""


def _show(box: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in box.round(2)) + ")"


def summary_of(label: str, found: Iterable[Irregularity], sequences: int) -> list[str]:
    """One sentence a kind: the results of how many sequences have it, and which.

    Args:
        label: the tracker's name.
        found: everything odd about its results.
        sequences: how many there are.
    """
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    for item in found:
        kinds[item.kind].setdefault(item.sequence, item.detail)
    lines = []
    for kind in SUMMARIES:
        if kind in kinds:
            named = [f"{name} ({detail})" if detail else name for name, detail in kinds[kind].items()]
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            lines.append(
                f"{label}: results of {len(named)} of {sequences} sequences have {SUMMARIES[kind]}: "
                f"{', '.join(named[:_SHOWN])}{more}."
            )
    return lines
