"""``ebmtrack detect train-detector``: train the light detector."""

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
    add_run,
    add_setting,
    new_parser,
    opened,
    rescaled,
    tell_dry_run,
)
from ebm.threads import core_limit, using_threads

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
    from ebm.files import require_writable_folder, write_json
    from ebm.tasks.detection.detector_training import train_detector
    from ebm.tasks.detection.light import build_light
    from ebm.tasks.detection.loading import save_light
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.training.iterations import tell_in_lines

    out = args.out
    if not args.dry_run:
        require_outputs([Output(name="--out", path=out, folder=True)], {"DATA": args.data})
    found, problems = opened(args.data, args.split, args.limit)
    data = found.for_training()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(args.seed)
        model, origin = build_light(recipe.network, data.names, args.weights)
    model.to(resolve_device(args.device))
    print(f"{len(data)} pictures, {', '.join(data.names[:8])}; backbone: {origin}", file=sys.stderr)
    if args.dry_run:
        short = replace(recipe, optimisation=replace(recipe.optimisation, iterations=DRY_STEPS))
        run = lambda: train_detector(model, short, data, seed=args.seed, workers=args.workers)  # noqa: E731
        return tell_dry_run(run, {"iterations in all": recipe.optimisation.iterations})
    require_writable_folder(out)
    checkpoint = out / "detector.checkpoint"
    trained = train_detector(
        model, recipe, data, seed=args.seed, workers=args.workers, checkpoint=checkpoint, tell=tell_in_lines
    )
    if trained.exit_code:
        print(f"stopped after {trained.iterations} steps; the same command goes on", file=sys.stderr)
        return trained.exit_code
    save_light(out / "detector.pt", model, recipe.network, data.names)
    record = {"command": command, "recipe": recipe.plain(), "pictures": len(data)}
    write_json(out / "detector.json", record | {"training": asdict(trained)})
    checkpoint.unlink(missing_ok=True)
    print(f"detector.pt is in {out}", file=sys.stderr)
    return tell_left_out({str(args.data): problems})


if __name__ == "__main__":
    raise SystemExit(main())
