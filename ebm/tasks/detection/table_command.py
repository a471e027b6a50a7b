"""``ebmtrack detect table``: the papers' table on pictures of one's own."""

import argparse
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import counting_number, run_command
from ebm.exceptions import InputError
from ebm.number_texts import parse_number
from ebm.tasks.detection.arguments import add_resample, new_parser
from ebm.tasks.detection.study_arguments import add_study, open_study, require_distinct, run_study
from ebm.threads import core_limit, using_threads

if TYPE_CHECKING:
    from ebm.tasks.cells import Record
    from ebm.tasks.detection.report import Drawn
    from ebm.tasks.detection.study import Study

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
  ebmtrack detect table photos/voc2007_5cls --detector runs/detect/detector.pt --seeds 3
  ebmtrack detect table photos/voc2007_5cls --detector runs/detect/detector.pt --methods nce+ iou-net \\
      --iterations 300 --seeds 1
      two methods, quickly
  ebmtrack detect table photos/voc2007_5cls --detector runs/detect/detector.pt --jobs 4 \\
      --seeds-of ml-mcmc-8=1
      the costliest method once
  ebmtrack detect table photos/voc2007_5cls --detector runs/detect/detector.pt --rates 0.3 1 3 \\
      --rates-of ml-mcmc-8=1
      choose learning rates as well, but for the costliest method

Finished trainings stay in the output folder; the same command again runs only what is missing.
"""
METHODS = (
    *("gaussian", "laplace", "mixture-2", "mixture-4", "mixture-8", "cvae", "iou-net", "iou-net*"),
    *("ml-is", "kld-is", "ml-mcmc-1", "ml-mcmc-4", "ml-mcmc-8", "nce", "dsm", "nce+"),
)


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = new_parser(
        "table",
        "Train every method on the features of one detector, tune its step length on pictures held out, "
        "and score it on the reported part; the published table stands beside it.",
        _EXAMPLES,
    )
    parser.add_argument("--methods", nargs="+", metavar="NAME", default=METHODS, help="default: all 16")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="METHOD:KEY=VALUE",
        help="change a method's recipe, e.g. dsm:optimisation.rate=1e-3",
    )
    parser.add_argument(
        "--seeds-of",
        action="append",
        default=[],
        metavar="METHOD=N",
        help="seeds of a method that takes long, e.g. ml-mcmc-8=1; may be repeated",
    )
    _add_rates(parser)
    parser.add_argument(
        "--no-tuning", action="store_true", help="keep the papers' step lengths instead of tuning them"
    )
    add_resample(parser, 500, "also how far gains and differences of the reported part move")
    add_study(parser, "runs/detect/table")
    return parser


def _add_rates(parser: argparse.ArgumentParser) -> None:
    """Which learning rates are tried."""
    parser.add_argument(
        "--rates",
        nargs="+",
        type=_factor,
        default=[],
        metavar="FACTOR",
        help="positive factors on the learning rate of every recipe, each a training of its own; all seeds "
        "take the one of the best AP on the tuning pictures (default: the recipe's own rate, with no choice)",
    )
    parser.add_argument(
        "--rates-of",
        action="append",
        default=[],
        metavar="METHOD=FACTOR[,FACTOR...]",
        help="other factors for a method, e.g. ml-mcmc-8=1; may be repeated",
    )
    parser.add_argument(
        "--rate-seeds",
        type=counting_number,
        default=1,
        metavar="N",
        help="seeds that each rate is tried with; the mean AP decides, and a rate that one of them fails at "
        "is out (default: %(default)s)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where rows of the data were left out; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    command = shlex.join(["ebmtrack", "detect", "table", *(sys.argv[1:] if argv is None else argv)])
    return run_command(
        build_parser(),
        lambda args: _table(args, command),
        argv,
        interrupted="finished trainings are kept; the same command goes on.",
    )


def _table(args: argparse.Namespace, command: str) -> int:
    require_distinct("--methods", args.methods)
    changes, seeds, rates = _changes(args), _seeds(args), _rates(args)
    with using_threads(args.threads or core_limit()):
        from ebm.tasks.detection.running import DETECTOR

        study, code = open_study(args)
        cells = [study.cell(DETECTOR, 0)]
        for seed in range(max(seeds.values())):
            for name in (name for name in args.methods if seed < seeds[name]):
                own = changes.get(name, ())
                choice = {"rates": rates[name], "rate_seeds": args.rate_seeds}
                cells.append(study.cell(name, seed, own, tune=not args.no_tuning, **choice))
        if args.resample:
            _require_kept(study, cells)
        records = run_study(study, cells, args)
        drawn = _drawn(records, study, args.resample) if args.resample else None
        _write(records, args.out, command, drawn)
    return code


def _require_kept(study: "Study", cells: "list[dict[str, Any]]") -> None:
    """Refuse, before anything is trained, what cannot be scored on other pictures afterwards.

    Raises:
        InputError: if a cell is computed already and its detections are not there.
    """
    from ebm.tasks.cells import read_records

    for record in read_records(study.results):
        if record["cell"] in cells and not (study.out / record.get("detections", "")).is_file():
            name = f"{record['cell']['method']}, seed {record['cell']['seed']}"
            why = (
                f"{study.out / record['detections']} is missing"
                if "detections" in record
                else "an earlier release made it, which kept none"
            )
            raise InputError(
                f"{study.results} has {name}, but --resample needs the detections too: {why}. Without "
                "--resample the same command gives the table; with it, name another --out."
            )


def _drawn(records: "list[Record]", study: "Study", draws: int) -> "Drawn":
    """Scores of the methods on other sets of pictures, from the detections that the study has kept.

    Raises:
        InputError: if they are damaged.
    """
    from ebm.tasks.detection.report import averaged
    from ebm.tasks.detection.resampling import resampled_scores
    from ebm.tasks.detection.results_file import read_detections

    truth = study.parts.report
    found = {
        file: read_detections(study.out / file, truth, to_score=True)[0]
        for file in (record["detections"] for record in records)
    }
    return averaged(records, resampled_scores(found, truth, draws, progress=True))


def _write(records: "list[Record]", out: Path, command: str, drawn: "Drawn | None") -> None:
    """Print the table and write it in every form."""
    from ebm.files import write_atomic, write_json
    from ebm.tasks.detection.claims import claims
    from ebm.tasks.detection.plot import save_plot
    from ebm.tasks.detection.report import (
        means_of,
        published_table,
        runs_table,
        study_table,
    )

    means = means_of(records)
    ours, published = study_table(means, drawn), published_table(list(means))
    held = claims(means, drawn)
    text = f"{ours.markdown()}\n{published.markdown()}\n" + "".join(f"- {line}\n" for line in held)
    write_atomic(out / "table.md", text)
    write_atomic(out / "table.csv", ours.csv())
    write_atomic(out / "runs.csv", runs_table(records).csv())
    write_json(out / "study.json", {"command": command, "cells": [record["cell"] for record in records]})
    print(ours)
    print(f"\n{published}\n")
    print("\n".join(held))
    save_plot(means, out / "table.png", drawn)
    print(f"table.md, table.csv and table.png are in {out}", file=sys.stderr)


def _changes(args: argparse.Namespace) -> dict[str, list[str]]:
    """Changes of recipes by method.

    Raises:
        InputError: if one has no method.
        UnknownNameError: for a method that does not exist.
    """
    from ebm.lookup import lookup
    from ebm.tasks.detection.recipes import RECIPES

    for name in args.methods:
        lookup("method", name, RECIPES)
    found: dict[str, list[str]] = {}
    for text in args.set:
        name, colon, change = text.partition(":")
        if not colon:
            raise InputError(f"--set takes METHOD:KEY=VALUE here, got {text!r}.")
        lookup("method", name, RECIPES)
        found.setdefault(name, []).append(change)
    return found


def _seeds(args: argparse.Namespace) -> dict[str, int]:
    """How many seeds every method has.

    Raises:
        InputError: if a text is not METHOD=N of a method of the table.
    """
    found = dict.fromkeys(args.methods, args.seeds)
    for text in args.seeds_of:
        name, _, number = text.partition("=")
        if name not in found or not (number.isdecimal() and int(number)):
            raise InputError(
                f"--seeds-of takes METHOD=N, N of at least 1, of a method of the table; got {text!r}."
            )
        found[name] = int(number)
    return found


def _rates(args: argparse.Namespace) -> dict[str, list[float]]:
    """Factors on the learning rate of every method; none where it has no choice.

    Raises:
        InputError: if a text is not METHOD=FACTOR[,FACTOR...] of a method of the table, or a factor is given
            twice.
    """
    found = dict.fromkeys(args.methods, _different("--rates", args.rates))
    for text in args.rates_of:
        name, _, numbers = text.partition("=")
        try:
            factors = [_factor(number) for number in numbers.split(",")]
        except argparse.ArgumentTypeError:
            factors = []
        if name not in found or not factors:
            raise InputError(
                "--rates-of takes METHOD=FACTOR[,FACTOR...], positive finite factors for a method of the "
                f"table; got {text!r}."
            )
        found[name] = _different(f"--rates-of {text}", factors)
    return found


def _different(option: str, factors: list[float]) -> list[float]:
    """The factors, of which no two are one in nine digits.

    Raises:
        InputError: if one is given twice.
    """
    told = [f"{factor:.9g}" for factor in factors]
    for place, factor in enumerate(told):
        if factor in told[:place]:
            raise InputError(f"{option}: the factor {factor} is given twice; leave one of them out.")
    return factors


def _factor(text: str) -> float:
    """A positive finite number, for argparse."""
    try:
        value = parse_number(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive finite number, got {text!r}")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
