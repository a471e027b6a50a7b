"""``ebmtrack detect sweep``: one setting of a method over several values."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from ebm.command import run_command
from ebm.exceptions import InputError
from ebm.tasks.detection.arguments import new_parser
from ebm.tasks.detection.study_arguments import add_study, open_study, require_distinct, run_study
from ebm.threads import core_limit, using_threads

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
  ebmtrack detect sweep photos/voc2007_5cls --detector runs/detect/detector.pt \\
      --methods nce nce+ ml-is --vary method.num_samples 1 16 127 --on report
      who trains with one sample a label?
  ebmtrack detect sweep photos/voc2007_5cls --detector runs/detect/detector.pt --methods nce+ \\
      --vary method.sigmas "((0.075,0.075),)" "((0.3,0.3),)" "((0.075,0.075),(0.15,0.15),(0.3,0.3))" \\
      --on report
      a narrow width, a wide one, all three
  ebmtrack detect sweep photos/voc2007_5cls --detector runs/detect/detector.pt --methods dsm \\
      --vary optimisation.rate 1e-4 1e-3 1e-2
      choose a learning rate, on pictures that are not reported on
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = new_parser(
        "sweep", "Train methods with several values of one setting, and score each of them.", _EXAMPLES
    )
    parser.add_argument("--methods", nargs="+", metavar="NAME", default=["nce+"], help="default: nce+")
    parser.add_argument(
        "--vary",
        nargs="+",
        required=True,
        metavar=("KEY", "VALUE"),
        help="a field of the recipe, as 'detect train METHOD --show' names it, and its values",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change another field of every method's recipe, e.g. optimisation.rate=9e-4; may be repeated",
    )
    parser.add_argument(
        "--on",
        choices=("report", "tuning"),
        default="tuning",
        help="score the tuning part, to choose a value by, or the reported part (default: %(default)s)",
    )
    parser.add_argument("--tune", action="store_true", help="tune the step length of every training")
    add_study(parser, "runs/detect/sweep")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where rows of the data were left out; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    command = shlex.join(["ebmtrack", "detect", "sweep", *(sys.argv[1:] if argv is None else argv)])
    return run_command(
        build_parser(),
        lambda args: _sweep(args, command),
        argv,
        interrupted="finished trainings are kept; the same command goes on.",
    )


def _sweep(args: argparse.Namespace, command: str) -> int:
    if len(args.vary) < 2:
        raise InputError("--vary takes a field of the recipe and at least one value.")
    require_distinct("--methods", args.methods)
    require_distinct(f"--vary {args.vary[0]}", args.vary[1:])
    if any(change.partition("=")[0].strip() == args.vary[0] for change in args.set):
        raise InputError(f"--set and --vary both change {args.vary[0]}: leave it out of one of them.")
    with using_threads(args.threads or core_limit()):
        return _swept(args, command)


def _swept(args: argparse.Namespace, command: str) -> int:
    from ebm.files import write_atomic, write_json
    from ebm.tasks.detection.report import means_of, sweep_table

    key, *values = args.vary
    study, code = open_study(args)
    cells = [
        study.cell(name, seed, [*args.set, f"{key}={value}"], tune=args.tune)
        for name in args.methods
        for value in values
        for seed in range(args.seeds)
    ]
    records = run_study(study, cells, args)
    for record in records:
        record["cell"] = record["cell"] | {
            "row": f"{record['cell']['method']}, {record['cell']['changes'][-1].partition('=')[2]}"
        }
    table = sweep_table(means_of(records, "row"), f"method, {key}", args.set)
    write_atomic(args.out / "sweep.md", table.markdown())
    write_atomic(args.out / "sweep.csv", table.csv())
    write_json(args.out / "sweep.json", {"command": command, "cells": cells})
    print(table)
    print(f"sweep.md and sweep.csv are in {args.out}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
