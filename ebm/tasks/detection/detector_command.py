"""``ebmtrack detect train-detector``: train the light detector."""

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
    add_run,
    add_setting,
    files_of,
    new_parser,
    opened_for_training,
    rescaled,
    tell_dry_run,
)
from ebm.threads import core_limit, in_words, using_threads

if TYPE_CHECKING:
    from ebm.tasks.detection.detector_training import DetectorRecipe

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
  ebmtrack detect train-detector photos/voc2007_5cls --out runs/detect
  ebmtrack detect train-detector photos/voc2007_5cls --iterations 8000 --set rate=0.01
  ebmtrack detect train-detector photos/voc2007_5cls --set network.trained=blocks.5,blocks.6
      the last two stages of the backbone learn, too
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = new_parser(
        "train-detector",
        "Train a Faster R-CNN on a feature pyramid over EfficientNet-Lite0, which ImageNet has taught: a "
        "detector for a few CPU cores. A stopped training goes on with the same command.",
        _EXAMPLES,
    )
    add_data(parser, "train")
    parser.add_argument(
        "--out", type=local_path, default=Path("runs/detect"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--weights", metavar="FILE", help="of the backbone; left out: ImageNet's; or random")
    add_setting(parser)
    add_run(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where rows of the data were left out; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    command = shlex.join(["ebmtrack", "detect", "train-detector", *(sys.argv[1:] if argv is None else argv)])
    return run_command(build_parser(), lambda args: _train(args, command), argv)


def _train(args: argparse.Namespace, command: str) -> int:
    from ebm.tasks.detection.detector_training import DETECTOR_SETTABLE, DetectorRecipe
    from ebm.training.shown import show_plain

    origin = DetectorRecipe()
    recipe = DETECTOR_SETTABLE.set_fields(origin, args.set)
    recipe = replace(recipe, optimisation=rescaled(recipe.optimisation, args.iterations))
    if args.show:
        print(show_plain(recipe.plain(), recipe.fingerprint(), origin.plain(), "the light recipe"))
        return 0
    with using_threads(args.threads or core_limit()):
        return _trained(args, command, recipe)


def _trained(args: argparse.Namespace, command: str, recipe: "DetectorRecipe") -> int:
    import torch

    from ebm.devices import resolve_device
    from ebm.tasks.detection.detector_training import train_detector
    from ebm.tasks.detection.light import build_light
    from ebm.tasks.detection.loading import save_light
    from ebm.tasks.detection.outcome import Outcome
    from ebm.training.iterations import tell_in_lines

    outcome = Outcome(args.out, "detector")
    if not args.dry_run:
        outcome.require({"DATA": args.data, **files_of(args)})
    data, code = opened_for_training(args)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(args.seed)
        model, origin = build_light(recipe.network, data.names, args.weights)
    model.to(resolve_device(args.device))
    pictures = in_words(len(data), "picture")
    print(f"{pictures}, {', '.join(data.names[:8])}; backbone: {origin}", file=sys.stderr)
    if args.dry_run:
        short = replace(recipe, optimisation=replace(recipe.optimisation, iterations=DRY_STEPS))
        run = lambda: train_detector(model, short, data, seed=args.seed, workers=args.workers)  # noqa: E731
        return tell_dry_run(run, {"iterations in all": recipe.optimisation.iterations}) or code
    kept = outcome.checkpoint
    trained = train_detector(
        model, recipe, data, seed=args.seed, workers=args.workers, checkpoint=kept, tell=tell_in_lines
    )
    if trained.exit_code:
        return outcome.tell_stopped(trained)
    save_light(outcome.trained, model, recipe.network, data.names)
    outcome.record(command, recipe, data, trained)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
