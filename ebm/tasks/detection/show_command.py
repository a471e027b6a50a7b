"""``ebmtrack detect show``: what a branch does to the boxes of one picture, and how sure it is of them."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import local_path, run_command
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.arguments import add_data, add_detector, add_run, loaded, new_parser, opened
from ebm.threads import core_limit, using_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ebm.pictures.curves import Curves
    from ebm.tasks.detection.showing import Shown

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
  ebmtrack detect show photos/voc2007_5cls --branch runs/detect/nce+.pt \\
      --detector runs/detect/detector.pt --image 000012.jpg --out shown
  ebmtrack detect show coco2017 --split val --branch nce+.pt --image 139 --box 2 --corner top-left

In DIR: boxes.png, where the surest boxes were and are, with bars in which their sides lie with 95 %;
ascent.png, f and the overlap with the annotated box step by step; corner.png, the density of one corner of
one box, the opposite corner fixed; and the numbers of each as CSV. IoU-Net's f is no log-density: of it
there are no bars and no corner.png.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = new_parser("show", "Draw what a branch does to the boxes of one picture.", _EXAMPLES)
    add_data(parser, "val")
    parser.add_argument(
        "--branch", type=local_path, required=True, metavar="FILE", help="what 'detect train' wrote"
    )
    add_detector(parser)
    parser.add_argument("--image", metavar="ID|NAME", help="id or file name (default: the first)")
    parser.add_argument(
        "--boxes", type=int, default=3, metavar="N", help="the surest, 1 to 5 (default: %(default)s)"
    )
    parser.add_argument(
        "--box", type=int, default=1, metavar="K", help="whose corner is drawn; 1 is the surest (default)"
    )
    parser.add_argument(
        "--corner",
        default="bottom-right",
        metavar="CORNER",
        help="top-left, top-right, bottom-left or bottom-right (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=local_path, default=Path("shown"), metavar="DIR", help="default: %(default)s"
    )
    add_run(parser, workers=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where rows of the data were left out; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    return run_command(build_parser(), _show, argv, interrupted="nothing was drawn.")


def _show(args: argparse.Namespace) -> int:
    from ebm.density.corners import CORNERS
    from ebm.lookup import lookup
    from ebm.pictures.style import require_matplotlib
    from ebm.tasks.detection.pictures import MOST

    require_matplotlib()
    if not 1 <= args.boxes <= MOST:
        raise InputError(f"--boxes must be 1 to {MOST}, which can be told apart, got {args.boxes}.")
    if not 1 <= args.box <= args.boxes:
        raise InputError(f"--box must be one of the {args.boxes} that are drawn, got {args.box}.")
    lookup("corner", args.corner, CORNERS)
    inputs = {"--branch": args.branch, "--detector": Path(args.detector), "DATA": args.data}
    require_outputs(_outputs(args), inputs)
    with using_threads(args.threads or core_limit()):
        return _shown(args)


def _outputs(args: argparse.Namespace) -> list[Output]:
    return [Output(name="--out", path=args.out / f"{name}{end}") for name in _NAMES for end in _ENDS]


FEW = 5  # effective draws, below which an interval is mostly that of a few boxes
_NAMES, _ENDS = ("boxes", "ascent", "corner"), (".png", ".csv")


def _shown(args: argparse.Namespace) -> int:
    from ebm.files import write_atomic
    from ebm.pictures.style import rendered
    from ebm.tasks.detection.branch import ConfidenceBranch
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.tasks.detection.recipes import BranchRecipe
    from ebm.tasks.detection.showing import find_image, look_at

    saved, detector = loaded(args)
    if not (isinstance(saved.net, ConfidenceBranch) and isinstance(saved.recipe, BranchRecipe)):
        raise InputError(f"{args.branch} is a head, which scores no boxes: name a branch.")
    data, problems = opened(args.data, args.split, "val", args.limit)
    overwritten = [output for output in _outputs(args) if output.path.exists()]
    require_outputs(overwritten, {"a picture": [own.path for own in data.images]})
    image = find_image(data, args.image)
    shown = look_at(detector, saved.net, saved.recipe, data, image, args.boxes)
    if args.box > len(shown.names):
        raise InputError(
            f"there are {len(shown.names)} boxes in picture {image.image_id}, no box {args.box}."
        )
    written = []
    for name, figure, curves in _drawn(shown, args.box - 1, args.corner):
        written.append(args.out / f"{name}.png")
        write_atomic(written[-1], rendered(figure, "png"))
        curves.save(written[-1].with_suffix(".csv"))
    print(f"picture {image.image_id}, {image.path.name}")
    print("\n".join(_told(shown)))
    print("\n".join(str(path) for path in written))
    return tell_left_out({str(args.data): problems})


def _drawn(shown: "Shown", box: int, corner: str) -> "Iterator[tuple[str, Figure, Curves]]":
    from ebm.pictures.corners import corner_curves, draw_corner_density
    from ebm.tasks.detection.pictures import draw_ascent, draw_boxes

    yield "boxes", draw_boxes(shown), shown.box_curves()
    yield "ascent", draw_ascent(shown), shown.ascent_curves()
    if shown.ends is not None:
        curves = corner_curves(shown.corner(box, corner), corner)  # type: ignore[arg-type]  # was looked up
        drawn: Any = {"truth": shown.nearest[box], "title": f"Box {shown.label(box)}"}
        yield "corner", draw_corner_density(shown.frame, shown.path[-1, box], curves, **drawn), curves


def _told(shown: "Shown") -> Iterator[str]:
    for place in range(len(shown.names)):
        before, after = shown.energy[0, place], shown.energy[-1, place]
        line = f"{shown.label(place)}: f {before:.2f} to {after:.2f}"
        before, after = shown.overlap[0, place], shown.overlap[-1, place]
        if before == before:  # not NaN
            line += f", IoU with the annotated box {before:.2f} to {after:.2f}"
        if shown.ends is not None and shown.effective is not None:
            widths = shown.ends[place, :, 1] - shown.ends[place, :, 0]
            line += ", 95 % intervals of " + ", ".join(f"{width:.0f}" for width in widths) + " px"
            if shown.effective[place] < FEW:
                line += f" (too narrow: {shown.effective[place]:.1f} draws carry them)"
        yield line


if __name__ == "__main__":
    raise SystemExit(main())
