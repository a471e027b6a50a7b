"""``ebmtrack regress TABLE --target NAME``: all that there is to know about a table of a user's own."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import CommandParser, local_path, run_command
from ebm.exceptions import InputError, PredictionInterrupted
from ebm.outputs import Output, require_outputs
from ebm.threads import using_threads

if TYPE_CHECKING:
    from ebm.tasks.table.run import Choice, Outcome

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
examples:
  ebmtrack regress houses.csv --target price
  ebmtrack regress houses.csv --target price --drop id --drop street --members 1 --epochs 30
  ebmtrack regress load.parquet --target power --time-order         the last rows are the test
  ebmtrack regress poses.csv --target x --target y                  two targets together
  ebmtrack regress --predict new.csv --model runs/table/houses/model.ebm

The first line of a table names its columns. Targets must be numbers, inputs
numbers or text of few values; rows without a target are left out.
A fit writes report.html (open it in a browser), predictions.csv (of the test rows), model.ebm, summary.json.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = CommandParser(
        prog="ebmtrack regress",
        usage="ebmtrack regress TABLE --target NAME [options]\n"
        "       ebmtrack regress --predict TABLE --model FILE [--out DIR]",
        description="Fit a density to a table, calibrate it, score it on rows of its own, and report.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "table", nargs="?", type=local_path, metavar="TABLE", help=".csv, .csv.gz or .parquet"
    )
    parser.add_argument(
        "--target", action="append", metavar="NAME", help="a column to predict; may be repeated"
    )
    parser.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="NAME",
        help="a column that is no input; may be repeated",
    )
    parser.add_argument(
        "--separator", metavar="CHAR", help="of a text (default: , ; tab or |, as in its first line)"
    )
    parser.add_argument(
        "--out",
        type=local_path,
        metavar="DIR",
        help="default: runs/table/NAME, after the table; NAME-2, ... where it is there",
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
    _add_fit(parser.add_argument_group("fit"))
    new = parser.add_argument_group("prediction")
    new.add_argument(
        "--predict", type=local_path, metavar="TABLE", help="rows to predict, with a fit of before"
    )
    new.add_argument("--model", type=local_path, metavar="FILE", help="that fit, model.ebm")
    return parser


def _add_fit(group: Any) -> None:
    group.add_argument(
        "--test",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="of the rows, to score (default: %(default)s)",
    )
    group.add_argument(
        "--calibration",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="of the rows, to calibrate intervals with; 0 for none (default: %(default)s)",
    )
    group.add_argument(
        "--time-order",
        action="store_true",
        help="rows are in order of time: fit the first, test the last (default: at random)",
    )
    group.add_argument(
        "--level", type=float, default=0.9, metavar="P", help="of intervals (default: %(default)s)"
    )
    group.add_argument("--members", type=int, default=4, metavar="N", help="networks (default: %(default)s)")
    group.add_argument(
        "--density", metavar="NAME", help="energy, gaussian, laplace, mdn-4, quantile ... (default: energy)"
    )
    group.add_argument("--loss", metavar="NAME", help="of the energy (default: nce+)")
    group.add_argument("--epochs", type=int, metavar="N", help="most passes over the rows (default: 150)")
    group.add_argument("--hidden", type=int, nargs="+", metavar="N", help="layer sizes (default: 32 32)")
    group.add_argument(
        "--impute", action="store_true", help="fill gaps of inputs by medians, and learn from where they are"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        build_parser(),
        lambda args: _run(args, given),
        given,
        interrupted="what is in the output folder is whole; start again.",
    )


def _run(args: argparse.Namespace, given: Sequence[str]) -> int:
    from ebm.checks import require_count

    _require_one_task(args)
    require_count("--threads", args.threads)
    table = args.predict if args.predict is not None else args.table
    folder = _free(Path("runs") / "table" / table.name.split(".")[0]) if args.out is None else args.out
    with using_threads(args.threads):
        return _predict(args, folder) if args.predict is not None else _fit(args, folder, given)


def _require_one_task(args: argparse.Namespace) -> None:
    if (args.predict is None) != (args.model is None):
        raise InputError("--predict and --model go together: --predict new.csv --model model.ebm.")
    if args.predict is not None:
        if args.table is not None or args.target:
            raise InputError("--predict takes the table to predict and no other; --target is in the model.")
    elif args.table is None:
        raise InputError("name a table, for example: ebmtrack regress houses.csv --target price.")
    elif not args.target and not args.table.exists():
        raise InputError(f"there is neither a table nor a study {args.table}; ebmtrack regress --help.")
    elif not args.target:
        raise InputError(f"name the column to predict: ebmtrack regress {args.table} --target NAME.")


def _fit(args: argparse.Namespace, folder: Path, given: Sequence[str]) -> int:
    from ebm.pictures.style import require_matplotlib
    from ebm.tasks.table.run import FILES, fit_table, write_outcome
    from ebm.tasks.table.sheets import read_sheet

    require_matplotlib()
    checkpoint = folder / "fit.checkpoint"
    require_outputs(_outputs(folder, (*FILES, checkpoint.name)), {"the table": args.table})
    choice = _choice(args)
    sheet = read_sheet(args.table, args.separator)
    title = f"{', '.join(choice.targets)} in {args.table.name}"
    command = ["ebmtrack", "regress", *given]
    try:
        outcome = fit_table(sheet, choice, title, checkpoint)
        write_outcome(outcome, choice, folder, shlex.join(command))
    except KeyboardInterrupt as stop:
        if not checkpoint.exists():
            raise
        again = command if args.out is not None else [*command, "--out", str(folder)]
        raise KeyboardInterrupt(f"the fit goes on from where it is with: {shlex.join(again)}") from stop
    checkpoint.unlink(missing_ok=True)
    _print(outcome)
    print(f"\n{', '.join(FILES)} are in {folder}", file=sys.stderr)
    return 0


def _predict(args: argparse.Namespace, folder: Path) -> int:
    from ebm.files import write_atomic
    from ebm.fitting import load_fitted
    from ebm.tasks.table.run import predict_table
    from ebm.tasks.table.sheets import read_sheet

    require_outputs(
        _outputs(folder, ("predictions.csv", "predictions.partial.csv")),
        {"the table": args.predict, "--model": args.model},
    )
    fitted = load_fitted(args.model, device=args.device)
    sheet, partial = read_sheet(args.predict, args.separator), folder / "predictions.partial.csv"
    try:
        text, words = predict_table(fitted, sheet)
    except PredictionInterrupted as stop:
        write_atomic(partial, stop.result)
        told = f"the first {stop.done} of {len(sheet)} rows are in {partial}"
        raise KeyboardInterrupt(f"{told}; the table from there on is what is left.") from stop
    write_atomic(folder / "predictions.csv", text)
    partial.unlink(missing_ok=True)
    print(words)
    print(f"predictions.csv is in {folder}", file=sys.stderr)
    return 0


def _free(folder: Path) -> Path:
    """The folder, or with a number behind its name: what an earlier run wrote there stays."""
    found, number = folder, 2
    while found.exists():
        found, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return found


def _outputs(folder: Path, names: Sequence[str]) -> list[Output]:
    return [Output(name="--out", path=folder, folder=True)] + [
        Output(name="the output", path=folder / name) for name in names
    ]


def _choice(args: argparse.Namespace) -> "Choice":
    """What the arguments ask for, checked before anything is read."""
    from ebm.density.base import require_level
    from ebm.fitting import FitConfig
    from ebm.tasks.table.run import Choice

    own = {"members": args.members, "model": args.density, "loss": args.loss, "epochs": args.epochs}
    own["hidden"] = None if args.hidden is None else tuple(args.hidden)
    options = {name: value for name, value in own.items() if value is not None}
    FitConfig(seed=args.seed, **options)
    require_level(args.level)
    return Choice(
        targets=tuple(dict.fromkeys(args.target)),
        left_out=tuple(args.drop),
        test=args.test,
        calibration=args.calibration,
        in_order=args.time_order,
        level=args.level,
        seed=args.seed,
        options=options | ({"missing": "impute"} if args.impute else {}) | {"device": args.device},
    )


def _print(outcome: "Outcome") -> None:
    report = outcome.report
    print(report.evaluation.table())
    print(f"\n{report.intervals}\n")
    for sentence in report.verdict:
        print(sentence)
    for note in outcome.notes:
        print(f"note: {note}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
