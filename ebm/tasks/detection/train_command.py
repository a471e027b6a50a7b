"""``ebmtrack detect train``: train a branch on the features of a frozen detector."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import local_path, run_command
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.arguments import (
    DRY_STEPS,
    add_data,
    add_detector,
    add_run,
    add_setting,
    new_parser,
    opened,
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
    from ebm.tasks.detection.recipes import SETTABLE, find_recipe
    from ebm.training.shown import show_plain

    schedule = args.schedule or ("light" if Path(args.detector).suffix else "paper")
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
    from ebm.files import require_writable_folder, write_json
    from ebm.tasks.detection.loading import fresh, load_detector, save_trained
    from ebm.tasks.detection.methods import train_method
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.tasks.detection.training import TrainingOptions
    from ebm.training.iterations import tell_in_lines

    if not args.dry_run:
        inputs = {"DATA": args.data, "--detector": Path(args.detector)}
        require_outputs([Output(name="--out", path=args.out / f"{recipe.name}.pt")], inputs)
    found, problems = opened(args.data, args.split, args.limit)
    data = found.for_training()
    detector = load_detector(
        args.detector, args.weights, short_side=args.short_side, long_side=args.long_side
    )
    detector.model.to(resolve_device(args.device))
    net = fresh(recipe, detector, args.seed)
    options = TrainingOptions(seed=args.seed, workers=args.workers)
    if args.dry_run:
        short = replace(recipe, optimisation=replace(recipe.optimisation, iterations=DRY_STEPS))
        run = lambda: train_method(net, short, detector, data, options)  # noqa: E731
        return tell_dry_run(run, {"iterations in all": recipe.optimisation.iterations})
    require_writable_folder(args.out)
    checkpoint = args.out / f"{recipe.name}.checkpoint"
    options = replace(options, checkpoint=checkpoint, tell=tell_in_lines)
    trained = train_method(net, recipe, detector, data, options)
    if trained.exit_code:
        print(f"stopped after {trained.iterations} steps; the same command goes on", file=sys.stderr)
        return trained.exit_code
    save_trained(args.out / f"{recipe.name}.pt", net, recipe, detector, data)
    record = {"command": command, "recipe": recipe.plain(), "pictures": len(data)}
    write_json(args.out / f"{recipe.name}.json", record | {"training": asdict(trained)})
    checkpoint.unlink(missing_ok=True)
    print(f"{recipe.name}.pt is in {args.out}", file=sys.stderr)
    return tell_left_out({str(args.data): problems})


if __name__ == "__main__":
    raise SystemExit(main())
