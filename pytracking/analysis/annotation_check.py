"""Whether the annotations of a benchmark can be scored against: no images are needed."""

from dataclasses import dataclass

import numpy as np

from ebm.exceptions import EBMError
from pytracking.analysis.extract import annotation_of, ceiling_of
from pytracking.analysis.protocols import protocol_for, rules
from pytracking.analysis.tables import Table
from pytracking.analysis.truths import Truths, has_ground_truth
from pytracking.evaluation.benchmarks import Layout
from pytracking.evaluation.data import Sequence

__all__ = ["AnnotationCheck", "check_annotations"]


@dataclass(frozen=True)
class AnnotationCheck:
    """What was found.

    Args:
        sequences: that can be read.
        faults: name and what is wrong with it, of the others.
        table: a row for each protocol: frames that cannot be scored, and what the annotation itself reaches.
    """

    sequences: int
    faults: tuple[tuple[str, str], ...]
    table: Table


def check_annotations(layout: Layout, title: str) -> AnnotationCheck:
    """Read every annotation of a benchmark, and score it against itself by every rule.

    Args:
        layout: opened so that images need not be there.
        title: of the benchmark.
    """
    whole: list[Sequence] = []
    faults = []
    for name in layout.names():
        if not layout.has(name):
            faults.append((name, "no annotation"))
            continue
        try:
            whole.append(layout.read(name))
        except EBMError as error:
            faults.append((name, str(error)))
    return AnnotationCheck(len(whole), tuple(faults), _table(whole, title, len(faults)))


def _table(sequences: list[Sequence], title: str, faults: int) -> Table:
    scored = [sequence for sequence in sequences if has_ground_truth(sequence.ground_truth)]
    frames = sum(map(len, sequences))
    notes = [f"{len(sequences)} sequences, {frames} frames" + (f"; {faults} faults" if faults else "")]
    if len(scored) < len(sequences):
        notes.append(f"{len(sequences) - len(scored)} sequences have their first box alone.")
    hidden = sum(int((~s.target_visible).sum()) for s in scored if s.target_visible is not None)
    border = sum(int(_at_border(sequence.ground_truth).sum()) for sequence in scored)
    notes.append(f"{hidden} frames with a hidden target, {border} boxes touch the left or top border.")
    rows = [_row(rule, scored) for rule in rules()] if scored else []
    return Table(
        f"{title}: annotations",
        ("Protocol", "cannot be scored", "annotation reaches"),
        tuple(rows),
        tuple(notes),
    )


def _at_border(boxes: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray((boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] <= 0).any(axis=1))


def _row(rule: str, sequences: list[Sequence]) -> tuple[str, str, str]:
    protocol = protocol_for(rule, sequences[0].dataset)
    try:
        truths = Truths([annotation_of(sequence) for sequence in sequences], protocol)
        return rule, str(len(truths.odd)), f"{ceiling_of(truths):.2f}"
    except EBMError as error:
        return rule, "-", str(error)
