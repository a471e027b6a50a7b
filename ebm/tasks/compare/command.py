"""``ebmtrack regress compare``: `ebm.fit` beside its peers on many tables."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import CommandParser, local_path, run_command
from ebm.outputs import Output, require_outputs

if TYPE_CHECKING:
    from ebm.tasks.compare.study import Plan, Result

__all__ = ["add_study_options", "build_parser", "main", "show_progress", "usable", "why_no_table"]

_EXAMPLES = """\
examples:
  ebmtrack regress compare --quick                       one split of four small tables, seconds
  ebmtrack regress compare --jobs 2                      all tables and methods, 5 splits, about an hour
  ebmtrack regress compare --tables ring geyser --methods ebm mdn-4 ngboost

The peers are an extra: pip install 'ebmtrack[compare]'. What is not installed is named and left out.
Finished cells stay in the output folder; the same command again runs only what is missing.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = CommandParser(
        prog="ebmtrack regress compare",
        description="Compare ebm.fit with NGBoost, forests, boosting, MAPIE and a mixture network: "
        "NLL, CRPS, coverage, width, seconds, ranks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="default: all that are installed")
    add_study_options(parser, splits="default: 5, with --quick 1", out="compare")
    parser.add_argument("--list", action="store_true", help="tables and methods with sources, and end")
    return parser


def add_study_options(parser: argparse.ArgumentParser, *, splits: str, out: str) -> None:
    """Options of every study on these tables.

    Args:
        parser: gets them.
        splits: said of the number of splits.
        out: folder of the results, below ``runs``.
    """
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="default: all that can be loaded")
    parser.add_argument("--splits", type=int, metavar="N", help=f"of every table ({splits})")
    parser.add_argument("--quick", action="store_true", help="few rows, epochs and trees, four tables")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes, one thread each (default: 1)"
    )
    parser.add_argument(
        "--out", type=local_path, default=Path("runs") / out, metavar="DIR", help="default: %(default)s"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a method failed on a split; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        build_parser(),
        lambda args: _run(args, given),
        given,
        interrupted="the same command goes on where it ended.",
    )


def _run(args: argparse.Namespace, given: Sequence[str]) -> int:
    from ebm.tasks.compare.report import markdown
    from ebm.tasks.compare.study import run_study
    from ebm.threads import using_threads

    if args.list:
        print(_listing())
        return 0
    left_out: dict[str, str] = {}
    plan = _plan(args, left_out)
    for name, why in left_out.items():
        print(f"left out: {name}: {why}", file=sys.stderr)
    require_outputs([Output(name="--out", path=args.out, folder=True)])
    start = time.perf_counter()
    with using_threads(1):
        results = run_study(plan, args.out, jobs=args.jobs, report=show_progress)
    report = markdown(results, left_out)
    _write(args.out, results, report, given, time.perf_counter() - start)
    print(report)
    print(f"report.md, *.csv, *.png and study.json are in {args.out}", file=sys.stderr)
    return int(any(result.scores is None for result in results))


def _plan(args: argparse.Namespace, left_out: dict[str, str]) -> "Plan":
    """The plan that the arguments describe; what cannot run is put into `left_out`."""
    from ebm.checks import require_count
    from ebm.tasks.compare.budget import QUICK, Budget
    from ebm.tasks.compare.methods import METHODS, why_left_out
    from ebm.tasks.compare.study import Plan
    from ebm.tasks.compare.tables import QUICK_TABLES, TABLES

    require_count("--jobs", args.jobs)
    splits = require_count("--splits", (1 if args.quick else 5) if args.splits is None else args.splits)
    asked = args.tables or (QUICK_TABLES if args.quick else tuple(TABLES))
    return Plan(
        tables=usable("table", asked, why_no_table, left_out),
        methods=usable("method", args.methods or tuple(METHODS), why_left_out, left_out),
        splits=splits,
        budget=QUICK if args.quick else Budget(),
    )


def usable(
    kind: str, names: Iterable[str], why: Callable[[str], str | None], left_out: dict[str, str]
) -> tuple[str, ...]:
    """The names that can be used, each once; the others are put into `left_out` with the reason.

    Args:
        kind: "table" or "method".
        names: as asked for.
        why: says why a name cannot be used, or None; raises for an unknown one.
        left_out: grows.

    Raises:
        InputError: if nothing is left.
    """
    from ebm.exceptions import InputError

    reasons = {name: why(name) for name in dict.fromkeys(name.lower() for name in names)}
    left_out.update({name: reason for name, reason in reasons.items() if reason is not None})
    kept = tuple(name for name, reason in reasons.items() if reason is None)
    if not kept:
        raise InputError(f"no {kind} is left: {'; '.join(f'{n}: {r}' for n, r in reasons.items())}.")
    return kept


def why_no_table(name: str) -> str | None:
    """Why a table cannot be loaded here, or None."""
    from ebm.tasks.compare.tables import missing_package

    package = missing_package(name)
    return (
        None
        if package is None
        else f"{package}, which brings it, is not installed: pip install 'ebmtrack[compare]'"
    )


def show_progress(done: int, total: int, record: dict[str, Any] | None) -> None:
    """One line on the terminal that is overwritten, or none where there is no terminal."""
    if not sys.stderr.isatty():
        return
    what = (
        "" if record is None else " " + " ".join(str(v) for k, v in record["cell"].items() if k != "settings")
    )
    print(f"\r\033[K{done}/{total}{what}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _listing() -> str:
    """Tables and methods, one a line."""
    from ebm.tasks.compare.methods import METHODS, why_left_out
    from ebm.tasks.compare.tables import TABLES

    lines = ["tables:"]
    for name, table in TABLES.items():
        lines.append(f"  {name:<16} {table.about} ({table.source}; {table.licence})")
    lines += ["", "methods:"]
    for name, method in METHODS.items():
        reason = why_left_out(name)
        lines.append(f"  {name:<16} {method.about}" + (f" (left out: {reason})" if reason else ""))
    return "\n".join(lines)


def _write(
    folder: Path, results: "Sequence[Result]", report: str, given: Sequence[str], seconds: float
) -> None:
    """The results of this command beside those of all runs."""
    from ebm.files import write_atomic, write_json
    from ebm.tasks.compare.picture import save_critical_differences
    from ebm.tasks.compare.report import MEASURES, csv_of_means, csv_of_ranks, csv_of_results, rankings
    from ebm.tasks.tabular.study import versions

    write_atomic(folder / "report.md", report)
    write_atomic(folder / "results.csv", csv_of_results(results))
    for name, column in MEASURES.items():
        write_atomic(folder / f"{name}.csv", csv_of_means(results, column))
    ranked = rankings(results)
    write_atomic(folder / "ranks.csv", csv_of_ranks(ranked))
    for name in ("nll", "crps", "winkler"):
        if name in ranked:
            save_critical_differences(
                ranked[name], f"Mean rank by {MEASURES[name].title}", folder / f"ranks-{name}.png"
            )
    record = {
        "command": shlex.join(["ebmtrack", "regress", "compare", *given]),
        "cells": len(results),
        "seconds_of_this_call": round(seconds, 1),
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    write_json(folder / "study.json", record)


if __name__ == "__main__":
    raise SystemExit(main())
