"""Track one target through a video file or a folder of images; writes an mp4 and a csv, needs no display."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from collections.abc import Sequence as List
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

try:
    from ebm.command import CommandParser, local_path, run_command
    from ebm.exceptions import EBMError, InputError, NumericalError
    from pytracking.evaluation.command import add_tracker_options
except ModuleNotFoundError as error:  # started as a script by a Python that the project is not installed in
    print(f"error: {error}. Run 'bash install.sh' once and use .venv/bin/python.", file=sys.stderr)
    raise SystemExit(2) from error

if TYPE_CHECKING:
    import numpy as np

    from pytracking.evaluation.video_io import VideoSource
    from pytracking.tracker.base import Tracker

__all__ = ["build_parser", "main", "parse_box"]

_EXAMPLES = """examples:
  python pytracking/run_video.py dimp nce_plus clip.mp4 --box 120,80,60,90
  python pytracking/run_video.py dimp nce_plus frames/ --box 120,80,60,90 --out tracked.mp4 --csv tracked.csv

The box is that of the first frame: left, top, width and height in pixels. The csv has a row for each frame,
counted from 0: frame,x,y,w,h,score,state; the score lies in [0, 1], the state is ok, uncertain or lost. In
the mp4 a dashed box is an uncertain or lost one. An output that is the video, lies in the folder of images,
or is the other output is refused."""

_COLOURS = {"ok": (40, 210, 140), "uncertain": (255, 200, 40), "lost": (255, 80, 60)}  # RGB


def parse_box(text: str) -> tuple[float, float, float, float]:
    """``x,y,w,h`` to four numbers, px, for argparse."""
    try:
        x, y, w, h = (float(part) for part in text.split(","))
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
    parser.add_argument("video", metavar="VIDEO", help="video file, or folder of images")
    parser.add_argument(
        "--box", type=parse_box, required=True, metavar="x,y,w,h", help="target in the first frame, pixels"
    )
    parser.add_argument(
        "--out",
        type=local_path,
        metavar="FILE.mp4",
        help="default: videos/<name>_<tracker>.mp4 in the workspace",
    )
    parser.add_argument("--csv", type=local_path, metavar="FILE.csv", help="default: beside the mp4")
    parser.add_argument("--fps", type=float, help="of the mp4 (default: that of the video, 30 for images)")
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, 2 for unusable input, 130 after Ctrl-C, which keeps the frames so far.
    """
    return run_command(
        build_parser(), _run, argv, interrupted="the frames so far are in the mp4 and the csv."
    )


def _run(args: argparse.Namespace) -> int:
    from ebm.outputs import Output, require_outputs
    from pytracking.evaluation.video_io import open_video
    from pytracking.evaluation.video_names import video_path
    from pytracking.parameter import find_parameters
    from pytracking.tracker import make_tracker
    from pytracking.utils.loading import find_weights, load_tracking_network

    params = find_parameters(args.tracker, args.parameter)
    video = video_path(args.video)
    out = args.out or _default_out(video, args.tracker)
    table = args.csv or out.parent / f"{out.stem}.csv"
    source = open_video(video)
    weights = find_weights(params, args.checkpoint, args.weights)
    require_outputs(
        [
            Output(name="the video --out", path=out),
            Output(name="the table --csv", path=table, stream=True),
        ],
        {"the video": video, "the weights": weights.files},
    )
    print(weights)
    network = None if weights.path is None else load_tracking_network(weights)
    tracker = make_tracker(args.tracker, params, network=network, device=args.device, seed=args.seed)
    with ExitStack() as stack:
        sink = _Sink(out, table, args.fps or source.fps, stack)
        frames = _track(tracker, source, args.box, video, sink.add)
    print(f"{frames} frames tracked.\nVideo: {out}\nTable: {table}")
    if source.count is not None and frames < source.count:
        print(
            f"note: {video} announces {source.count} frames, only {frames} could be read.",
            file=sys.stderr,
        )
    return 0


def _default_out(video: Path, tracker: str) -> Path:
    from ltr.admin.environment import workspace

    return workspace() / "videos" / f"{Path(os.path.realpath(video)).stem}_{tracker}.mp4"


@dataclass(frozen=True)
class _Row:
    """The tracker's answer for one frame; box xywh, px."""

    box: "np.ndarray"
    score: float
    state: str


class _Sink:
    """The mp4 and the csv; both hold every frame given so far, whatever ends the run.

    Nothing is written before the first frame: a run that cannot start leaves older files as they are.
    """

    def __init__(self, video: Path, table: Path, fps: float, stack: ExitStack) -> None:
        from pytracking.evaluation.video_io import VideoWriter

        self._writer = stack.enter_context(VideoWriter(video, fps))
        self._stack = stack
        self._path = table
        self._table: TextIO | None = None
        self._count = 0

    def add(self, image: "np.ndarray", row: _Row) -> None:
        """Append a frame, uint8 RGB ``[H, W, 3]``, and its row.

        Raises:
            InputError: if a file cannot be written.
        """
        from pytracking.evaluation.drawing import draw_box, draw_text, line_width

        drawn = image.copy()
        colour = _COLOURS[row.state]
        draw_box(drawn, row.box, colour, width=line_width(drawn.shape), dashed=row.state != "ok")
        size = max(11, round(drawn.shape[1] / 45))
        caption = f" {self._count}  {row.state}  {row.score:.2f} "
        draw_text(drawn, caption, (size // 2, size // 2), colour, size, backed=True)
        self._writer.add(drawn)
        numbers = ",".join(f"{value:.3f}" for value in row.box)
        self._write(f"{self._count},{numbers},{row.score:.4f},{row.state}\n")
        self._count += 1

    def _write(self, line: str) -> None:
        try:
            if self._table is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                there = self._path.resolve()
                if there.is_file() and there.stat().st_nlink > 1:
                    there.unlink()  # a hard link: its other name is a file that nobody named
                self._table = self._stack.enter_context(
                    self._path.open("w", encoding="utf-8", newline="\n", buffering=1)
                )
                self._table.write("frame,x,y,w,h,score,state\n")
            self._table.write(line)
        except OSError as error:
            if self._table is not None:
                with suppress(OSError):  # what is left in the buffer would fail once more at the end
                    self._table.close()
            raise InputError(f"{self._path} cannot be written: {error.strerror or error}.") from error


def _track(
    tracker: "Tracker",
    source: "VideoSource",
    box: tuple[float, ...],
    video: Path,
    add: Callable[["np.ndarray", _Row], None],
) -> int:
    """Track from the first frame to the last; returns the number of frames."""
    count = 0
    for image in _with_bar(source):
        try:
            row = _first(tracker, image, box) if count == 0 else _next(tracker, image)
        except EBMError as error:
            raise type(error)(f"{video}, frame {count}: {error}") from error
        add(image, row)
        count += 1
    return count


def _first(tracker: "Tracker", image: "np.ndarray", box: tuple[float, ...]) -> _Row:
    import numpy as np

    tracker.initialize(image, np.array(box))
    return _Row(np.array(box), 1.0, "ok")


def _next(tracker: "Tracker", image: "np.ndarray") -> _Row:
    import numpy as np

    tracked = tracker.track(image)
    if not np.isfinite(tracked.box).all():
        raise NumericalError(f"the tracker gave the box {tracked.box.tolist()}; the weights may be damaged.")
    return _Row(tracked.box, tracked.score, tracked.state)


def _with_bar(source: "VideoSource") -> "Iterator[np.ndarray]":
    from tqdm import tqdm

    with tqdm(total=source.count, unit=" frames", dynamic_ncols=True) as bar:
        for image in source.frames():
            yield image
            bar.update()


if __name__ == "__main__":
    sys.exit(main())
