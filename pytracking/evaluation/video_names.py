"""What was named as a video: a file or a folder, or a camera or a stream, which another command reads."""

import re
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ebm.exceptions import InputError
from ebm.files import expanded

__all__ = ["ADDRESS", "path_of_address", "video_path"]

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+[^/]")
_WEB = ("http", "https", "ftp", "ftps", "s3", "gs")
_LIVE = "'ebmtrack webcam' tracks from it: ebmtrack webcam {source}"


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
            "A video is read from a file; 'ebmtrack webcam' reads frames from standard input (JPEGs, "
            "yuv4mpeg, MPEG-TS or Matroska): ebmtrack webcam -"
        )
    if ADDRESS.match(text) and not path.exists():
        return _from_address(text)
    if (text.isdigit() and not path.exists()) or re.fullmatch(r"/dev/video\d+", text):
        raise InputError(f"{text} is a camera; {_LIVE.format(source=text)}")
    if path.exists() and not (path.is_file() or path.is_dir()):
        kind = "a pipe" if stat.S_ISFIFO(path.stat().st_mode) else "a device"
        raise InputError(f"{text} is {kind}; name a video file or a folder of images.")
    return path


def _from_address(text: str) -> Path:
    parts = urlsplit(text)
    if parts.scheme.lower() == "file":
        return path_of_address(text)
    if parts.scheme.lower() in _WEB and Path(parts.path).suffix.lower() not in ("", ".m3u8", ".mpd"):
        raise InputError(
            f"{text} is an address, and videos are read from files. Download it first, e.g. "
            f"curl -L -o clip.mp4 '{text}', and name clip.mp4."
        )
    quoted = f"'{text}'"
    raise InputError(f"{text} is a stream; {_LIVE.format(source=quoted)}")


def path_of_address(text: str) -> Path:
    """The path in ``file:///path``."""
    return Path(unquote(urlsplit(text).path))
