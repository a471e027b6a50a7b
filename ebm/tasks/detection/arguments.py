"""Arguments that the verbs of ``ebmtrack detect`` share; importing nothing heavy."""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import CommandParser, counting_number, local_path, whole_number
from ebm.exceptions import InputError
from ebm.number_texts import parse_whole

if TYPE_CHECKING:
    from ebm.tasks.detection.data.records import DetectionSet
    from ebm.tasks.detection.loading import Saved
    from ebm.tasks.detection.problems import Problems

__all__ = [
    "DRY_STEPS",
    "add_data",
    "add_detector",
    "add_resample",
    "add_run",
    "add_setting",
    "files_of",
    "loaded",
    "new_parser",
    "opened",
    "opened_for_training",
    "rescaled",
    "tell_dry_run",
]

DRY_STEPS = 3
# The 2.5 % below an interval are one draw of 40; more than 10,000 take memory and change no digit shown.
_FEWEST, _MOST = 40, 10_000


def new_parser(verb: str, summary: str, examples: str) -> CommandParser:
    """The parser of a verb.

    Args:
        verb: its name.
        summary: what it does.
        examples: lines of text.
    """
    return CommandParser(
        prog=f"ebmtrack detect {verb}",
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data(parser: argparse.ArgumentParser, split: str, *, wanted: bool = True) -> None:
    """The pictures: a place, and a part of it.

    Args:
        parser: of the verb.
        split: the part that is meant where none is named.
        wanted: whether the place must be named.
    """
    parser.add_argument(
        "data",
        type=local_path,
        metavar="DATA",
        nargs=None if wanted else "?",
        help="instances json in the manner of COCO, or a folder of COCO, Pascal VOC or YOLO",
    )
    parser.add_argument("--split", metavar="NAME", help=f"part of a folder that has some (default: {split})")
    parser.add_argument("--limit", type=counting_number, metavar="N", help="use the first N pictures")


def add_detector(parser: argparse.ArgumentParser) -> None:
    """The detector, and the size of its pictures."""
    parser.add_argument(
        "--detector",
        default="fasterrcnn_resnet50_fpn",
        metavar="NAME",
        help="a file of 'detect train-detector', or fasterrcnn_resnet50_fpn, retinanet_resnet50_fpn, "
        "fcos_resnet50_fpn of torchvision (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="of torchvision's detector; left out: its COCO weights, downloaded once; random: for trying out",
    )
    parser.add_argument(
        "--short-side",
        type=counting_number,
        metavar="PX",
        help="to which pictures are resized for torchvision's detector; a trained file knows its own",
    )
    parser.add_argument(
        "--long-side", type=counting_number, metavar="PX", help="that they may have; likewise"
    )


def add_run(parser: argparse.ArgumentParser, *, workers: bool = True) -> None:
    """How the command is carried out."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N (default: %(default)s)")
    parser.add_argument("--threads", type=counting_number, metavar="N", help="CPU threads (default: cores)")
    if workers:
        parser.add_argument(
            "--workers",
            type=whole_number,
            default=0,
            metavar="N",
            help="processes that read pictures (default: 0)",
        )
        parser.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of all that is drawn")


def add_resample(parser: argparse.ArgumentParser, usual: int, what: str) -> None:
    """Whether scores are also taken on sets of pictures drawn again.

    Args:
        parser: of the verb.
        usual: number of sets where it is left out.
        what: is told, with %% for a percent sign; the help begins with it.
    """
    parser.add_argument(
        "--resample",
        type=_draws,
        nargs="?",
        const=usual,
        metavar="N",
        help=f"{what} on N sets of as many pictures, drawn from these with replacement ({_FEWEST} to "
        f"{_MOST:,}; N left out: {usual})",
    )


def _draws(text: str) -> int:
    """How many sets are drawn, for argparse."""
    value = parse_whole(text)
    if value is None or not _FEWEST <= value <= _MOST:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from {_FEWEST} to {_MOST:,}, got {text!r}; for the usual number put "
            "--resample last, or before another option"
        )
    return value


def add_setting(parser: argparse.ArgumentParser) -> None:
    """Changes of the recipe."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any field of the recipe, as --show names it, or @FILE with such lines; may be repeated",
    )
    parser.add_argument(
        "--iterations", type=counting_number, metavar="N", help="steps; where the rate drops moves along"
    )
    parser.add_argument("--show", action="store_true", help="print the recipe and stop")
    parser.add_argument(
        "--dry-run", action="store_true", help=f"make {DRY_STEPS} steps, say what they took, write nothing"
    )


def opened(
    place: Path, split: str | None, usual: str | None = None, limit: int | None = None
) -> "tuple[DetectionSet, Problems]":
    """A detection set, or its first pictures.

    Args:
        place: what the user has named.
        split: part that the user has named.
        usual: part that is meant otherwise, of a set that has parts.
        limit: pictures at most.

    Raises:
        InputError: if it cannot be opened, or a part is named of a file that has none.
    """
    from ebm.tasks.detection.data.opening import has_splits, open_detection_set

    parts = has_splits(place)
    if split is not None and not parts and place.is_file():
        raise InputError(f"{place} is one file, of one part: leave the split out.")
    found, problems = open_detection_set(place, split or (usual if parts else None))
    return (found if limit is None else found.chosen(range(min(limit, len(found))))), problems


def opened_for_training(args: argparse.Namespace) -> "tuple[DetectionSet, int]":
    """What of the pictures can be trained on; names on standard error what was left out.

    Returns:
        The set; and the exit code that a command ends with.

    Raises:
        InputError: if it cannot be opened, nothing can be trained on, or two categories have one name.
    """
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.tasks.detection.protocol import require_different

    found, problems = opened(args.data, args.split, "train", args.limit)
    code = tell_left_out({str(args.data): problems})
    require_different(found.names)
    data = found.for_training()
    if not data.images:
        raise InputError(
            f"{args.data} has {len(found)} pictures, none with an object that can be trained on (crowds and "
            "boxes outside their picture cannot)."
        )
    return data, code


def files_of(args: argparse.Namespace) -> dict[str, Path | list[Path] | None]:
    """What the command reads beside the pictures, by the names of arguments."""
    detector, weights = getattr(args, "detector", None), args.weights
    return {
        "--detector": None if detector is None else Path(detector),
        "--weights": None if weights is None else Path(weights),
        "--set": [Path(text[1:]) for text in args.set if text.startswith("@")],
    }


def loaded(args: argparse.Namespace) -> "tuple[Saved, Any]":
    """The branch and the detector that ``--branch`` and ``--detector`` name, on ``--device``.

    Raises:
        InputError: if a file cannot be used, or the branch was trained on another detector.
    """
    from dataclasses import replace

    from ebm.devices import resolve_device
    from ebm.tasks.detection.loading import load_detector, load_trained

    saved = load_trained(args.branch)
    detector = load_detector(
        args.detector, args.weights, short_side=args.short_side, long_side=args.long_side
    )
    saved.require_detector(detector, args.branch)
    device = resolve_device(args.device)
    detector.model.to(device)
    return replace(saved, net=saved.net.to(device)), detector


def rescaled(optimisation: Any, iterations: int | None) -> Any:
    """An optimisation of another length, its drops and its warm-up at the same shares of it.

    Raises:
        InputError: if the length is no positive number.
    """
    from dataclasses import replace

    if iterations is None:
        return optimisation
    if iterations < 1:
        raise InputError(f"--iterations must be at least 1, got {iterations}.")
    share = iterations / optimisation.iterations
    return replace(
        optimisation,
        iterations=iterations,
        drops=tuple(round(drop * share) for drop in optimisation.drops),
        warmup=min(optimisation.warmup, round(optimisation.warmup * share)),
    )


def tell_dry_run(train: Callable[[], Any], numbers: Mapping[str, Any]) -> int:
    """Run a training of `DRY_STEPS` steps and say what they took; returns the exit code."""
    start = time.perf_counter()
    train()
    seconds = (time.perf_counter() - start) / DRY_STEPS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)
    print(f"{seconds:.2f} s a step, {peak:.0f} MiB of memory at most")
    for name, value in numbers.items():
        print(f"{name}: {value}")
    print("nothing was written")
    return 0
