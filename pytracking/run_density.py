"""Draw how sure a tracker is of its box in one frame: the density of a corner, the opposite one fixed."""

import argparse
import sys
from collections.abc import Iterator
from collections.abc import Sequence as List
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.command import local_path, run_command
from pytracking.evaluation.asked_tracker import asked_tracker, asked_weights
from pytracking.evaluation.command import (
    add_dataset_options,
    add_weights_options,
    open_by_options,
    read_by_dataset,
    whole_number,
)
from pytracking.evaluation.tracker_words import OtherWord, TrackerParser, settle_tracker
from pytracking.run_video import parse_box

if TYPE_CHECKING:
    from pytracking.tracker.base import Tracked

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack density photo.jpg --box 120,80,60,90
  ebmtrack density clip.mp4 --box 120,80,60,90 --frame 40 --corner top-left
  ebmtrack density dimp nce_plus_small Crossing --dataset otb --root DIR --frame 40

The target is learnt in the first frame, in which the box is given, and followed to the frame asked for; in
a single image it is learnt and looked for in the same. The picture shows that frame, and enlarged the
density of one corner of the box, the opposite corner being where the tracker has put it. Needs a network
whose box branch was trained to give log-densities (kld_is, nce, nce_plus, ml_is).

exit codes: 0 drawn, 2 the input cannot be used or has no density, 130 interrupted."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = TrackerParser(
        prog="ebmtrack density",
        other=OtherWord(
            dest="source",
            metavar="SOURCE",
            help="image, video file or folder of images; with --dataset the name of a sequence",
        ),
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_weights_options(parser)
    parser.add_argument("--box", type=parse_box, metavar="x,y,w,h", help="target in the first frame, pixels")
    parser.add_argument(
        "--frame", type=whole_number, default=0, metavar="N", help="which one, counted from 0 (default: 0)"
    )
    parser.add_argument(
        "--corner",
        default="bottom-right",
        metavar="CORNER",
        help="top-left, top-right, bottom-left or bottom-right (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=local_path, default=Path("density.png"), metavar="FILE.png", help="default: %(default)s"
    )
    parser.add_argument("--csv", type=local_path, metavar="FILE.csv", help="also the numbers of the picture")
    add_dataset_options(parser, sequences=False)
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(build_parser(), _run, argv, interrupted="nothing was drawn.")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """Frames from the first, the box in it, annotated boxes where there are any, and what was read."""

    name: str
    frames: Iterator[Any]
    box: Any
    truth: Any
    read: dict[str, Path]


def _run(args: argparse.Namespace) -> int:
    from ebm.files import write_atomic
    from ebm.outputs import Output, require_outputs
    from ebm.pictures.corners import corner_curves, draw_corner_density
    from ebm.pictures.style import rendered, require_matplotlib

    require_matplotlib()
    line = settle_tracker(args)
    weights = asked_weights(args)
    _require_corner(args.corner)
    source = _open(args)
    outputs = [Output(name="the picture --out", path=args.out)]
    outputs += [] if args.csv is None else [Output(name="the table --csv", path=args.csv, stream=True)]
    require_outputs(outputs, source.read | {"the weights": weights.files})
    print(line, weights, sep="\n")
    tracker = asked_tracker(args, weights)
    image, tracked = _follow(tracker, source, args.frame)
    density = tracked.density
    curves = corner_curves(density.corner_density(args.corner), args.corner)
    title = f"{source.name}, frame {args.frame}: confidence {density.confidence:.2f}"
    truth = None if source.truth is None else source.truth[args.frame]
    figure = draw_corner_density(image, density.box, curves, truth=truth, title=title)
    write_atomic(args.out, rendered(figure, "png"))
    curves.save(args.csv)
    _tell(tracked)
    print(f"picture     {args.out}")
    return 0


def _require_corner(name: str) -> None:
    from ebm.density.corners import CORNERS
    from ebm.lookup import lookup

    lookup("corner", name, CORNERS)


def _open(args: argparse.Namespace) -> _Source:
    from ebm.exceptions import InputError

    if args.dataset is None:
        if args.box is None:
            raise InputError("Where is the target in the first frame? Give --box x,y,w,h.")
        return _open_video(args)
    from ltr.data.image_loader import read_image

    args.sequence = [args.source]
    dataset, sequences = open_by_options(args, print)
    sequence = sequences[0]
    box = sequence.init_box if args.box is None else args.box
    images = (
        read_image(path, sequence=sequence.name, frame=index) for index, path in enumerate(sequence.frames)
    )
    read = read_by_dataset(args, dataset)
    return _Source(name=sequence.name, frames=images, box=box, truth=sequence.ground_truth, read=read)


def _open_video(args: argparse.Namespace) -> _Source:
    from ebm.images.listing import IMAGE_SUFFIXES
    from ltr.data.image_loader import read_image
    from pytracking.evaluation.video_io import open_video
    from pytracking.evaluation.video_names import video_path

    path = video_path(args.source)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        frames: Iterator[Any] = iter([read_image(path)])
    else:
        frames = open_video(path).frames()
    return _Source(name=path.name, frames=frames, box=args.box, truth=None, read={"the source": path})


def _follow(tracker: Any, source: _Source, frame: int) -> "tuple[Any, Tracked]":
    """The frame asked for and what the tracker finds in it."""
    from ebm.exceptions import InputError

    image = next(source.frames, None)
    if image is None:
        raise InputError(f"{source.name} holds no frame that can be read.")
    tracker.initialize(image, source.box)
    tracked = tracker.track(image) if frame == 0 else None
    for number in range(1, frame + 1):
        image = next(source.frames, None)
        if image is None:
            raise InputError(f"{source.name} has {number} frames, counted from 0; there is no frame {frame}.")
        tracked = tracker.track(image)
    assert tracked is not None
    return image, tracked


def _tell(tracked: "Tracked") -> None:
    density = tracked.density
    gauss, samples = (density.box_covariance(kind).diagonal() ** 0.5 for kind in ("laplace", "samples"))
    effective = float(density.effective_sample_size())
    print(f"box         {_numbers(tracked.box)} px (x, y, w, h)")
    print(f"score       {tracked.score:.2f}, {tracked.state}")
    print(
        f"confidence  {density.confidence:.2f}: {density.overlap_probability(0.5):.2f} of the density "
        f"overlaps the box by at least 0.5, times how sure the classifier is, {density.presence:.2f}"
    )
    print(f"deviations  {_numbers(gauss)} px by the curvature, {_numbers(samples)} px by the samples")
    print(f"samples     {density.samples.shape[1]} boxes, worth {effective:.0f}")


def _numbers(values: Any) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
