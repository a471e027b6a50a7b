"""Track targets through a video or a folder of images, to an mp4 and a csv; no display is needed."""

import argparse
import os
import sys
from collections.abc import Sequence as List
from pathlib import Path

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import run_command, script_imports

with script_imports(__name__):
    from pytracking.evaluation.command import add_weights_options
    from pytracking.evaluation.tracker_words import OtherWord, TrackerParser
    from pytracking.evaluation.video_command import (
        Given,
        add_run_options,
        parse_box,
        require_run_options,
        track_to_files,
    )
    from pytracking.evaluation.video_places import add_part_options

__all__ = ["build_parser", "main", "parse_box"]

_EXAMPLES = """examples:
  ebmtrack video clip.mp4 --box 120,80,60,90
  ebmtrack video frames/ --box 120,80,60,90 --out tracked.mp4 --csv tracked.csv
  ebmtrack video clip.mp4 --box-file boxes.txt --mot tracks.txt
  ebmtrack video clip.mp4 --box 120,80,60,90 --json tracks.json --crops crops/
  ebmtrack video clip.mp4 --box 120,80,60,90 --start 100 --end 12.5s --stride 2
  ebmtrack video clip.mp4 --box 120,80,60,90 --debug-page look.html
  ebmtrack video dimp nce_plus clip.mp4 --box 120,80,60,90 --checkpoint FILE    another tracker
  ebmtrack video clip.mp4 --select --show

--select and --show open a web page on 127.0.0.1, whose address is printed (extra 'page'). It works through an
ssh tunnel. A page that is closed ends nothing; Stop on the page and Ctrl-C end the run, and keep its outputs.

A box file has a line for every target, x,y,w,h or id,x,y,w,h; without ids targets count from 1. The csv,
then and with --select, has a column id behind the frame, and a row for every target.

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

Exit codes: 0, every frame was tracked, or Stop was pressed; 1, the run is finished, but frames could not be
read; 2, unusable input; 130, Ctrl-C, after which the frames so far are there."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = TrackerParser(
        prog="ebmtrack video",
        other=OtherWord(dest="video", metavar="VIDEO", help="video file, or folder of images"),
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_weights_options(parser)
    add_part_options(parser)
    add_run_options(parser, "of the mp4, evenly spaced (default: the times of the video; 30 for images)")
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
    from pytracking.evaluation.video_io import open_video
    from pytracking.evaluation.video_names import video_path
    from pytracking.evaluation.video_part import part_of

    require_run_options(args)
    video = video_path(args.video)
    source = part_of(open_video(video, *(() if args.fps is None else (args.fps,))), args)
    stem = Path(os.path.realpath(video)).stem
    given = Given(source=source, name=str(video), files=video, stem=stem, title=video.name)
    return track_to_files(args, given)


if __name__ == "__main__":
    sys.exit(main())
