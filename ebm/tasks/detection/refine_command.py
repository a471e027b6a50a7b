"""``ebmtrack detect refine``: detect and refine, or refine what another detector has found."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ebm.command import counting_number, local_path, run_command
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.arguments import (
    add_data,
    add_detector,
    add_run,
    files_of,
    loaded,
    new_parser,
    opened,
)
from ebm.threads import core_limit, using_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ebm.tasks.detection.data.records import DetectionSet, ImageId
    from ebm.tasks.detection.loading import Saved
    from ebm.tasks.detection.problems import Problems
    from ebm.tasks.detection.recipes import Recipe
    from ebm.tasks.detection.results_file import Detections

    Found = Mapping[ImageId, Detections]

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
  ebmtrack detect refine photos/voc2007_5cls --branch runs/detect/nce+.pt \\
      --detector runs/detect/detector.pt --out refined.json
      detect, choose and refine; where the data has boxes, the scores before and after
  ebmtrack detect refine --images photos --detections results.json --branch runs/detect/nce+.pt \\
      --detector runs/detect/detector.pt --out refined.json
      refine what another detector has found
  ebmtrack detect refine coco2017 --split val --branch nce+.pt --density --out refined.json
      with a covariance and a credible interval for every box
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = new_parser(
        "refine",
        "Detect with a frozen detector and let a branch choose and refine the boxes; or refine the results "
        "of any detector.",
        _EXAMPLES,
    )
    add_data(parser, "val", wanted=False)
    parser.add_argument(
        "--images",
        type=local_path,
        metavar="DIR",
        help="instead of DATA: a folder of pictures; a picture's id is the number that its name is, else its "
        "name",
    )
    parser.add_argument(
        "--detections", type=local_path, metavar="FILE", help="results in COCO's form: refine these boxes"
    )
    parser.add_argument(
        "--branch", type=local_path, required=True, metavar="FILE", help="what 'detect train' wrote"
    )
    add_detector(parser)
    parser.add_argument("--out", type=local_path, required=True, metavar="FILE", help="refined results")
    parser.add_argument(
        "--before", type=local_path, metavar="FILE", help="write what the detector itself has found, too"
    )
    _add_rules(parser)
    parser.add_argument(
        "--batch-size", type=counting_number, default=4, metavar="N", help="pictures at a time"
    )
    add_run(parser, workers=False)
    return parser


def _add_rules(parser: argparse.ArgumentParser) -> None:
    """How boxes are chosen, refined and written."""
    parser.add_argument(
        "--order",
        choices=("before", "after"),
        help="suppress before refinement (default), or after that of all hypotheses",
    )
    parser.add_argument(
        "--score",
        choices=("probability", "energy"),
        help="rank by the class probability (default), or by the log of the density at the box",
    )
    parser.add_argument(
        "--density",
        action="store_true",
        help="add to every row: covariance of the sides (px^2), their 95%% credible intervals (px)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of prediction or method.refine, e.g. method.refine.steps=5",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where rows of the input were left out; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    return run_command(build_parser(), _refine, argv)


def _refine(args: argparse.Namespace) -> int:
    if (args.data is None) == (args.images is None):
        raise InputError("name either DATA, pictures with annotations, or --images, a folder of pictures.")
    if args.detections is not None:
        for name in ("order", "score", "before"):
            if getattr(args, name) is not None:
                raise InputError(f"--{name} is about detecting; with --detections boxes are refined alone.")
    files = {"--branch": args.branch, "--detections": args.detections, **files_of(args)}
    require_outputs(_outputs(args), files | {"DATA": args.data, "--images": args.images})
    with using_threads(args.threads or core_limit()):
        return _refined(args)


def _outputs(args: argparse.Namespace) -> list[Output]:
    named = {"--out": args.out, "--before": args.before}
    return [Output(name=name, path=path) for name, path in named.items() if path is not None]


def _refined(args: argparse.Namespace) -> int:
    from ebm.tasks.detection.methods import way_of
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.tasks.detection.results_file import read_detections, write_detections
    from ebm.tasks.detection.running import DETECTOR, Way, refine_given, run_set

    saved, detector = loaded(args)
    saved = replace(saved, recipe=_recipe(args, saved))
    data, left_out = _pictures(args, saved)
    overwritten = [output for output in _outputs(args) if output.path.exists()]
    require_outputs(overwritten, {"a picture": [image.path for image in data.images]})
    faults = {str(args.data or args.images): left_out}
    way = way_of(saved, args.density)
    if args.density and not isinstance(way, Way):
        raise InputError(f"{args.branch} is a head, which scores no boxes: name a branch.")
    how = {"batch_size": args.batch_size, "skip_broken": True, "progress": True}
    if args.detections is not None:
        if not isinstance(way, Way):
            raise InputError(f"{args.branch} is a head, which refines no boxes of others: name a branch.")
        before, faults[str(args.detections)] = read_detections(args.detections, data, progress=True)
        run = refine_given(detector, way, data, before, **how)
    else:
        runs = run_set(detector, {"refined": way}, data, **how)
        run, before = runs["refined"], runs[DETECTOR].detections
    for why in run.unread.values():
        left_out.add("pictures that cannot be read", why)
    if run.unread and not run.images:
        raise InputError(f"none of the pictures can be read; the first: {next(iter(run.unread.values()))}")
    write_detections(args.out, run.detections, data, run.more or None)
    if args.before is not None:
        write_detections(args.before, before, data)
    count = sum(map(len, run.detections.values()))
    print(f"{count} boxes in {run.images} pictures, {run.rate:.1f} pictures a second; {args.out}")
    read = data.chosen(i for i, image in enumerate(data.images) if image.image_id not in run.unread)
    known = {image_id: found for image_id, found in before.items() if image_id not in run.unread}
    _tell_scores(read, known, run.detections)
    return tell_left_out(faults)


def _recipe(args: argparse.Namespace, saved: "Saved") -> "Recipe":
    from ebm.tasks.detection.recipes import SETTABLE, BranchRecipe

    recipe = SETTABLE.set_fields(saved.recipe, args.set)
    used: dict[str, Any] = {"prediction": recipe.prediction}
    if isinstance(recipe, BranchRecipe) and isinstance(saved.recipe, BranchRecipe):
        used["method"] = replace(saved.recipe.method, refine=recipe.method.refine)
    if recipe != replace(saved.recipe, **used):
        raise InputError(
            "--set changes how the branch was trained: only prediction and method.refine count from here on."
        )
    rule = recipe.prediction
    rule = replace(rule, order=args.order or rule.order, score=args.score or rule.score)
    return replace(recipe, prediction=rule)


def _pictures(args: argparse.Namespace, saved: "Saved") -> "tuple[DetectionSet, Problems]":
    from ebm.tasks.detection.data.folder import read_folder
    from ebm.tasks.detection.problems import Problems

    if args.images is None:
        return opened(args.data, args.split, "val", args.limit)
    return read_folder(args.images, saved.categories), Problems()


def _tell_scores(data: "DetectionSet", before: "Found", after: "Found") -> None:
    """Scores before and after, where the pictures have boxes."""
    from ebm.tasks.detection.score_tables import score_table
    from ebm.tasks.detection.scoring import score_detections

    if any((~image.crowd).any() for image in data.images):
        named = {"before": before, "after": after}
        print(score_table({name: score_detections(found, data) for name, found in named.items()}))


if __name__ == "__main__":
    raise SystemExit(main())
