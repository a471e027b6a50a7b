"""``ebmtrack detect train``: train a branch on the features of a frozen detector."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import local_path, run_command
from ebm.tasks.detection.arguments import (
    DRY_STEPS,
    add_data,
    add_detector,
    add_run,
    add_setting,
    files_of,
    new_parser,
    opened_for_training,
    rescaled,
    tell_dry_run,
)
from ebm.threads import core_limit, using_threads

if TYPE_CHECKING:
    from ebm.tasks.detection.recipes import Recipe

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
  ebmtrack detect train nce+ photos/voc2007_5cls --detector runs/detect/detector.pt
  ebmtrack detect train kld-is coco2017 --workers 8 --device cuda
      the full recipe, on torchvision's Faster R-CNN with its COCO weights
  ebmtrack detect train nce+ coco2017 --set method.beta=0.15 --show
  ebmtrack detect train iou-net coco2017 --dry-run
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = new_parser(
        "train",
        "Train a branch that scores boxes on the features of a frozen detector. A stopped training goes on "
        "with the same command.",
        _EXAMPLES,
    )
    parser.add_argument(
        "method",
        metavar="METHOD",
        help="nce+, nce, ml-is, kld-is, dsm, ml-mcmc-1, -4, -8; iou-net and iou-net* score confidence; "
        "gaussian, laplace, mixture-2, -4, -8 and cvae take the place of the detector's regression",
    )
    add_data(parser, "train")
    add_detector(parser)
    parser.add_argument(
        "--schedule",
        choices=("paper", "light"),
        help="paper: 60,000 steps of 16 pictures; light: 1,500 of 4 (default: light for a detector of "
        "'detect train-detector')",
    )
    parser.add_argument(
        "--out", type=local_path, default=Path("runs/detect"), metavar="DIR", help="default: %(default)s"
    )
    add_setting(parser)
    add_run(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where rows of the data were left out; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    command = shlex.join(["ebmtrack", "detect", "train", *(sys.argv[1:] if argv is None else argv)])
    return run_command(build_parser(), lambda args: _train(args, command), argv)


def _train(args: argparse.Namespace, command: str) -> int:
    from ebm.tasks.detection.loading import is_detector_file
    from ebm.tasks.detection.recipes import SETTABLE, find_recipe
    from ebm.training.shown import show_plain

    schedule = args.schedule or ("light" if is_detector_file(args.detector) else "paper")
    origin = find_recipe(args.method, schedule)
    recipe = SETTABLE.set_fields(origin, args.set)
    recipe = replace(recipe, optimisation=rescaled(recipe.optimisation, args.iterations))
    if args.show:
        print(show_plain(recipe.plain(), recipe.fingerprint(), origin.plain(), f"{schedule}/{recipe.name}"))
        return 0
    with using_threads(args.threads or core_limit()):
        return _trained(args, command, recipe)


def _trained(args: argparse.Namespace, command: str, recipe: "Recipe") -> int:
    from ebm.devices import resolve_device
    from ebm.tasks.detection.loading import fresh, load_detector, save_trained
    from ebm.tasks.detection.methods import train_method
    from ebm.tasks.detection.outcome import Outcome
    from ebm.tasks.detection.training import TrainingOptions
    from ebm.training.iterations import tell_in_lines

    outcome = Outcome(args.out, recipe.name)
    if not args.dry_run:
        outcome.require({"DATA": args.data, **files_of(args)})
    data, code = opened_for_training(args)
    detector = load_detector(
        args.detector, args.weights, short_side=args.short_side, long_side=args.long_side
    )
    detector.model.to(resolve_device(args.device))
    net = fresh(recipe, detector, args.seed)
    options = TrainingOptions(seed=args.seed, workers=args.workers)
    if args.dry_run:
        short = replace(recipe, optimisation=replace(recipe.optimisation, iterations=DRY_STEPS))
        run = lambda: train_method(net, short, detector, data, options)  # noqa: E731
        return tell_dry_run(run, {"iterations in all": recipe.optimisation.iterations}) or code
    options = replace(options, checkpoint=outcome.checkpoint, tell=tell_in_lines)
    trained = train_method(net, recipe, detector, data, options)
    if trained.exit_code:
        return outcome.tell_stopped(trained)
    save_trained(outcome.trained, net, recipe, detector, data)
    outcome.record(command, recipe, data, trained)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
