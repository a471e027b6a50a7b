"""``ebmtrack detect table``: the papers' table on pictures of one's own."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import counting_number, local_path, run_command, whole_number
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.arguments import add_detector, add_run, new_parser, opened
from ebm.threads import core_limit, using_threads

if TYPE_CHECKING:
    from ebm.tasks.cells import Record
    from ebm.tasks.detection.data.records import DetectionSet
    from ebm.tasks.detection.study import Study

__all__ = ["add_study", "build_parser", "main", "open_study", "run_study"]

_EXAMPLES = """\
  ebmtrack detect table photos/voc2007_5cls --detector runs/detect/detector.pt --seeds 3
  ebmtrack detect table photos/voc2007_5cls --detector runs/detect/detector.pt --methods nce+ iou-net \\
      --iterations 300 --seeds 1
      two methods, quickly
  ebmtrack detect table photos/voc2007_5cls --detector runs/detect/detector.pt --jobs 4 \\
      --seeds-of ml-mcmc-8=1
      the costliest method once

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
    parser.add_argument(
        "--no-tuning", action="store_true", help="keep the papers' step lengths instead of tuning them"
    )
    add_study(parser, "runs/detect/table")
    return parser


def add_study(parser: argparse.ArgumentParser, out: str) -> None:
    """What `table` and `sweep` have in common."""
    parser.add_argument(
        "data", type=local_path, metavar="DATA", help="folder of pictures with boxes that has both splits"
    )
    parser.add_argument("--train-split", default="train", metavar="NAME", help="default: %(default)s")
    parser.add_argument(
        "--report-split", default="val", metavar="NAME", help="scores are of it (default: %(default)s)"
    )
    parser.add_argument(
        "--tuning",
        type=counting_number,
        default=100,
        metavar="N",
        help="pictures that settings are chosen on, and nothing else (default: %(default)s)",
    )
    parser.add_argument(
        "--tuning-from",
        choices=("report", "train"),
        default="report",
        help="split that they are taken from by lot (default: %(default)s; train: if the detector has not "
        "been trained on it)",
    )
    add_detector(parser)
    parser.add_argument("--schedule", choices=("paper", "light"), default="light", help="default: light")
    parser.add_argument("--iterations", type=counting_number, metavar="N", help="of every training")
    parser.add_argument("--seeds", type=counting_number, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--jobs",
        type=counting_number,
        default=1,
        metavar="N",
        help="processes that train, each with one thread (default: 1)",
    )
    parser.add_argument(
        "--keep",
        type=whole_number,
        default=3,
        metavar="GB",
        help="memory of each process for what the light detector has seen (default: %(default)s)",
    )
    parser.add_argument(
        "--limit", type=counting_number, metavar="N", help="use the first N pictures of both splits"
    )
    parser.add_argument(
        "--out", type=local_path, default=Path(out), metavar="DIR", help="default: %(default)s"
    )
    add_run(parser)


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


def run_study(study: "Study", cells: "Sequence[dict[str, Any]]", args: argparse.Namespace) -> "list[Record]":
    """The records of a study's cells, computed in ``--jobs`` processes."""
    return study.run(cells, args.jobs, None if args.jobs == 1 else partial(_work, args))


_STUDIES: "dict[str, Study]" = {}  # of a process that computes cells: one, opened with its first cell


def _work(args: argparse.Namespace, cell: dict[str, Any]) -> dict[str, Any]:
    """A cell's record, computed by a process of several."""
    key = repr(vars(args))
    if key not in _STUDIES:
        _STUDIES[key], _ = open_study(args, tell=False)
    return _STUDIES[key].work(cell)


def open_study(args: argparse.Namespace, *, tell: bool = True) -> "tuple[Study, int]":
    """Detector and pictures as the arguments say, and the exit code: 1 where rows of them were left out.

    Args:
        args: of `add_study`; ``on="tuning"`` reports on the tuning part.
        tell: name on standard error what was left out.

    Raises:
        InputError: if something cannot be opened, or a picture is in both parts.
    """
    from ebm.devices import resolve_device
    from ebm.files import require_writable_folder
    from ebm.tasks.detection.data.opening import has_splits
    from ebm.tasks.detection.loading import load_detector
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.tasks.detection.study import Study, divided

    inputs = {"DATA": args.data, "--detector": Path(args.detector)}
    require_outputs([Output(name="--out", path=args.out, folder=True)], inputs)
    if args.data.is_file() and not has_splits(args.data):
        raise InputError(f"{args.data} is one file, of one part: name a folder that has two.")
    data, left = opened(args.data, args.train_split, limit=args.limit)
    report, more = opened(args.data, args.report_split, limit=args.limit)
    _require_apart(data, report)
    left_out = {f"{args.data}, {args.train_split}": left, f"{args.data}, {args.report_split}": more}
    code = tell_left_out(left_out) if tell else 0
    of_report = args.tuning_from == "report"
    source, what = (report, "report") if of_report else (data, "train")
    if args.tuning >= len(source):
        raise InputError(f"--tuning {args.tuning} leaves none of {len(source)} pictures to {what} on.")
    detector = load_detector(
        args.detector, args.weights, short_side=args.short_side, long_side=args.long_side
    )
    detector.model.to(resolve_device(args.device))
    require_writable_folder(args.out)
    parts = divided(data, report, args.tuning, of_report=of_report)
    if getattr(args, "on", None) == "tuning":
        parts = replace(parts, report=parts.tune)
    room = 1e9 * args.keep
    return Study(detector, parts, args.out, args.schedule, args.iterations, args.workers, room, _say), code


def _require_apart(data: "DetectionSet", report: "DetectionSet") -> None:
    """Refuse a picture in both parts: scores on what was trained on say nothing.

    Raises:
        InputError: naming the first of them.
    """
    known = {os.path.realpath(image.path) for image in data.images}
    both = [image.path for image in report.images if os.path.realpath(image.path) in known]
    if both:
        raise InputError(
            f"{len(both)} pictures are in both splits, first {both[0]}: scores on what was trained on say "
            "nothing. Name another --train-split or --report-split."
        )


def _table(args: argparse.Namespace, command: str) -> int:
    changes, seeds = _changes(args), _seeds(args)
    with using_threads(args.threads or core_limit()):
        return _tabled(args, command, changes, seeds)


def _tabled(
    args: argparse.Namespace, command: str, changes: dict[str, list[str]], seeds: dict[str, int]
) -> int:
    from ebm.files import write_atomic, write_json
    from ebm.tasks.detection.report import (
        claims,
        means_of,
        published_table,
        runs_table,
        save_plot,
        study_table,
    )
    from ebm.tasks.detection.running import DETECTOR

    study, code = open_study(args)
    cells: list[dict[str, Any]] = [study.cell(DETECTOR, 0)]
    for seed in range(max(seeds.values())):
        for name in (name for name in args.methods if seed < seeds[name]):
            cells.append(study.cell(name, seed, changes.get(name, ()), tune=not args.no_tuning))
    records = run_study(study, cells, args)
    means = means_of(records)
    ours, published = study_table(means), published_table(list(means))
    held = claims(means)
    text = f"{ours.markdown()}\n{published.markdown()}\n" + "".join(f"- {line}\n" for line in held)
    write_atomic(args.out / "table.md", text)
    write_atomic(args.out / "table.csv", ours.csv())
    write_atomic(args.out / "runs.csv", runs_table(records).csv())
    write_json(args.out / "study.json", {"command": command, "cells": cells})
    print(ours)
    print(f"\n{published}\n")
    print("\n".join(held))
    save_plot(means, args.out / "table.png")
    print(f"table.md, table.csv and table.png are in {args.out}", file=sys.stderr)
    return code


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


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
