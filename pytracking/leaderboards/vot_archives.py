"""Archives for the VOT challenges: of a workspace of the toolkit, as ``vot pack`` writes them.

An archive holds ``<experiment>/<sequence>/<sequence>[_<object>]_<run>.txt`` (or ``.bin``), beside each the
``.value`` files of its frames, and ``manifest.yml``.
"""

import configparser
import json
import os
import platform
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from pytracking.leaderboards.archives import Archive, look_inside, opened
from pytracking.leaderboards.checks import Report
from pytracking.leaderboards.findings import Finding, is_rejected, said
from pytracking.leaderboards.packing import archive_entry
from pytracking.leaderboards.vot_runs import check_run

__all__ = ["check_vot", "find_tracker", "pack_vot"]

_RUN = re.compile(r"(?P<run>.+_\d{3,8})(?:_(?P<what>[A-Za-z][A-Za-z0-9-]*))?\.(?P<kind>txt|bin|value)")
_OPE = (
    "The VOT challenges score runs that their toolkit has made: restarted after failures, or from several "
    "starts. Results of 'ebmtrack track' are not these (they would score near nothing). Run 'ebmtrack vot "
    "integrate DIR TRACKER PARAMETERS --stack STACK', then 'vot evaluate', then pack DIR."
)


def find_tracker(workspace: Path, wanted: str | None) -> str:
    """The tracker of a workspace: the one named, or the only one.

    Raises:
        InputError: if the folder is no workspace with results, or holds several trackers.
        UnknownNameError: if there is none of that name.
    """
    results = workspace / "results"
    if not results.is_dir():
        raise InputError(f"{workspace} has no folder 'results', so it is no workspace of the toolkit. {_OPE}")
    there = sorted(path.name for path in results.iterdir() if path.is_dir())
    if wanted is not None and wanted not in there:
        raise unknown_name("tracker", wanted, there, f"They are the folders of {results}.")
    if wanted is None and len(there) != 1:
        raise InputError(
            f"{results} has results of {len(there)} trackers: {', '.join(there)}; say --tracker."
        )
    return wanted or there[0]


def pack_vot(workspace: Path, tracker: str, out: Path) -> Report:
    """Write the archive of a tracker's runs; nothing is left behind where it would be rejected.

    Args:
        workspace: of the toolkit, after ``vot evaluate``.
        tracker: a folder of its results.
        out: the archive; replaced.

    Raises:
        InputError: naming what is missing or wrong.
    """
    folder = workspace / "results" / tracker
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise InputError(f"{folder} holds no results; run 'vot evaluate --workspace {workspace} {tracker}'.")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.writestr(archive_entry(path.relative_to(folder).as_posix()), path.read_bytes())
            archive.writestr(archive_entry("manifest.yml"), _manifest(workspace, tracker))
        report = check_vot(temporary, _lengths(workspace))
        if is_rejected(report.findings):
            lines = "\n  ".join(said(report.findings))
            raise InputError(f"The challenge would reject these results:\n  {lines}\nNothing was written.")
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return report


def _manifest(workspace: Path, tracker: str) -> str:
    """What the toolkit states of a packed tracker, as YAML; JSON's texts are YAML's too."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(workspace / "trackers.ini", encoding="utf-8")
    values = dict(ini[tracker]) if ini.has_section(tracker) else {}
    lines = [f"  {key}: {json.dumps(value)}" for key, value in sorted(values.items())]
    stack = re.search(r"^stack:\s*(.+)$", _text(workspace / "config.yaml"), re.MULTILINE)
    facts = {
        "identifier": tracker,
        "platform": platform.system().lower(),
        "python": platform.python_version(),
        "stack": stack[1].strip() if stack else "unknown",
        "timestamp": datetime.now(UTC).isoformat(),
        "toolkit": _toolkit_version(),
    }
    head = ["configuration:", *lines] if lines else ["configuration: {}"]
    return "\n".join([*head, *(f"{key}: {json.dumps(value)}" for key, value in facts.items())]) + "\n"


def _toolkit_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("vot-toolkit")
    except PackageNotFoundError:
        return "unknown"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _lengths(workspace: Path) -> dict[str, int]:
    """Frames of the workspace's sequences: lines of their annotation."""
    place = re.search(r"^sequences:\s*(.+)$", _text(workspace / "config.yaml"), re.MULTILINE)
    root = workspace / (place[1].strip().strip("'\"") if place else "sequences")
    found = {}
    for name in _text(root / "list.txt").split():
        truth = sorted((root / name).glob("groundtruth*.txt"))
        found[name] = len(_text(truth[0]).split("\n")[:-1]) if truth else 0
    return found


def check_vot(path: Path, lengths: Mapping[str, int] | None = None) -> Report:
    """Look at an archive as the challenge would.

    Args:
        path: of the zip archive.
        lengths: frames of every sequence, where they are known; 0: not known.

    Raises:
        InputError: if there is no such file.
    """
    report = Report(look_inside(path))
    if report.findings:
        return report
    with opened(path) as archive:
        places = _places(archive, report)
        for (_, sequence), names in places.items():
            _check_sequence(archive, names, (lengths or {}).get(sequence, 0), report)
    report.findings += _compared(places, lengths or {})
    report.sequences = len({sequence for _, sequence in places})
    report.runs = max((_count_runs(names) for names in places.values()), default=0)
    if not lengths:
        report.unchecked = "Whether all sequences and frames are there is known in the workspace alone."
    return report


Place = tuple[str, str]  # experiment and sequence


def _places(archive: Archive, report: Report) -> dict[Place, list[str]]:
    """The files of every experiment and sequence; whatever lies elsewhere is told."""
    places: dict[Place, list[str]] = defaultdict(list)
    for name in archive.names:
        parts = PurePosixPath(name).parts
        if len(parts) == 3 and _RUN.fullmatch(parts[2]):
            places[parts[0], parts[1]].append(name)
        elif name != "manifest.yml":
            deep = len(parts) > 3 or (len(parts) == 2 and parts[1] == "manifest.yml")
            what = "an archive has EXPERIMENT/SEQUENCE/FILE and manifest.yml at its top, nothing else."
            report.findings.append(Finding("extra-folder" if deep else "extra-file", name, what))
    if "manifest.yml" not in archive.names:
        what = f"it is not there; the toolkit's workspace is packed by 'ebmtrack pack vot'. {_OPE}"
        report.findings.append(Finding("missing-file", "manifest.yml", what))
    elif not re.search(rb"^identifier:\s*\S", archive.read("manifest.yml"), re.MULTILINE):
        report.findings.append(
            Finding("manifest", "manifest.yml", "it names no tracker ('identifier: NAME').")
        )
    if not places:
        report.findings.append(Finding("missing-file", "", "it holds no run of any sequence."))
    return dict(places)


def _count_runs(names: Iterable[str]) -> int:
    """Runs of a sequence: numbers of its trajectories, objects aside."""
    return len({_run(name).rpartition("_")[2] for name in names if not name.endswith(".value")})


def _run(name: str) -> str:
    found = _RUN.fullmatch(PurePosixPath(name).name)
    return found["run"] if found else name


def _check_sequence(archive: Archive, names: list[str], frames: int, report: Report) -> None:
    """Look at the trajectories of a sequence, and at the values beside each."""
    values: dict[str, list[str]] = defaultdict(list)
    tracks: dict[str, str] = {}
    for name in names:
        if name.endswith(".value"):
            values[_run(name)].append(name)
        else:
            tracks[_run(name)] = name
    for run, name in tracks.items():
        report.findings += check_run(name, _reader(archive), values.pop(run, []), frames)
    for run in values:
        what = f"there are values of {run}, but no trajectory."
        report.findings.append(Finding("missing-file", f"{run}.txt", what))


def _reader(archive: Archive) -> Callable[[str], bytes]:
    return archive.read


def _compared(places: Mapping[Place, list[str]], lengths: Mapping[str, int]) -> list[Finding]:
    """Every experiment has every sequence, and all of them equally many runs."""
    found = []
    sequences = set(lengths) or {sequence for _, sequence in places}
    for experiment in sorted({experiment for experiment, _ in places}):
        here = {sequence: names for (name, sequence), names in places.items() if name == experiment}
        for sequence in sorted(sequences - set(here)):
            found.append(Finding("missing-file", f"{experiment}/{sequence}", "there are no runs of it."))
        counts = {sequence: _count_runs(names) for sequence, names in here.items()}
        usual = max(counts.values(), default=0)
        tracks = [name for names in here.values() for name in names if not name.endswith(".value")]
        if all(re.search(r"_\d{3}\.", name) for name in tracks):  # not of runs from several starts
            short = [sequence for sequence, count in counts.items() if count < usual]
            for sequence in short:
                what = f"it has {counts[sequence]} run(s), others have {usual}."
                found.append(Finding("runs", f"{experiment}/{sequence}", what))
    return found
