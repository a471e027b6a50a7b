"""``ebmtrack regress TABLE --target NAME``: all that there is to know about a table of a user's own."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import run_command
from ebm.exceptions import InputError, PredictionInterrupted
from ebm.outputs import Output, require_outputs
from ebm.tasks.table.arguments import build_parser, parse_support
from ebm.threads import using_threads

if TYPE_CHECKING:
    from ebm.tasks.table.run import Choice, Outcome

__all__ = ["build_parser", "main"]


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
        hint = "" if args.model is None else f" The kind of density is --density {args.model}."
        raise InputError(f"--predict and --model go together: --predict new.csv --model model.ebm.{hint}")
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
        text, words = predict_table(fitted, sheet, args.level)
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
    return Choice(
        targets=tuple(dict.fromkeys(args.target)),
        left_out=tuple(args.drop),
        groups=args.groups,
        weights=args.weights,
        dates=tuple(args.date),
        test=args.test,
        calibration=args.calibration,
        in_order=args.time_order,
        levels=tuple(dict.fromkeys(require_level(level) for level in args.level)),
        seed=args.seed,
        options=options | _table_options(args) | {"device": args.device},
    )


def _table_options(args: argparse.Namespace) -> dict[str, Any]:
    """Those of `ebm.fit` that say what targets and inputs are."""
    from ebm.fitting.config import TableOptions

    options: dict[str, Any] = {"missing": "impute"} if args.impute else {}
    if args.max_levels is not None:
        options["max_levels"] = args.max_levels
    TableOptions(**options)
    if args.support is None:
        return options
    each = [parse_support(text) for text in args.support]
    if len(each) not in (1, len(args.target)):
        raise InputError(
            f"--support is given {len(each)} times for {len(args.target)} targets; give it once for all, or "
            "once for each."
        )
    return options | {"support": each[0] if len(each) == 1 else each}


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
