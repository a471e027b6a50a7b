"""What the commands for videos and for cameras share: their options, and a run from frames to files."""

import argparse
import sys
from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import local_path
from ebm.number_texts import parse_number
from ltr.admin.workspace_option import add_workspace_option
from pytracking.evaluation.asked_tracker import asked_tracker, asked_weights, with_asked_threads
from pytracking.evaluation.command import add_engine_option, whole_number
from pytracking.evaluation.debug_options import Debugging, add_debug_options
from pytracking.evaluation.tracker_words import settle_tracker
from pytracking.evaluation.video_outputs import VideoOutputs, add_output_options

if TYPE_CHECKING:
    from pytracking.evaluation.video_frames import VideoSource
    from pytracking.evaluation.video_outcome import Outcome
    from pytracking.page.screen import PageScreen

__all__ = ["Given", "add_run_options", "parse_box", "require_run_options", "track_to_files"]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is tracked.

    Attributes:
        source: of the frames.
        name: for messages.
        title: of the page; empty for the name.
        files: of it, which no output may be.
        stem: of the outputs' default names.
        live: whether its frames come by themselves.
    """

    source: "VideoSource"
    name: str
    files: Path | None
    stem: str
    title: str = ""
    live: bool = False


def parse_box(text: str) -> tuple[float, float, float, float]:
    """``x,y,w,h`` to four numbers, px, for argparse."""
    try:
        x, y, w, h = (parse_number(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected x,y,w,h in pixels, got {text!r}") from error
    if not (0 < w < float("inf") and 0 < h < float("inf") and abs(x) < float("inf") > abs(y)):
        raise argparse.ArgumentTypeError(f"width and height must be positive, all four finite; got {text!r}")
    return x, y, w, h


def add_run_options(parser: argparse.ArgumentParser, fps: str) -> None:
    """Targets, outputs, the page, threads and rate.

    Args:
        parser: of the command.
        fps: help of ``--fps``.
    """
    add_engine_option(parser)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--box", type=parse_box, metavar="x,y,w,h", help="target in the first frame, pixels")
    start.add_argument(
        "--box-file", type=local_path, metavar="FILE", help="several targets, one line each: [id,]x,y,w,h"
    )
    start.add_argument(
        "--select", action="store_true", help="draw targets with the mouse, on a web page of this machine"
    )
    parser.add_argument(
        "--show",
        action="store_true",
        help="watch and steer the run on a web page: boxes, scores, pause, step, draw again, stop",
    )
    parser.add_argument(
        "--port", type=whole_number, metavar="N", help="of that page on 127.0.0.1 (default: any that is free)"
    )
    add_workspace_option(parser)
    parser.add_argument(
        "--threads",
        type=whole_number,
        default=0,
        metavar="N",
        help="CPU threads (default: 0, as many as the network can use)",
    )
    parser.add_argument("--fps", type=float, help=fps)
    add_output_options(parser)
    add_debug_options(parser)


def require_run_options(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is opened.

    Raises:
        InputError: saying which.
    """
    from ebm.exceptions import InputError

    if args.port is not None and not (args.select or args.show):
        raise InputError("--port is that of the page: it goes with --select or --show.")


def track_to_files(args: argparse.Namespace, given: Given) -> int:
    """Track what is given to an mp4 and tables.

    Args:
        args: of a `TrackerParser`, with `add_weights_options` and `add_run_options`.
        given: what is tracked.

    Returns: 0; 1 if the run is finished but frames could not be read.

    Raises:
        EBMError: for unusable input, before any output is touched.
    """
    from pytracking.evaluation.frame_drawing import FrameDrawer
    from pytracking.evaluation.video_io import VideoWriter
    from pytracking.evaluation.video_run import VideoSink, track_video

    line = settle_tracker(args)
    boxes = _boxes(args)
    outputs = VideoOutputs.asked_for(args, _default_out(given.stem, args.tracker))
    writer = VideoWriter(outputs.video, *_rate(args, given), reserved=list(outputs.named.values()))
    weights = asked_weights(args)
    outputs.require({"the video": given.files, "the weights": weights.files, "the boxes": args.box_file})
    debugging = Debugging(args)
    print(line, weights, sep="\n")
    with ExitStack() as stack:
        page = stack.enter_context(_page(args, given)) if args.select or args.show else None
        tracker = asked_tracker(args, weights, with_covariance="density" in outputs.drawn)
        stack.enter_context(with_asked_threads(args, tracker))
        if page is not None and not (given.live or args.select):
            page.wait_until_opened()
        files = stack.enter_context(ExitStack())  # closed before the page tells of them
        tables = outputs.tables(files, given.title or given.stem, with_ids=args.box is None)
        watcher = debugging.entered(files, f"{args.tracker} {args.parameter} on {given.name}")
        sink = VideoSink(writer, tables, files, FrameDrawer(outputs.drawn))
        found = track_video(tracker, given.source, boxes, given.name, sink, page, watcher)
        files.close()
        if page is not None:
            page.end(f"{_summary(found)} Video: {outputs.video}. Table: {outputs.csv}.")
    print(f"{_summary(found)}\nVideo: {outputs.video}")
    for word, path in outputs.named.items():
        print(f"{word}: {path}")
    print(f"States: {found.opinions()}")
    if found.dropped and given.live:
        print(f"Left out: {found.dropped} frames that came while the tracker was at work")
    for note in (*given.source.notes, *writer.notes, *found.notes(given.name)):
        print(f"note: {note}", file=sys.stderr)
    return 0 if found.complete else 1


def _summary(found: "Outcome") -> str:
    return f"{found.tracked} frame{'s' * (found.tracked != 1)} tracked."


def _boxes(
    args: argparse.Namespace,
) -> "Mapping[Hashable, tuple[float, ...]] | tuple[float, ...] | None":
    """The box, or those of the box file, with ids that the outputs can hold; None: the page is asked."""
    from ebm.exceptions import InputError
    from pytracking.evaluation.box_file import read_box_file

    if args.box_file is None:
        box: tuple[float, ...] | None = args.box
        return box
    boxes: Mapping[Hashable, tuple[float, ...]] = read_box_file(args.box_file)
    names = [target for target in boxes if not isinstance(target, int)]
    if args.mot and names:
        raise InputError(f"The format of --mot takes whole numbers as ids; {args.box_file} has {names[0]!r}.")
    return boxes


def _rate(args: argparse.Namespace, given: Given) -> tuple[float, Fraction | None]:
    """Frames a second of the mp4, and the unit of their times; None: evenly spaced."""
    if args.fps is not None:
        return args.fps, None
    return given.source.fps, given.source.time_base


def _page(args: argparse.Namespace, given: Given) -> "PageScreen":
    """The page, whose address is printed."""
    from pytracking.page.facts import PageOptions
    from pytracking.page.screen import PageScreen

    page = PageScreen(
        PageOptions(
            title=f"{given.title or given.name} · {args.tracker} {args.parameter}",
            port=args.port or 0,
            count=given.source.count,
            live=given.live,
            with_ids=args.box is None,
            whole_ids=args.mot is not None,
        ),
        shown=args.show,
    )
    what = "draw the targets there" if args.select else "watch and steer the run there"
    print(f"Page: {page.url} ({what})")
    print(
        f"  from another machine: ssh -L {page.port}:127.0.0.1:{page.port} HOST, then the same address",
        flush=True,
    )
    return page


def _default_out(stem: str, tracker: str) -> Path:
    from ltr.admin.environment import workspace

    return workspace() / "videos" / f"{stem}_{tracker}.mp4"
