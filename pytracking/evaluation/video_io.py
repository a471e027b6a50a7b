"""Video in and out without a display: frames of a file or a folder, and mp4 files that any player shows."""

from pathlib import Path

from ebm.exceptions import InputError
from pytracking.evaluation.video_av import AVVideo, load_av
from pytracking.evaluation.video_cv import OpenCVVideo
from pytracking.evaluation.video_frames import DEFAULT_FPS, Frame, ImageFolder, VideoSource
from pytracking.evaluation.video_writer import VideoWriter

__all__ = ["Frame", "VideoSource", "VideoWriter", "open_video"]


_TEXT = frozenset({".ans", ".asc", ".diz", ".nfo", ".txt"})  # which FFmpeg would draw letter by letter


def open_video(path: Path, fps: float = DEFAULT_FPS) -> VideoSource:
    """The frames of a video file, or of the images of a folder in the order of their numbers.

    Files are read by PyAV where it is installed, else by OpenCV.

    Args:
        path: of the file or the folder.
        fps: frames per second of a folder, which has no times.

    Raises:
        InputError: if there is no such path, or it holds no frames that can be read.
    """
    if path.is_dir():
        return ImageFolder(path, fps)
    if not path.exists():
        raise InputError(f"There is no video file or image folder {path}.")
    if path.suffix.lower() in _TEXT:
        raise InputError(f"{path} cannot be read as a video: by its name it is a text.")
    return OpenCVVideo(path) if load_av() is None else AVVideo(path)
