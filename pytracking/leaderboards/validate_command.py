"""``ebmtrack validate``: what a server would reject in an archive."""

import argparse
import sys
from collections.abc import Sequence as List

from ebm.command import local_path, run_command
from pytracking.leaderboards.command_options import (
    NAMES,
    add_data,
    make_parser,
    require_server,
    runs_in_words,
    sequences_of,
    show,
)

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack validate nce_plus.zip
  ebmtrack validate nce_plus.zip --for got10k --root /data/GOT-10k

With the data set (--root, or one that is configured) numbers of lines and first boxes are compared too.
exit codes: 0 nothing to reject (warnings may be printed), 1 the server would reject it, 2 the input cannot be
used."""


def build_parser() -> argparse.ArgumentParser:
    """The command line of ``ebmtrack validate``."""
    what = "Say what a server would reject in an archive, and what it would score wrongly."
    parser = make_parser("ebmtrack validate", what, _EXAMPLES)
    parser.add_argument("archive", type=local_path, metavar="ZIP")
    parser.add_argument(
        "--for", dest="server", metavar="SERVER", help=f"{', '.join(NAMES)} (default: as its names tell)"
    )
    add_data(parser)
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 for an archive that would be rejected, 2 for unusable input.
    """
    return run_command(build_parser(), _validate, argv)


def _validate(args: argparse.Namespace) -> int:
    from ebm.exceptions import InputError
    from pytracking.leaderboards.checks import check_archive, guess_server
    from pytracking.leaderboards.findings import is_rejected
    from pytracking.leaderboards.servers import SERVERS, targets_of

    guessed = args.server or guess_server(args.archive)
    if guessed is None:
        from pytracking.leaderboards.archives import look_inside

        if not look_inside(args.archive):
            raise InputError(f"Which server is {args.archive} for? Its names do not tell: say --for SERVER.")
        guessed = "eval-ai"  # unsafe for any
    require_server(guessed)
    if guessed == "vot":
        from pytracking.leaderboards.vot_archives import check_vot

        report, title = check_vot(args.archive), "the VOT challenge"
    else:
        server = SERVERS[guessed]
        title = server.title
        report = check_archive(args.archive, server, targets_of(server, sequences_of(args, server)))
    show(report)
    if is_rejected(report.findings):
        print(f"{args.archive} would be rejected or scored wrongly by {title}.")
        return 1
    print(f"{args.archive} is fit for {title}: {report.sequences} sequences, {runs_in_words(report.runs)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
