"""What the commands that compare box losses share: their options, and how they end."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from box_study.plan import LOSSES
from ebm.exceptions import EBMError
from ebm.lookup import lookup

__all__ = ["chosen_losses", "guarded", "study_parser"]


def study_parser(description: str | None, folder: Path, *, csv: str, quick: str) -> argparse.ArgumentParser:
    """The options of every study.

    Args:
        description: of the command.
        folder: where it works unless told otherwise.
        csv: name of the results' file in the folder.
        quick: what ``--quick`` does.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--losses", default=",".join(LOSSES), help="some of them (default: all six)")
    parser.add_argument("--samples", type=int, help="training samples of a run")
    parser.add_argument(
        "--folder", type=Path, default=folder, help="data and networks (default: %(default)s)"
    )
    parser.add_argument("--csv", type=Path, help=f"results (default: FOLDER/{csv})")
    parser.add_argument("--figure", type=Path, help="draw the results into this PNG (needs matplotlib)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--report", action="store_true", help="only print what the CSV file holds")
    return parser


def chosen_losses(text: str) -> list[str]:
    """Names of losses with commas.

    Raises:
        UnknownNameError: for one that is none.
    """
    return [lookup("loss", name, {loss: loss for loss in LOSSES}) for name in text.split(",")]


def guarded(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], Iterable[str]],
    argv: list[str] | None,
) -> int:
    """Run a study and print what it answers, line by line; the exit code, 2 for bad input."""
    args = parser.parse_args(argv)
    try:
        for line in run(args):
            print(line, flush=True)
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
