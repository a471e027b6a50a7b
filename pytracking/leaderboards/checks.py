"""What a server would reject in an archive, and what it would score wrongly without a word."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from ebm.exceptions import InputError
from pytracking.leaderboards.archives import Archive, look_inside, opened
from pytracking.leaderboards.box_text import against_first, parse_boxes, parse_times, rounding_cost
from pytracking.leaderboards.findings import Finding
from pytracking.leaderboards.servers import SERVERS, Server, Target

__all__ = ["Report", "check_archive", "guess_server"]

_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass
class Report:
    """What was found.

    Args:
        findings: faults, in the order of the archive.
        sequences: how many sequences were looked at.
        runs: runs of each.
        unchecked: what could not be compared, in words.
    """

    findings: list[Finding] = field(default_factory=list)
    sequences: int = 0
    runs: int = 1
    unchecked: str = ""


def guess_server(path: Path) -> str | None:
    """The server that an archive is meant for, by its names; None where these do not tell."""
    if look_inside(path):
        return None
    with opened(path) as archive:
        names = archive.names
    if any(PurePosixPath(name).name.startswith("GOT-10k_Test_") for name in names):
        return "got10k"
    if "manifest.yml" in names:
        return "vot"
    folders = {name.split("/")[0] for name in names if "/" in name}
    lasot = set(SERVERS["lasot"].names())
    if any(folder.endswith("_tracking_result") for folder in folders):
        return "lasot"
    stems = {PurePosixPath(name).stem for name in names}
    if len(stems & lasot) > len(lasot) // 2:
        return "lasot"
    known = SERVERS["trackingnet"].count or 0
    return "trackingnet" if abs(len(stems) - known) <= known // 10 else None


def check_archive(path: Path, server: Server, targets: Sequence[Target]) -> Report:
    """Look at an archive as the server would.

    Args:
        path: of the zip archive; nothing is unpacked to disk.
        server: a value of `SERVERS`.
        targets: the sequences that it asks for; empty where they are not known.

    Raises:
        InputError: if there is no such file.
    """
    report = Report(look_inside(path))
    if report.findings:
        return report
    with opened(path) as archive:
        tracker = _tracker_of(archive, server)
        wanted = targets or _found_targets(archive, server, report)
        report.sequences, report.runs = len(wanted), _runs(archive, server, wanted)
        known = _check_names(archive, server, wanted, tracker, report)
        boxes: list[np.ndarray] = []
        for target in wanted:
            boxes += _check_sequence(archive, server, target, tracker, known, report)
    _tell_rounding(report, boxes)
    report.unchecked = _unchecked(server, targets)
    return report


def _tracker_of(archive: Archive, server: Server) -> str:
    """The tracker that the archive's folder is called after; empty where there is none."""
    if server.layout != "tracker":
        return ""
    tops = {name.split("/")[0] for name in archive.names if "/" in name}
    named = sorted(top for top in tops if top.endswith("_tracking_result"))
    return named[0].removesuffix("_tracking_result") if named else "TRACKER"


def _found_targets(archive: Archive, server: Server, report: Report) -> list[Target]:
    """The sequences that the archive itself names, where nobody else does."""
    stems = {_stem_of(name, server) for name in archive.names if name.endswith(".txt")}
    targets = [Target(stem) for stem in sorted(stems) if stem]
    if server.count is not None and len(targets) != server.count:
        what = f"it has results of {len(targets)} sequences; {server.title} has {server.count}."
        report.findings.append(Finding("count", "", what))
    return targets


def _stem_of(name: str, server: Server) -> str:
    path = PurePosixPath(name)
    return path.parent.name if server.layout == "sequence" else path.stem


def _runs(archive: Archive, server: Server, targets: Iterable[Target]) -> int:
    """The highest number of a run that is there."""
    there = set(archive.names)
    most = 1
    for target in targets if server.layout == "sequence" else ():
        while server.box_file(target.name, most, "") in there:
            most += 1
    return most


def _check_names(
    archive: Archive, server: Server, targets: Sequence[Target], tracker: str, report: Report
) -> set[str]:
    """Compare the files with those that are asked for; those that are there and asked for."""
    wanted = set(_wanted(server, targets, tracker, report.runs))
    if server.layout == "sequence" and report.runs not in server.runs:
        allowed = " or ".join(map(str, server.runs))
        what = f"it has {report.runs} runs; {server.title} takes {allowed}."
        report.findings.append(Finding("runs", "", what))
    there = set(archive.names)
    for name in sorted(wanted - there):
        report.findings.append(_missing(name, there, server))
    moved = {PurePosixPath(name).name for name in wanted - there}
    for name in archive.names:
        if name not in wanted:
            report.findings.append(_extra(name, moved))
    for name in archive.folders if server.layout == "flat" else ():
        what = "the files lie at the top of the archive, without a folder."
        report.findings.append(Finding("extra-folder", name, what))
    return wanted & there


def _wanted(server: Server, targets: Iterable[Target], tracker: str, runs: int) -> Iterator[str]:
    for target in targets:
        yield from (server.box_file(target.name, run, tracker) for run in range(runs))
        if server.times:
            yield server.time_file(target.name)


def _missing(name: str, there: set[str], server: Server) -> Finding:
    base = PurePosixPath(name).name
    elsewhere = next((other for other in sorted(there) if PurePosixPath(other).name == base), None)
    if elsewhere is not None:
        what = f"it is not there, but {elsewhere} is; {_place(server)}."
        return Finding("extra-folder" if elsewhere.count("/") > name.count("/") else "folder", name, what)
    kind = "missing-time" if server.times and base.endswith("_time.txt") else "missing-file"
    return Finding(kind, name, "it is not there.")


def _place(server: Server) -> str:
    return {
        "flat": "files lie at the top of the archive, without a folder",
        "sequence": "the folders of the sequences lie at the top of the archive",
        "tracker": "files lie in the folder TRACKER_tracking_result",
    }[server.layout]


def _extra(name: str, moved: set[str]) -> Finding:
    path = PurePosixPath(name)
    if any(part in _JUNK or part.startswith("._") for part in path.parts):
        return Finding("extra-file", name, "your system has put it there; leave it out (zip -X -x '*/.*').")
    if path.name in moved:
        return Finding("extra-folder", name, "it is in a folder where it does not belong.")
    return Finding("extra-file", name, "the server does not know it; leave it out.")


def _check_sequence(
    archive: Archive, server: Server, target: Target, tracker: str, known: set[str], report: Report
) -> list[np.ndarray]:
    """Look at the files of a sequence; the boxes that are whole numbers."""
    runs: dict[str, np.ndarray] = {}
    whole = []
    for run in range(report.runs):
        name = server.box_file(target.name, run, tracker)
        if name not in known:
            continue
        boxes, found = _read(archive, name, report)
        report.findings += found
        if boxes is not None:
            runs[name] = boxes
            report.findings += _against(name, boxes, target)
            if any(finding.code == "rounded" for finding in found):
                whole.append(boxes)
    report.findings += _against_each_other(runs)
    if server.times and server.time_file(target.name) in known:
        _check_times(archive, server.time_file(target.name), target, runs, report)
    return whole


def _read(archive: Archive, name: str, report: Report) -> tuple[np.ndarray | None, list[Finding]]:
    try:
        return parse_boxes(name, archive.read(name))
    except InputError as error:
        return None, [Finding("damaged", name, str(error))]


def _against(name: str, boxes: np.ndarray, target: Target) -> list[Finding]:
    found = []
    if target.frames is not None and len(boxes) != target.frames:
        what = f"it has {len(boxes)} lines, the sequence {target.frames} frames; every frame has a line."
        found.append(Finding("line-count", name, what))
    if target.init_box is not None and (odd := against_first(name, boxes, target.init_box)) is not None:
        found.append(odd)
    return found


def _against_each_other(runs: dict[str, np.ndarray]) -> list[Finding]:
    """Runs of a sequence are equally long and start from one box."""
    found: list[Finding] = []
    names = list(runs)
    for name in names[1:]:
        if len(runs[name]) != len(runs[names[0]]):
            what = f"it has {len(runs[name])} lines, {names[0]} has {len(runs[names[0]])}."
            found.append(Finding("line-count", name, what))
        elif np.abs(runs[name][0] - runs[names[0]][0]).max() > 0.02:
            found.append(Finding("first-box", name, f"its first line differs from that of {names[0]}."))
    return found


def _check_times(
    archive: Archive, name: str, target: Target, runs: dict[str, np.ndarray], report: Report
) -> None:
    try:
        times, found = parse_times(name, archive.read(name), report.runs)
    except InputError as error:
        times, found = None, [Finding("damaged", name, str(error))]
    report.findings += found
    frames = target.frames or next((len(boxes) for boxes in runs.values()), None)
    if times is not None and frames is not None and len(times) != frames:
        what = f"it has {len(times)} lines for {frames} frames."
        report.findings.append(Finding("time-lines", name, what))


def _tell_rounding(report: Report, whole: list[np.ndarray]) -> None:
    """Say once what whole numbers cost, instead of a line for every file."""
    if not whole:
        return
    nearest, cut = rounding_cost(whole)
    first = next(finding for finding in report.findings if finding.code == "rounded")
    report.findings = [finding for finding in report.findings if finding.code != "rounded"]
    what = (
        f"the boxes of {len(whole)} file(s) are whole numbers. With boxes of these sizes that alone costs "
        f"a perfect tracker {nearest:.1f} % of overlap if they were rounded, {cut:.1f} % if decimals were "
        "cut off (int()); write at least two decimals."
    )
    report.findings.append(Finding("rounded", first.where, what, fatal=False))


def _unchecked(server: Server, targets: Sequence[Target]) -> str:
    if not targets:
        return (
            "Names, numbers of lines and first boxes were not compared: the data set was not given (--root)."
        )
    if any(target.frames is None for target in targets):
        return "Numbers of lines and first boxes were not compared: the data set was not given (--root)."
    return ""
