"""What ``ebmtrack pack`` and ``ebmtrack validate`` share: servers by name, the data set, what is printed."""

import argparse
from typing import TYPE_CHECKING

from ebm.command import CommandParser, local_path
from ltr.admin.workspace_option import add_workspace_option
from pytracking.evaluation.command import tell

if TYPE_CHECKING:
    from pytracking.evaluation.data import Sequence
    from pytracking.leaderboards.checks import Report
    from pytracking.leaderboards.servers import Server

__all__ = ["NAMES", "add_data", "make_parser", "require_server", "runs_in_words", "sequences_of", "show"]

NAMES = ("trackingnet", "got10k", "lasot", "vot", "eval-ai")


def make_parser(prog: str, description: str, epilog: str) -> CommandParser:
    """An empty command line with these texts."""
    return CommandParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """``--dataset`` and ``--root``, of the benchmark that the archive is for."""
    add_workspace_option(parser)
    parser.add_argument("--dataset", metavar="NAME", help="the benchmark (default: the server's own)")
    parser.add_argument(
        "--root",
        type=local_path,
        metavar="DIR",
        help="its folder; annotations will do where they have all frames",
    )


def require_server(name: str) -> None:
    """Refuse a server that is not known, naming the nearest."""
    from ebm.lookup import lookup

    lookup("server", name, dict.fromkeys(NAMES))


def runs_in_words(runs: int) -> str:
    """``3 runs each``."""
    return f"{runs} run{'' if runs == 1 else 's'} each"


def sequences_of(args: argparse.Namespace, server: "Server") -> "list[Sequence] | None":
    """The sequences of the benchmark; None where nobody says where they are."""
    from ebm.exceptions import InputError
    from pytracking.evaluation.command_options import CommandOptions
    from pytracking.evaluation.datasets import BENCHMARKS, benchmark_name, open_dataset

    dataset = args.dataset or server.dataset
    if dataset is None:
        if args.root is not None:
            raise InputError("Which benchmark lies in --root? Name it with --dataset.")
        return None
    if args.root is None and args.dataset is None:
        from ltr.admin.environment import configured_datasets

        key = BENCHMARKS[dataset].root_key if dataset in BENCHMARKS else None
        if key not in configured_datasets():
            return None
    # Of a test set whose server keeps the annotation, only the images tell how many frames there are.
    keeps = BENCHMARKS[benchmark_name(dataset)].server is not None
    options = CommandOptions(sequence=False, allow_missing=False)
    return open_dataset(dataset, args.root, tell=tell, images=keeps, options=options)


def show(report: "Report") -> None:
    """Print the findings, a line a kind, and what could not be compared."""
    from pytracking.leaderboards.findings import said

    for line in said(report.findings):
        print(line)
    if report.unchecked:
        print(report.unchecked)
