"""``ebmtrack regress guarantees``: what calibrated intervals and sets hold, and how wide they are."""

import argparse
import sys
from collections.abc import Sequence

from ebm.command import CommandParser, run_command
from ebm.outputs import Output, require_outputs
from ebm.tasks.compare.command import add_study_options, show_progress, usable, why_no_table

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
examples:
  ebmtrack regress guarantees --quick                    two splits of four small tables
  ebmtrack regress guarantees --jobs 2                   all tables, 20 splits, about an hour

Finished cells stay in the output folder; the same command again runs only what is missing.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = CommandParser(
        prog="ebmtrack regress guarantees",
        description="Fit, calibrate and test: coverage and width at 50, 80, 90 and 95 %.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_study_options(parser, splits="default: 20, with --quick 2", out="guarantees")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a fit failed; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    return run_command(build_parser(), _run, argv, interrupted="the same command goes on where it ended.")


def _run(args: argparse.Namespace) -> int:
    from ebm.checks import require_count
    from ebm.files import write_atomic
    from ebm.tasks.compare.budget import QUICK, Budget
    from ebm.tasks.compare.guarantees import GuaranteePlan, run_guarantees
    from ebm.tasks.compare.guarantees_report import csv_of_held, markdown_of_held
    from ebm.tasks.compare.tables import QUICK_TABLES, TABLES
    from ebm.threads import using_threads

    left_out: dict[str, str] = {}
    asked = args.tables or (QUICK_TABLES if args.quick else tuple(TABLES))
    plan = GuaranteePlan(
        tables=usable("table", asked, why_no_table, left_out),
        splits=require_count("--splits", (2 if args.quick else 20) if args.splits is None else args.splits),
        budget=QUICK if args.quick else Budget(),
    )
    for name, why in left_out.items():
        print(f"left out: {name}: {why}", file=sys.stderr)
    require_outputs([Output(name="--out", path=args.out, folder=True)])
    with using_threads(1):
        held, messages = run_guarantees(
            plan, args.out, jobs=require_count("--jobs", args.jobs), report=show_progress
        )
    report = markdown_of_held(held, messages)
    write_atomic(args.out / "report.md", report)
    write_atomic(args.out / "results.csv", csv_of_held(held))
    print(report)
    print(f"report.md and results.csv are in {args.out}", file=sys.stderr)
    return int(any("failed:" in message for message in messages))


if __name__ == "__main__":
    raise SystemExit(main())
