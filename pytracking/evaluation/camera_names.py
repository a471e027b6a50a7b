"""What was named as a camera: its number, an address, standard input, or a video that stands in for one."""

import re
import sys
from datetime import datetime
from pathlib import Path

from ebm.exceptions import InputError
from ebm.files import expanded
from pytracking.evaluation.camera import Camera, Live, Played, Stream
from pytracking.evaluation.video_av import load_av
from pytracking.evaluation.video_command import Given
from pytracking.evaluation.video_frames import DEFAULT_FPS, VideoSource
from pytracking.evaluation.video_io import open_video
from pytracking.evaluation.video_names import ADDRESS, path_of_address

__all__ = ["open_camera"]

_CAMERA = re.compile(r"(?:/dev/video)?([0-9]{1,4})")


def open_camera(text: str, fps: float | None = None, *, latest: bool = False) -> Given:
    """Frames that come by themselves.

    Args:
        text: as typed: number of a camera or ``/dev/video0``, address of a stream, ``-`` for standard input,
            a pipe, or a video file or folder of images, which is played at its own speed.
        fps: of what has no times; None: 30.
        latest: leave out what comes while nobody asks.

    Raises:
        InputError: if it is none of these, or gives no picture.
    """
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    path = expanded(text) if text.startswith("~/") else Path(text)
    camera = _CAMERA.fullmatch(text)
    files: Path | None = None
    source: VideoSource
    if text == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError(
                "Standard input is the keyboard. Send frames into it, e.g. ffmpeg -i VIDEO -f yuv4mpegpipe - "
                "| ebmtrack webcam ... -"
            )
        source, name, stem = Stream(sys.stdin.buffer, "standard input", fps), "standard input", f"stdin-{now}"
    elif camera and (text.startswith("/dev/") or not path.exists()):
        source, name, stem = Camera(int(camera[1])), f"camera {camera[1]}", f"camera{camera[1]}-{now}"
    elif ADDRESS.match(text) and not path.exists() and not text.lower().startswith("file:"):
        source = Camera(text) if load_av() is None else Stream(text, text, fps)
        name, stem = text, f"stream-{now}"
    else:
        path = path_of_address(text) if ADDRESS.match(text) and not path.exists() else path
        name, stem = str(path), path.stem
        if path.is_fifo():
            source, stem = Stream(path.open("rb"), name, fps), f"{stem}-{now}"
        else:
            source, files = Played(open_video(path, fps or DEFAULT_FPS)), path
    live = Live(source, latest=latest)
    return Given(source=live, name=name, title=Path(name).name, files=files, stem=stem, live=True)
