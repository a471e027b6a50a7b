"""What a check finds: faults and notes with the sequence's name, as a table and as JSON."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["WHOLE", "Finding", "Report", "first_few"]

WHOLE = "-"  # sequence of what is found in the dataset itself
_SHOWN = 5  # names of each kind of note


def first_few(items: Sequence[object], shown: int = _SHOWN) -> str:
    """The first of some things, and how many there are in all."""
    more = f" ... ({len(items)} in all)" if len(items) > shown else ""
    return ", ".join(str(item) for item in items[:shown]) + more


@dataclass(frozen=True)
class Finding:
    """One thing found in one sequence, or in the dataset itself (sequence: ``-``)."""

    sequence: str
    kind: str
    detail: str
    note: bool = False  # worth knowing; training copes with it


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check has found."""

    dataset: str
    root: str
    deep: bool
    sequences: int
    frames: int
    seconds: float
    findings: tuple[Finding, ...] = field(default=())
    counted: tuple[str, str] = ("sequence", "frame")  # what `sequences` and `frames` are

    @property
    def faults(self) -> list[Finding]:
        """What must be repaired or left out."""
        return [finding for finding in self.findings if not finding.note]

    @property
    def notes(self) -> list[Finding]:
        """What is only worth knowing."""
        return [finding for finding in self.findings if finding.note]

    def to_json(self) -> dict[str, Any]:
        """Everything, for a JSON file."""
        return asdict(self) | {"faults": len(self.faults), "notes": len(self.notes)}

    def to_text(self, all_notes: bool = False) -> str:
        """Table of the faults, summary of the notes, counts."""
        lines = [f"{self.dataset} at {self.root}"]
        if self.faults:
            lines += ["", *_table(self.faults)]
        if self.notes:
            lines += ["", "notes (training copes with these):"]
            lines += [f"  {row}" for row in (_table(self.notes) if all_notes else _summary(self.notes))]
        bad = len({finding.sequence for finding in self.faults})
        how = "every image decoded" if self.deep else "images not decoded; --deep does"
        result = (
            f"{_count(len(self.faults), 'fault')} in {_count(bad, self.counted[0])}" if bad else "no faults"
        )
        size = f"{_count(self.sequences, self.counted[0])}, {_count(self.frames, self.counted[1])}"
        return "\n".join([*lines, "", f"{size}, {self.seconds:.1f} s ({how}): {result}."])


def _count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _table(findings: Sequence[Finding]) -> list[str]:
    """Columns sequence, kind, detail."""
    rows = [("sequence", "what", "detail"), *((f.sequence, f.kind, f.detail) for f in findings)]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in rows]


def _summary(notes: Sequence[Finding]) -> list[str]:
    """One line for each kind: how many, and the first names; what is said of the whole dataset in full."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for note in notes:
        kinds[note.kind].append(note.detail if note.sequence == WHOLE else note.sequence)
    return [f"{kind}: {first_few(names)}" for kind, names in kinds.items()]
