"""``ebmtrack regress``: energy-based regression beside Gaussian, mixture-density and quantile regression."""

import argparse
import importlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import CommandParser, local_path, run_command
from ebm.outputs import Output, require_outputs
from ebm.threads import in_words, using_threads

if TYPE_CHECKING:
    from ebm.tasks.tabular.study import Plan, Result

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
examples:
  ebmtrack regress --quick                              one split, few epochs: seconds
  ebmtrack regress                                      five losses and three baselines, minutes
  ebmtrack regress --methods all --splits 10            all eight losses, ten splits of every problem
  ebmtrack regress --problems toy-1 --methods nce+ mdn-4
  ebmtrack regress compare --help                       beside other packages, on many tables
  ebmtrack regress guarantees --help                    how many targets calibrated intervals hold
  ebmtrack regress my.csv --target y                    your own table: fit, calibrate, score, report
  ebmtrack regress table --help                         all about that

Finished runs stay in the output folder; the same command again runs only what is missing.
"""
# Commands of their own, by the module whose ``main(argv)`` runs them.
STUDIES = {
    "compare": "ebm.tasks.compare.command",
    "guarantees": "ebm.tasks.compare.guarantees_command",
    "table": "ebm.tasks.table.command",
}
_OF_TABLES = ("--target", "--predict", "--model")
_DEFAULT_METHODS = ("nce+", "nce", "ml-is", "kld-is", "dsm", "gaussian", "mdn-4", "quantile")
_QUICK_METHODS = ("nce+", "gaussian", "mdn-4", "quantile")


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = CommandParser(
        prog="ebmtrack regress",
        description="Compare energy-based with other conditional densities: NLL, CRPS, coverage.\n"
        "'compare' (other packages, many tables) and 'guarantees' (calibrated intervals) are studies apart,\n"
        "'table' fits and reports a table of your own.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="diabetes, toy-1, toy-2 (default: all)")
    parser.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help=f"losses or baselines, or all (default: {' '.join(_DEFAULT_METHODS)})",
    )
    parser.add_argument(
        "--splits", type=int, metavar="N", help="of every problem (default: diabetes 10, toy 3)"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="most passes over the data")
    parser.add_argument("--quick", action="store_true", help="1 split, 25 epochs, four methods, unless given")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1; the networks are small)"
    )
    parser.add_argument(
        "--out", type=local_path, default=Path("runs") / "regress", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--format", choices=("text", "markdown"), default="text", help="of the printed table")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a run failed; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    name, rest = _study(given)
    if name is not None:
        study: Callable[[Sequence[str]], int] = importlib.import_module(STUDIES[name]).main
        return study(rest)
    return run_command(
        build_parser(),
        lambda args: _run(args, given),
        given,
        interrupted="the same command goes on where it ended.",
    )


def _study(given: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The command that the arguments are for, and its own; None where they are for this one.

    A table may be named without a command: this one takes nothing but options, and others than tables do.
    """
    if given and given[0] in STUDIES:
        return given[0], given[1:]
    of_a_table = any(word.split("=")[0] in _OF_TABLES for word in given)
    return ("table" if of_a_table or (given and not given[0].startswith("-")) else None), given


def _run(args: argparse.Namespace, given: Sequence[str]) -> int:
    from ebm.tasks.tabular.report import markdown, text
    from ebm.tasks.tabular.study import run_study

    plan = _plan(args)
    require_outputs([Output(name="--out", path=args.out, folder=True)])
    start = time.perf_counter()
    print(f"{plan.device}, {in_words(args.threads, 'thread')}", file=sys.stderr)
    with using_threads(args.threads):
        results = run_study(plan, args.out, _show)
        _write(args.out, plan, results, given, time.perf_counter() - start)
    print(markdown(results) if args.format == "markdown" else text(results))
    print(f"\nresults.csv, table.md and study.json are in {args.out}", file=sys.stderr)
    return int(any(result.scores is None for result in results))


def _plan(args: argparse.Namespace) -> "Plan":
    """The plan that the arguments describe."""
    from ebm.checks import require_count
    from ebm.devices import usable_device
    from ebm.fitting import FitConfig
    from ebm.lookup import lookup
    from ebm.tasks.tabular.methods import METHODS
    from ebm.tasks.tabular.problems import PROBLEMS
    from ebm.tasks.tabular.study import Plan

    require_count("--threads", args.threads)
    asked = args.methods or (_QUICK_METHODS if args.quick else _DEFAULT_METHODS)
    methods = METHODS if "all" in asked else tuple(dict.fromkeys(name.lower() for name in asked))
    for name in methods:
        lookup("method", name, dict.fromkeys(METHODS))
    problems = args.problems or list(PROBLEMS)
    for name in problems:
        lookup("problem", name, PROBLEMS)
    usual = dict.fromkeys(PROBLEMS, 1) if args.quick else Plan().splits
    splits = {
        name: usual[name] if args.splits is None else require_count("splits", args.splits)
        for name in problems
    }
    epochs = args.epochs if args.epochs is not None else 25 if args.quick else None
    options: dict[str, Any] = {} if epochs is None else {"epochs": require_count("epochs", epochs)}
    return Plan(
        methods=methods, splits=splits, config=FitConfig(**options), device=str(usable_device(args.device))
    )


def _write(
    folder: Path, plan: "Plan", results: "Sequence[Result]", given: Sequence[str], seconds: float
) -> None:
    """The results of this command beside those of all runs."""
    import torch

    from ebm.files import write_atomic, write_json
    from ebm.tasks.tabular.report import csv_of_results, markdown
    from ebm.tasks.tabular.study import versions

    write_atomic(folder / "results.csv", csv_of_results(results))
    write_atomic(folder / "table.md", markdown(results))
    record = {
        "command": shlex.join(["ebmtrack", "regress", *given]),
        "config": {key: value for key, value in plan.config.plain().items() if key not in ("loss", "seed")},
        "splits": dict(plan.splits),
        "seeds": "0 to splits - 1, of the split, the network and all noise",
        "training_seconds": round(sum(r.scores.seconds for r in results if r.scores is not None), 1),
        "seconds_of_this_call": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    write_json(folder / "study.json", record)


def _show(done: int, total: int, result: "Result | None") -> None:
    """One line on the terminal that is overwritten, or none where there is no terminal."""
    if not sys.stderr.isatty():
        return
    what = "" if result is None else f" {result.cell.problem} {result.cell.method} {result.cell.seed}"
    print(f"\r\033[K{done}/{total}{what}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
