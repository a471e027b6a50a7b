"""Track targets through a video or a folder of images, to an mp4 and a csv; no display is needed."""

import argparse
import os
import sys
from collections.abc import Hashable, Mapping
from collections.abc import Sequence as List
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import CommandParser, local_path, run_command, script_imports

with script_imports(__name__):
    from ebm.number_texts import parse_number
    from ebm.threads import core_limit, in_words, threads_for, using_threads
    from ltr.admin.workspace_option import add_workspace_option
    from pytracking.evaluation.command import add_tracker_options, whole_number

if TYPE_CHECKING:
    from torch import nn

    from pytracking.exported.folder import ExportedFolder
    from pytracking.parameter.base import Params
    from pytracking.tracker.base import Tracker
    from pytracking.utils.loading import WeightsChoice

__all__ = ["build_parser", "main", "parse_box"]

_EXAMPLES = """examples:
  python pytracking/run_video.py dimp nce_plus clip.mp4 --box 120,80,60,90
  python pytracking/run_video.py dimp nce_plus frames/ --box 120,80,60,90 --out tracked.mp4 --csv tracked.csv
  python pytracking/run_video.py dimp nce_plus clip.mp4 --box-file boxes.txt --mot tracks.txt

A box file has a line for every target, x,y,w,h or id,x,y,w,h; without ids targets count from 1. The csv then
has a column id behind the frame, and a row for every target.

The box is that of the first frame: left, top, width and height in pixels of the picture as it is shown,
that is after it was turned upright if a phone or a camera marked it so. The csv has a row for each frame,
counted from 0: frame,x,y,w,h,score,state,time; the score lies in [0, 1], the state is ok, uncertain or
lost, the time is in seconds. A frame that cannot be read has the state unreadable, the score nan and the
box before. In the mp4 a dashed box is one that the tracker is not sure of; frames have the times of the
video. Until the run ends, the mp4 is FILE.part.mp4; that is what a killed run leaves, and it can be played
(if PyAV is installed). An output that is the video, lies in the folder of images, or is the other output
is refused.

The state is the classifier's opinion of its own scores: ok means that one place stands out, not that it is
the target, nor that the box fits; look at the mp4.

Exit codes: 0, every frame was tracked; 1, the run is finished, but frames could not be read; 2, unusable
input; 130, Ctrl-C, after which the frames so far are there."""


def parse_box(text: str) -> tuple[float, float, float, float]:
    """``x,y,w,h`` to four numbers, px, for argparse."""
    try:
        x, y, w, h = (parse_number(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected x,y,w,h in pixels, got {text!r}") from error
    if not (0 < w < float("inf") and 0 < h < float("inf") and abs(x) < float("inf") > abs(y)):
        raise argparse.ArgumentTypeError(f"width and height must be positive, all four finite; got {text!r}")
    return x, y, w, h


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="run_video.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_tracker_options(parser)
    parser.add_argument(
        "--engine",
        choices=("torch", "onnx"),
        default="torch",
        help="onnx runs an exported tracker, whose folder is --checkpoint (default: %(default)s)",
    )
    parser.add_argument("video", metavar="VIDEO", help="video file, or folder of images")
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--box", type=parse_box, metavar="x,y,w,h", help="target in the first frame, pixels")
    start.add_argument(
        "--box-file", type=local_path, metavar="FILE", help="several targets, one line each: [id,]x,y,w,h"
    )
    parser.add_argument(
        "--out",
        type=local_path,
        metavar="FILE.mp4",
        help="default: videos/<name>_<tracker>.mp4 in the workspace",
    )
    add_workspace_option(parser)
    parser.add_argument("--csv", type=local_path, metavar="FILE.csv", help="default: beside the mp4")
    parser.add_argument(
        "--mot", type=local_path, metavar="FILE.txt", help="also write the MOT benchmarks' text format"
    )
    parser.add_argument(
        "--threads",
        type=whole_number,
        default=0,
        metavar="N",
        help="CPU threads (default: 0, as many as the network can use)",
    )
    parser.add_argument(
        "--fps",
        type=float,
        help="of the mp4, evenly spaced (default: the times of the video; 30 for images)",
    )
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if it is finished but frames could not be read; 2 for unusable input, 130 after Ctrl-C,
        which keeps the frames so far.
    """
    return run_command(
        build_parser(), _run, argv, interrupted="the frames so far are in the mp4 and the csv."
    )


def _run(args: argparse.Namespace) -> int:
    from ebm.exceptions import InputError
    from ebm.outputs import Output, require_outputs
    from pytracking.evaluation.video_io import VideoWriter, open_video
    from pytracking.evaluation.video_names import video_path
    from pytracking.evaluation.video_run import VideoSink, track_video
    from pytracking.evaluation.video_tables import csv_table, mot_table
    from pytracking.exported.tracker import exported_folder
    from pytracking.parameter import find_parameters
    from pytracking.utils.loading import find_weights

    params = find_parameters(args.tracker, args.parameter, compat=args.compat)
    boxes = _boxes(args)
    video = video_path(args.video)
    out = args.out or _default_out(video, args.tracker)
    table = args.csv or out.parent / f"{out.stem}.csv"
    source = open_video(video, *(() if args.fps is None else (args.fps,)))
    rate = (source.fps, source.time_base) if args.fps is None else (args.fps, None)
    writer = VideoWriter(out, *rate, reserved=[table, *([args.mot] if args.mot else [])])
    weights: WeightsChoice | ExportedFolder
    if args.engine == "onnx":
        if args.weights != "auto":
            raise InputError(
                f"An exported tracker has one set of weights; --weights {args.weights} is chosen when it is "
                "exported."
            )
        weights = exported_folder(args.tracker, args.parameter, args.checkpoint)
    else:
        weights = find_weights(params, args.checkpoint, args.weights)
    require_outputs(
        [
            Output(name="the video --out", path=out),
            Output(name="the table --csv", path=table, stream=True),
            *([Output(name="the table --mot", path=args.mot, stream=True)] if args.mot else []),
        ],
        {
            "the video": video,
            "the weights": weights.files,
            "the boxes": args.box_file,
        },
    )
    print(weights)
    tracker, threads = _tracker(args, params, weights)
    with ExitStack() as stack:
        stack.enter_context(threads)
        tables = [csv_table(table, stack, with_ids=args.box_file is not None)]
        tables += [mot_table(args.mot, stack)] if args.mot else []
        found = track_video(tracker, source, boxes, video, VideoSink(writer, tables, stack))
    print(f"{found.tracked} frame{'s' * (found.tracked != 1)} tracked.")
    print(f"Video: {out}\nTable: {table}\nStates: {found.opinions()}")
    if args.mot:
        print(f"MOT: {args.mot}")
    for note in (*source.notes, *writer.notes, *found.notes(video)):
        print(f"note: {note}", file=sys.stderr)
    return 0 if found.complete else 1


def _boxes(args: argparse.Namespace) -> "Mapping[Hashable, tuple[float, ...]] | tuple[float, ...]":
    """The box, or those of the box file, with ids that the outputs can hold."""
    from ebm.exceptions import InputError
    from pytracking.evaluation.box_file import read_box_file

    if args.box_file is None:
        box: tuple[float, ...] = args.box
        return box
    boxes: Mapping[Hashable, tuple[float, ...]] = read_box_file(args.box_file)
    names = [target for target in boxes if not isinstance(target, int)]
    if args.mot and names:
        raise InputError(f"The format of --mot takes whole numbers as ids; {args.box_file} has {names[0]!r}.")
    return boxes


def _tracker(
    args: argparse.Namespace, params: "Params", weights: "WeightsChoice | ExportedFolder"
) -> "tuple[Tracker, AbstractContextManager[None]]":
    """The tracker, and its threads; says what it runs on."""
    from pytracking.exported.folder import ExportedFolder
    from pytracking.exported.tracker import exported_tracker
    from pytracking.tracker import make_tracker
    from pytracking.utils.loading import load_tracking_network

    if isinstance(weights, ExportedFolder):
        made = exported_tracker(
            weights, device=args.device, seed=args.seed, compat=args.compat, threads=args.threads
        )
        threads = made.network.threads
        print(f"Running on cpu in ONNX Runtime: {in_words(threads, 'thread')}", flush=True)
        return made, using_threads(threads)
    network = None if weights.path is None else load_tracking_network(weights, args.tracker)
    tracker = make_tracker(args.tracker, params, network=network, device=args.device, seed=args.seed)
    return tracker, _threads(args.threads, network, args.device)


def _threads(given: int, network: "nn.Module | None", device: str) -> AbstractContextManager[None]:
    """As many threads as asked for, or as the network can use; says how many."""
    from ebm.devices import resolve_device

    count = 0 if network is None else sum(p.numel() for p in network.parameters())
    threads = given or threads_for(count, core_limit())
    print(f"Running on {resolve_device(device)}: {in_words(threads, 'thread')}", flush=True)
    return using_threads(threads)


def _default_out(video: Path, tracker: str) -> Path:
    from ltr.admin.environment import workspace

    return workspace() / "videos" / f"{Path(os.path.realpath(video)).stem}_{tracker}.mp4"


if __name__ == "__main__":
    sys.exit(main())
