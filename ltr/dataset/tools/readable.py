"""Which sequences of a dataset cannot be packed, found before anything is copied."""

from pathlib import Path

from ltr.data.video import VideoDataset
from ltr.dataset.opening import detect_kind
from ltr.dataset.tools.faults import Report
from ltr.dataset.tools.layouts import check_dataset

__all__ = ["unpackable"]

# Faults of a sequence that can be copied as it is: training leaves such a sequence out, or such frames.
_COPIED = frozenset({"NaN box", "no usable box", "never visible", "box outside image"})


def unpackable(
    dataset: VideoDataset, path: Path, kind: str | None, split: str | None
) -> tuple[Report, set[str]]:
    """Check a dataset for what keeps it from being packed.

    Args:
        dataset: the reader that is to be packed.
        path: its root or file.
        kind: its layout; None: what lies there decides.
        split: part of it; None: what the reader takes then.

    Returns:
        What the check found, and the sequences of the reader that cannot be read.

    Raises:
        InputError: as `check_dataset`.
    """
    layout = kind or (detect_kind(path) if path.is_dir() else None)
    report = check_dataset(path, layout, split or ("train" if layout == "lasot" else None))
    known = {dataset.sequence_name(index) for index in range(len(dataset))}
    broken = {f.sequence for f in report.faults if f.sequence in known and f.kind not in _COPIED}
    return report, broken
