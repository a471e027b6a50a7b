"""Take part in VOT: try a tracker in the real toolkit, and write the toolkit's files for it."""

import argparse
import sys
from collections.abc import Sequence as List
from functools import partial
from pathlib import Path

from ebm.command import CommandParser, local_path, run_command
from pytracking.evaluation.command import at_least
from pytracking.evaluation.tracker_words import OtherWord, TrackerParser
from pytracking.vot.command_options import add_tracker, tracker_options
from pytracking.vot.ini import PROTOCOLS

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack vot check
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
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=TrackerParser
    )
    _add_check(actions)
    _add_integrate(actions)
    return parser


def _add_check(actions: "argparse._SubParsersAction[TrackerParser]") -> None:
    """The arguments of ``check``."""
    check = actions.add_parser(
        "check",
        help="run the tracker, and template matching beside it, on five frames through the real toolkit",
        description="Run the tracker on a few frames through the real toolkit by every protocol that can be "
        "had, and normalised cross-correlation beside it. Exit codes: 0, all answered; 1, some did not; 2, "
        "the input cannot be used.",
    )
    add_tracker(check)
    check.add_argument(
        "--sequence", type=local_path, metavar="DIR", help="in VOT's layout (default: two targets are drawn)"
    )
    check.add_argument(
        "--frames",
        type=partial(at_least, 2),
        default=5,
        metavar="N",
        help="from the first (default: %(default)s)",
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


def _add_integrate(actions: "argparse._SubParsersAction[TrackerParser]") -> None:
    """The arguments of ``integrate``."""
    integrate = actions.add_parser(
        "integrate",
        other=OtherWord(
            dest="folder", metavar="DIR", help="the toolkit's workspace", kind=local_path, first=True
        ),
        help="write a tracker into a workspace's trackers.ini, and the workspace itself",
        description="Write a tracker into DIR/trackers.ini and, with --stack, DIR/config.yaml. What is there "
        "stays as it is.",
    )
    add_tracker(integrate)
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


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a tracker did not answer every frame, 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(build_parser(), _run, argv)


def _run(args: argparse.Namespace) -> int:
    if args.action == "integrate":
        return _integrate(args)
    from pytracking.vot.check_command import run_check

    return run_check(args)


def _integrate(args: argparse.Namespace) -> int:
    from ebm.outputs import Output, require_outputs
    from pytracking.vot.ini import entry_of, needs_boxes, require_name, section_change, workspace_change

    stack = args.stack
    if stack is not None and stack.endswith(".yaml"):
        stack = str(local_path(stack).resolve())
    absent = (stack or "").startswith("vots")
    when_lost = args.when_lost or ("empty" if absent else "box")
    options = tracker_options(args, when_lost)
    name = require_name(args.name or f"EBMTrack-{args.parameter}")
    ini, config = args.folder / "trackers.ini", args.folder / "config.yaml"
    places = {"the tracker's section": ini} | ({} if stack is None else {"the workspace's settings": config})
    outputs = [Output(name=called, path=path) for called, path in places.items()]
    require_outputs(
        outputs, {"the weights": Path(options["checkpoint"]) if "checkpoint" in options else None}
    )
    entry = entry_of(
        name,
        args.protocol,
        args.tracker,
        args.parameter,
        options,
        timeout=args.timeout,
        boxes=needs_boxes(stack),
    )
    changes = {f"[{name}]": section_change(ini, entry, replace=args.replace)}
    if stack is not None:
        sequences = None if args.sequences is None else args.sequences.resolve()
        changes[f"stack {stack}"] = workspace_change(args.folder, stack, sequences)
    for what, change in changes.items():  # either both or none
        print(f"{change.path}: {what} {change.write()}")
    print(f"Run it: vot evaluate --workspace {args.folder} {name}")
    if args.protocol == "python":
        print("note: the Python that runs 'vot' needs EBMTrack too: pip install 'ebmtrack[track-gui]'.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
