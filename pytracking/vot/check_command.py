"""``ebmtrack vot check``: which toolkit, which protocols, where, and a line for every tracker."""

import argparse
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence as List
from contextlib import contextmanager
from pathlib import Path

from ebm.exceptions import InputError
from ltr.dataset.cache import cache_folder
from pytracking.vot.check import check_entries, reference_entry
from pytracking.vot.command_options import tracker_options
from pytracking.vot.ini import PROTOCOLS, Entry, Protocol, entry_of
from pytracking.vot.sequence_folder import ShortSequence, draw_sequence, shorten
from pytracking.vot.toolkit import Toolkit, find_toolkit, install_toolkit

__all__ = ["run_check"]


def run_check(args: argparse.Namespace) -> int:
    """Run it with what was parsed; the exit code."""
    options = tracker_options(args, args.when_lost or "box")
    toolkit = _toolkit(args)
    wanted: list[Protocol] = list(dict.fromkeys(args.protocol or PROTOCOLS))
    refused = _refused(toolkit, wanted)
    with _workspace(args.keep) as workspace:
        place = workspace / "sequences"
        sequence = (
            draw_sequence(place, args.frames)
            if args.sequence is None
            else shorten(args.sequence, place, args.frames)
        )
        entries = _entries(args, toolkit, options, [name for name in wanted if name not in refused], sequence)
        print(f"vot-toolkit {toolkit.version}, Python {toolkit.python_version}: {toolkit.python}")
        print(f"{sequence.frames} frames of {sequence.name}, {_objects(len(sequence.truth))}", flush=True)
        failed = _show(args, toolkit, workspace, [reference_entry(toolkit, args.timeout), *entries], sequence)
    for name, why in refused.items():
        print(f"note: not tried by {name}: {why}.", file=sys.stderr)
    if args.keep:
        print(f"Workspace: {args.keep}")
    return 1 if failed else 0


def _show(
    args: argparse.Namespace,
    toolkit: Toolkit,
    workspace: Path,
    entries: List[Entry],
    sequence: ShortSequence,
) -> int:
    """A line for every tracker as it is done; how many failed."""
    failed = 0
    width = max(len(entry.name) for entry in entries)
    for found in check_entries(toolkit, workspace, entries, sequence, timeout=args.timeout):
        print(f"  {found.name:<{width}}  {'ok' if found.ok else 'FAILED'}: {found.words}", flush=True)
        failed += not found.ok
        if args.verbose:
            print(found.log, file=sys.stderr)
    return failed


def _objects(count: int) -> str:
    return f"{count} object{'s' * (count != 1)}"


def _toolkit(args: argparse.Namespace) -> Toolkit:
    if args.python is not None:
        return find_toolkit(args.python)
    name = f"vot-toolkit-py{sys.version_info.major}.{sys.version_info.minor}"
    folder = args.venv or cache_folder() / name
    return find_toolkit(install_toolkit(folder, lambda line: print(line, flush=True)))


@contextmanager
def _workspace(keep: Path | None) -> Iterator[Path]:
    """A folder that is there for as long as it is needed; `keep` must be new or empty."""

    if keep is None:
        made = Path(tempfile.mkdtemp(prefix="ebmtrack-vot-"))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise InputError(f"--keep {keep} is not empty; name a new folder.")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()


def _refused(toolkit: Toolkit, wanted: List[Protocol]) -> dict[Protocol, str]:
    """Which of the protocols cannot be tried, and why.

    Raises:
        InputError: if none can.
    """
    refused: dict[Protocol, str] = {}
    if not toolkit.has_python_api:
        refused["python"] = refused["folder"] = f"toolkit {toolkit.version} is older than 0.8"
    elif not toolkit.has_tracker:
        refused["python"] = f"{toolkit.python} has no EBMTrack with torch"
    if not _has_trax() and not (toolkit.has_tracker and toolkit.has_trax):
        refused["trax"] = f"{sys.executable} has no vot-trax: pip install 'ebmtrack[vot]'"
    refused = {name: why for name, why in refused.items() if name in wanted}
    if len(refused) == len(wanted):
        reasons = "; ".join(f"by {name}: {why}" for name, why in refused.items())
        raise InputError(f"The tracker cannot be tried {reasons}.")
    return refused


def _has_trax() -> bool:
    return importlib.util.find_spec("trax") is not None


def _entries(
    args: argparse.Namespace,
    toolkit: Toolkit,
    options: dict[str, str],
    protocols: List[Protocol],
    sequence: ShortSequence,
) -> list[Entry]:
    """The sections of our tracker, one a protocol."""
    return [
        entry_of(
            f"{args.tracker}-{args.parameter}-{protocol}",
            protocol,
            args.tracker,
            args.parameter,
            options,
            timeout=args.timeout,
            boxes=sequence.starts_from_mask,
            python=sys.executable if protocol == "folder" or _has_trax() else toolkit.python,
        )
        for protocol in protocols
    ]
