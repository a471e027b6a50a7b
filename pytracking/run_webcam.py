"""Track targets in what a camera sees, or a stream, or frames on standard input, to an mp4 and a csv."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import run_command, script_imports

with script_imports(__name__):
    from pytracking.evaluation.command import add_weights_options
    from pytracking.evaluation.tracker_words import OtherWord, TrackerParser
    from pytracking.evaluation.video_command import add_run_options, require_run_options, track_to_files

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack webcam --select --show --latest-frame
  ebmtrack webcam rtsp://host/stream --select --show --latest-frame
  ebmtrack webcam dimp nce_plus rtsp://host/stream --select --show --checkpoint FILE    another tracker
  ffmpeg -i clip.mp4 -f yuv4mpegpipe - | ebmtrack webcam - --box 120,80,60,90

The source is the number of a camera (0), its device (/dev/video0), the address of a stream (rtsp, http,
udp, tcp, ...), - for frames on standard input, or a video file or folder, which is played at its own speed as
if it were a camera. On standard input: JPEGs one after another (MJPEG), yuv4mpeg, MPEG-TS or Matroska (extra
'eval').

With --select the moving picture is on the page; it is held while boxes are drawn on it, and frames count from
the one that was held. With --box or --box-file the boxes are those of the first frame.

--latest-frame: what comes while the tracker is at work is left out and counted; the csv's frame numbers have
gaps there. Without it the source waits, or leaves frames out by itself, and pictures may be late.

Ctrl-C and Stop on the page end the run; outputs hold every frame so far, as those of 'ebmtrack video' do.
Times are those at which frames came; those of yuv4mpeg, MPEG-TS, Matroska and files are their own; JPEGs on
standard input are 1 / --fps apart.

Exit codes: 0, the source has ended, or Stop was pressed; 1, frames could not be read, or the source broke
off; 2, unusable input; 130, Ctrl-C, after which the frames so far are there."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = TrackerParser(
        prog="ebmtrack webcam",
        other=OtherWord(
            dest="source", metavar="SOURCE", help="camera, stream, -, or video (default: 0)", default="0"
        ),
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_weights_options(parser)
    add_run_options(
        parser, "of the mp4, evenly spaced (default: the times of the frames); of JPEGs on standard input"
    )
    parser.add_argument(
        "--latest-frame", action="store_true", help="leave out what comes while the tracker is at work"
    )
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if frames could not be read or the source broke off; 2 for unusable input, 130 after Ctrl-C,
        which keeps the frames so far.
    """
    return run_command(
        build_parser(), _run, argv, interrupted="the frames so far are in the mp4 and the csv."
    )


def _run(args: argparse.Namespace) -> int:
    from pytracking.evaluation.camera_names import open_camera

    require_run_options(args)
    return track_to_files(args, open_camera(args.source, args.fps, latest=args.latest_frame))


if __name__ == "__main__":
    sys.exit(main())
