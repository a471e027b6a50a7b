"""What was named as a video: a file or a folder, or a camera or a stream, which are not read yet."""

import re
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ebm.exceptions import InputError
from ebm.files import expanded

__all__ = ["video_path"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+[^/]")
_WEB = ("http", "https", "ftp", "ftps", "s3", "gs")
_RECORD = "Record it to a file first, e.g. ffmpeg {source} -t 60 clip.mp4, and name clip.mp4."


def video_path(text: str) -> Path:
    """The file or folder that was named, which need not exist.

    Args:
        text: as typed: a path, or ``file:///path``.

    Raises:
        InputError: if it is the address of a stream or of a file elsewhere, a camera, or standard input.
    """
    if not text:
        raise InputError("The video's name is empty; name a video file or a folder of images.")
    path = expanded(text) if text.startswith("~/") else Path(text)
    if text == "-":
        raise InputError(
            "A video cannot be read from standard input. Write it to a file first: cat > clip.mp4, and name "
            "clip.mp4."
        )
    if _ADDRESS.match(text) and not path.exists():
        return _from_address(text)
    if (text.isdigit() and not path.exists()) or re.fullmatch(r"/dev/video\d+", text):
        device = f"/dev/video{text}" if text.isdigit() else text
        raise InputError(
            f"{text} is a camera; cameras are not read yet. {_RECORD.format(source=f'-f v4l2 -i {device}')}"
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        kind = "a pipe" if stat.S_ISFIFO(path.stat().st_mode) else "a device"
        raise InputError(f"{text} is {kind}; name a video file or a folder of images.")
    return path


def _from_address(text: str) -> Path:
    parts = urlsplit(text)
    if parts.scheme.lower() == "file":
        return Path(unquote(parts.path))
    if parts.scheme.lower() in _WEB and Path(parts.path).suffix.lower() not in ("", ".m3u8", ".mpd"):
        raise InputError(
            f"{text} is an address, and videos are read from files. Download it first, e.g. "
            f"curl -L -o clip.mp4 '{text}', and name clip.mp4."
        )
    source = f"-i '{text}'"
    raise InputError(f"{text} is a stream; streams are not read yet. {_RECORD.format(source=source)}")
