"""What ``ebmtrack detect table`` and ``sweep`` have in common: arguments, opened pictures, processes."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import counting_number, local_path, whole_number
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.arguments import add_detector, add_run, opened

if TYPE_CHECKING:
    from ebm.tasks.cells import Record
    from ebm.tasks.detection.data.records import DetectionSet
    from ebm.tasks.detection.study import Study

__all__ = ["add_study", "open_study", "require_distinct", "run_study"]


def add_study(parser: argparse.ArgumentParser, out: str) -> None:
    """The arguments of a study."""
    _add_pictures(parser)
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
        "--out", type=local_path, default=Path(out), metavar="DIR", help="default: %(default)s"
    )
    add_run(parser)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    """Which pictures are for what."""
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
    parser.add_argument(
        "--limit", type=counting_number, metavar="N", help="use the first N pictures of both splits"
    )


def require_distinct(option: str, values: "Sequence[str]") -> None:
    """Refuse a cell that would be there twice: its seeds would count as more than they are.

    Raises:
        InputError: naming the first value that is given twice.
    """
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise InputError(f"{option}: {twice} is given twice; leave one of them out.")


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
    from ebm.tasks.detection.parts import divided
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.tasks.detection.study import Study

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


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
