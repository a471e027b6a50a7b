"""Results to the archive that a server takes, looked at as the server would before it is there."""

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from pytracking.analysis.sources import BoxSource, FolderSource
from pytracking.evaluation import data
from pytracking.leaderboards.checks import Report, check_archive
from pytracking.leaderboards.findings import is_rejected, said
from pytracking.leaderboards.servers import Server, Target, targets_of

__all__ = ["archive_entry", "pack_results"]

_DATE = (1980, 1, 1, 0, 0, 0)  # of every entry, so that equal results give equal archives


def pack_results(
    sources: Sequence[BoxSource],
    server: Server,
    sequences: Sequence[data.Sequence],
    out: Path,
    *,
    tracker: str,
    shared_times: bool = False,
    repair: bool = False,
    on_sequence: Callable[[], None] = lambda: None,
) -> Report:
    """Write the archive of a tracker's runs; nothing is left behind where a server would reject it.

    Args:
        sources: the runs, as many as the server takes.
        server: a value of `SERVERS`.
        sequences: of the benchmark, all of them.
        out: the archive; replaced.
        tracker: its name, for folders called after it.
        shared_times: take times that were measured with other work beside it.
        repair: where a box has no area, repeat the one before.
        on_sequence: called after each.

    Returns: what `check_archive` has found, warnings at most.

    Raises:
        InputError: naming the result that is missing or would be rejected.
    """
    if len(sources) not in server.runs:
        allowed = " or ".join(map(str, server.runs))
        raise InputError(
            f"{server.title} takes {allowed} run(s); there are {len(sources)}. Name the ones meant."
        )
    for source in sources:
        if missing := [item.name for item in sequences if not source.has(item)]:
            raise InputError(
                f"{source.label} lacks {len(missing)} of the {len(sequences)} sequences of {server.title}, "
                f"first {missing[0]}; run it on them."
            )
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for sequence in sequences:
                for name, text in _files(sources, server, sequence, tracker, shared_times, repair):
                    archive.writestr(archive_entry(name), text)
                on_sequence()
        report = _looked_at(temporary, server, targets_of(server, sequences), repair)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return report


def _looked_at(path: Path, server: Server, targets: Sequence[Target], repaired: bool) -> Report:
    report = check_archive(path, server, targets)
    if is_rejected(report.findings):
        lines = "\n  ".join(said(report.findings))
        no_area = not repaired and any(finding.code == "no-area" for finding in report.findings)
        raise InputError(
            f"{server.title} would reject these results:\n  {lines}\nNothing was written."
            + (" --repair repeats the box before one without area." if no_area else "")
        )
    return report


def archive_entry(name: str) -> zipfile.ZipInfo:
    """An entry without a date: equal results give equal archives."""
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


def _files(
    sources: Sequence[BoxSource],
    server: Server,
    sequence: data.Sequence,
    tracker: str,
    shared_times: bool,
    repair: bool,
) -> Iterator[tuple[str, str]]:
    """Names and texts of the files of a sequence."""
    for run, source in enumerate(sources):
        boxes = source.boxes(sequence)
        boxes = _repaired(boxes) if repair else boxes
        rows = (",".join(f"{value:.{server.decimals}f}" for value in box) for box in boxes)
        yield server.box_file(sequence.name, run, tracker), "".join(f"{row}\n" for row in rows)
    if server.times:
        columns = [_times(source, sequence, shared_times) for source in sources]
        rows = (",".join(f"{value:.8f}" for value in row) for row in np.stack(columns, axis=1))
        yield server.time_file(sequence.name), "".join(f"{row}\n" for row in rows)


def _repaired(boxes: np.ndarray) -> np.ndarray:
    """Boxes without area replaced by the ones before them."""
    fine = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    fine[0] = True  # compared with the initial box, not repaired
    last = np.maximum.accumulate(np.where(fine, np.arange(len(boxes)), 0))
    return np.asarray(boxes[last])


def _times(source: BoxSource, sequence: data.Sequence, shared: bool) -> np.ndarray:
    """Seconds a frame, ``[T]``.

    Raises:
        InputError: if there are none, or they were measured beside other work and that is not accepted.
    """
    if not isinstance(source, FolderSource):
        raise InputError(f"{source.label} has no times; the server asks for them.")
    name = Path(source.place(sequence)).stem
    times = source.folder.times(name)
    if times is None and shared:
        path = source.folder.path / f"{name}_time.txt"
        times = np.loadtxt(path, ndmin=1) if path.is_file() else None
    if times is None:
        raise InputError(
            f"{source.label} has no undisturbed times of {sequence.name}, which the server prints as the "
            "tracker's speed. Run it without --threads; or take the times of the shared run knowingly, with "
            "--shared-times."
        )
    if len(times) != len(source.boxes(sequence)):
        raise InputError(
            f"{source.place(sequence)}: {len(times)} times for its boxes; run the sequence again."
        )
    return times
