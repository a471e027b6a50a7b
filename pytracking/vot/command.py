"""Take part in VOT: try a tracker in the real toolkit, and write the toolkit's files for it."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence as List
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import CommandParser, local_path, run_command
from pytracking.evaluation.command import add_tracker_options, whole_number

if TYPE_CHECKING:
    from pytracking.vot.ini import Entry, Protocol
    from pytracking.vot.sequence_folder import ShortSequence
    from pytracking.vot.toolkit import Toolkit

__all__ = ["build_parser", "main"]

PROTOCOLS: "tuple[Protocol, ...]" = ("python", "folder", "trax")
_EXAMPLES = """examples:
  ebmtrack vot check dimp nce_plus --checkpoint net.pth.tar
  ebmtrack vot check dimp nce_plus --sequence sequences/book --python ~/vot/bin/python
  ebmtrack vot integrate workspace dimp nce_plus --checkpoint net.pth.tar --stack vots2026/main

The toolkit is a program of its own, under the GPL-3. 'check' installs it into an environment of its own,
once; with --python it takes the one that you have."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack vot",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="run the tracker, and template matching beside it, on five frames through the real toolkit",
        description="Run the tracker on a few frames through the real toolkit by every protocol that can be "
        "had, and normalised cross-correlation beside it. Exit codes: 0, all answered; 1, some did not; 2, "
        "the input cannot be used.",
    )
    _add_tracker(check)
    check.add_argument(
        "--sequence", type=local_path, metavar="DIR", help="in VOT's layout (default: two targets are drawn)"
    )
    check.add_argument(
        "--frames", type=_frames, default=5, metavar="N", help="from the first (default: %(default)s)"
    )
    check.add_argument(
        "--protocol", action="append", choices=PROTOCOLS, help="only this one; may be repeated"
    )
    check.add_argument("--python", type=local_path, metavar="FILE", help="Python that has the toolkit")
    check.add_argument(
        "--venv",
        type=local_path,
        metavar="DIR",
        help="where the toolkit is installed (default: a folder in the user's cache)",
    )
    check.add_argument("--keep", type=local_path, metavar="DIR", help="keep the toolkit's workspace there")
    check.add_argument("--verbose", action="store_true", help="show what the toolkit printed")

    integrate = actions.add_parser(
        "integrate",
        help="write a tracker into a workspace's trackers.ini, and the workspace itself",
        description="Write a tracker into DIR/trackers.ini and, with --stack, DIR/config.yaml. What is there "
        "stays as it is.",
    )
    integrate.add_argument("folder", type=local_path, metavar="DIR", help="the toolkit's workspace")
    _add_tracker(integrate)
    integrate.add_argument("--name", help="of the tracker in the toolkit (default: EBMTrack-<parameters>)")
    integrate.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="python",
        help="python: the toolkit's Python imports EBMTrack; folder: a program that gets whole sequences; "
        "trax: for toolkits before 0.8 (default: %(default)s)",
    )
    integrate.add_argument("--stack", help="of the toolkit, e.g. vots2026/main, or a yaml file")
    integrate.add_argument(
        "--sequences", type=local_path, metavar="DIR", help="where they are (default: sequences in DIR)"
    )
    integrate.add_argument("--replace", action="store_true", help="a tracker of that name with other values")
    return parser


def _add_tracker(parser: argparse.ArgumentParser) -> None:
    add_tracker_options(parser)
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=600,
        metavar="S",
        help="seconds that the toolkit waits for an answer, loading included (default: %(default)s)",
    )
    parser.add_argument(
        "--polygon",
        choices=("preserve_area", "union"),
        default="preserve_area",
        help="box for four corners: of their area, or the smallest around them (default: %(default)s)",
    )
    parser.add_argument(
        "--when-lost",
        choices=("box", "empty"),
        help="answer where the target is not seen: the last box, or no region (default: box; empty with a "
        "stack of VOTS)",
    )


def _frames(text: str) -> int:
    value = whole_number(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f"must be at least 2, got {value}")
    return value


def _seconds(text: str) -> int:
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a tracker did not answer every frame, 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(build_parser(), _run, argv)


def _run(args: argparse.Namespace) -> int:
    return _check(args) if args.action == "check" else _integrate(args)


def _options(args: argparse.Namespace, when_lost: str) -> dict[str, str]:
    """The options of `VOTTracker` and run_vot.py that differ from their defaults; looks for the weights."""
    from ebm.lookup import lookup
    from pytracking.parameter import find_parameters
    from pytracking.tracker.registry import TRACKERS
    from pytracking.utils.loading import find_weights

    lookup("tracker", args.tracker, TRACKERS)
    weights = find_weights(find_parameters(args.tracker, args.parameter), args.checkpoint, args.weights)
    print(weights)
    options = {} if weights.path is None else {"checkpoint": str(weights.path.resolve())}
    given = {
        "weights": (args.weights, "auto"),
        "device": (args.device, "auto"),
        "seed": (str(args.seed), "0"),
        "polygon": (args.polygon, "preserve_area"),
        "when_lost": (when_lost, "box"),
    }
    options |= {key: value for key, (value, default) in given.items() if value != default}
    return options | ({"compat": "true"} if args.compat else {})


def _check(args: argparse.Namespace) -> int:
    from pytracking.vot.check import reference_entry
    from pytracking.vot.sequence_folder import draw_sequence, shorten

    options = _options(args, args.when_lost or "box")
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
    toolkit: "Toolkit",
    workspace: Path,
    entries: "List[Entry]",
    sequence: "ShortSequence",
) -> int:
    """A line for every tracker as it is done; how many failed."""
    from pytracking.vot.check import check_entries

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


def _toolkit(args: argparse.Namespace) -> "Toolkit":
    from ltr.dataset.index import cache_folder
    from pytracking.vot.toolkit import find_toolkit, install_toolkit

    if args.python is not None:
        return find_toolkit(args.python)
    folder = args.venv or cache_folder() / "vot-toolkit"
    return find_toolkit(install_toolkit(folder, lambda line: print(line, flush=True)))


@contextmanager
def _workspace(keep: Path | None) -> Iterator[Path]:
    """A folder that is there for as long as it is needed; `keep` must be new or empty."""
    from ebm.exceptions import InputError

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


def _refused(toolkit: "Toolkit", wanted: "List[Protocol]") -> "dict[Protocol, str]":
    """Which of the protocols cannot be tried, and why.

    Raises:
        InputError: if none can.
    """
    from ebm.exceptions import InputError

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
    import importlib.util

    return importlib.util.find_spec("trax") is not None


def _entries(
    args: argparse.Namespace,
    toolkit: "Toolkit",
    options: dict[str, str],
    protocols: "List[Protocol]",
    sequence: "ShortSequence",
) -> "list[Entry]":
    """The sections of our tracker, one a protocol."""
    from pytracking.vot.ini import entry_of

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


def _integrate(args: argparse.Namespace) -> int:
    from pytracking.vot.ini import add_section, entry_of, needs_boxes, require_name, write_workspace

    name = require_name(args.name or f"EBMTrack-{args.parameter}")
    stack = args.stack
    if stack is not None and stack.endswith(".yaml"):
        stack = str(local_path(stack).resolve())
    absent = (stack or "").startswith("vots")
    when_lost = args.when_lost or ("empty" if absent else "box")
    entry = entry_of(
        name,
        args.protocol,
        args.tracker,
        args.parameter,
        _options(args, when_lost),
        timeout=args.timeout,
        boxes=needs_boxes(stack),
    )
    if stack is not None:
        sequences = None if args.sequences is None else args.sequences.resolve()
        done = write_workspace(args.folder, stack, sequences)
        print(f"{args.folder / 'config.yaml'}: {done}, stack {stack}")
    ini = args.folder / "trackers.ini"
    print(f"{ini}: [{name}] {add_section(ini, entry, replace=args.replace)}")
    print(f"Run it: vot evaluate --workspace {args.folder} {name}")
    if args.protocol == "python":
        print("note: the Python that runs 'vot' needs EBMTrack too: pip install 'ebmtrack[track-gui]'.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
