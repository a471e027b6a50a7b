"""Follow targets for the VOT toolkit, which starts this program: TraX, or a folder of its files."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import CommandParser, run_command, run_guarded, script_imports

with script_imports(__name__):
    from pytracking.evaluation.command import add_tracker_options, whole_number
    from pytracking.vot.command_options import add_answer_options
    from pytracking.vot.serving import PROTOCOLS, serve

__all__ = ["build_parser", "main", "run_vot", "run_vot2020"]

_EXAMPLES = """examples, as lines of the toolkit's trackers.ini ('ebmtrack vot integrate' writes it):
  protocol = folder
  command = /path/to/python /path/to/pytracking/run_vot.py dimp nce_plus --checkpoint /weights/net.pth.tar

Standard output belongs to the protocol; notes and errors go to standard error.
exit codes: 0 the toolkit is done, 2 the input cannot be used."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="run_vot.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_tracker_options(parser)
    parser.add_argument(
        "--run_id",
        "--run-id",
        dest="run_id",
        type=whole_number,
        default=0,
        metavar="N",
        help="number of the repetition, added to the seed",
    )
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="auto",
        help="trax, folder, or by what the toolkit has prepared (default: %(default)s)",
    )
    add_answer_options(parser, when_lost="box")
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, or 2 for an input that cannot be used.
    """
    return run_command(build_parser(), _run, argv)


def _run(args: argparse.Namespace) -> int:
    return serve(
        args.tracker,
        args.parameter,
        protocol=args.protocol,
        checkpoint=args.checkpoint,
        weights=args.weights,
        device=args.device,
        seed=args.seed + args.run_id,
        compat=args.compat,
        precision=args.precision,
        polygon=args.polygon,
        when_lost=args.when_lost,
    )


def run_vot(tracker_name: str, tracker_param: str, run_id: int | None = None) -> None:
    """PyTracking's name for it; the process ends with 0, or with 2 for an input that cannot be used.

    Raises:
        SystemExit: if something is wrong.
    """
    code = run_guarded(lambda: serve(tracker_name, tracker_param, seed=run_id or 0))
    if code:
        raise SystemExit(code)


def run_vot2020(
    tracker_name: str,
    tracker_param: str,
    run_id: int | None = None,
    debug: int = 0,
    visdom_info: Any = None,
) -> None:
    """As `run_vot`; there is nothing to see while the toolkit runs: `debug` and `visdom_info` do nothing."""
    if debug:
        print("note: run_vot shows nothing; 'debug' is passed over.", file=sys.stderr)
    run_vot(tracker_name, tracker_param, run_id)


if __name__ == "__main__":
    sys.exit(main())
