"""Pictures and videos of every kind as targets."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

from ltr.data.image_loader import read_image
from pytracking.evaluation.video_io import open_video
from tests.field.clips import mjpeg, picture, timed_video
from tests.field.fuzz.target import UNKNOWABLE, Target, command

__all__ = ["TARGETS"]

_TIMES = list(range(0, 800, 40))  # ms


def _image(name: str, checked: bool = False, depth: type = np.uint8) -> Target:
    def write(folder: Path) -> None:
        image = picture(3).astype(depth) * (200 if depth is np.uint16 else 1)
        assert cv2.imwrite(str(folder / name), image)

    def judge(_: Path, found: np.ndarray, before: np.ndarray, __: str) -> str:
        if found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != 3:
            return f"{found.dtype} {found.shape} is no RGB picture of 8 bits"
        if np.array_equal(found, before):
            return ""
        return "other pixels" if checked else f"{UNKNOWABLE} other pixels, and the format has no checksum"

    return Target(f"image/{name}", write, lambda folder: read_image(folder / name), judge, weight=1)


def _frames(path: Path) -> dict[str, Any]:
    source = open_video(path)
    frames = [
        (frame.number, frame.time, None if frame.image is None else frame.image.shape, frame.fault)
        for frame in source.timed()
    ]
    assert [number for number, *_ in frames] == list(range(len(frames))), "frame numbers have gaps"
    times = np.array([time for _, time, *_ in frames])
    assert np.isfinite(times).all(), "a time is not finite"
    assert (np.diff(times) > 0).all(), f"times do not rise: {times.tolist()}"
    missing = source.count is not None and source.count > len(frames)
    told = (
        bool(source.cut or source.notes)
        or missing
        or any(shape is None or fault for _, _, shape, fault in frames)
    )
    shapes = {shape for *_, shape, _ in frames if shape}
    endless = path.suffix == ".ts"
    return {"count": len(frames), "told": told, "times": times, "shapes": shapes, "endless": endless}


def _judge(_: Path, found: dict[str, Any], before: dict[str, Any], __: str) -> str:
    if found["told"]:
        return ""
    if found["count"] < before["count"]:
        early = np.allclose(found["times"], before["times"][: found["count"]], atol=0.002)
        if found["endless"] and early:  # cut where a packet ends
            return f"{UNKNOWABLE} it ends early, and the format states no length"
        return f"{found['count']} of {before['count']} frames without a word"
    if found["shapes"] != before["shapes"] or found["count"] > before["count"]:
        return f"{UNKNOWABLE} {found['count']} frames of {found['shapes']}"
    if np.abs(found["times"] - before["times"]).max() > 0.002:
        return f"{UNKNOWABLE} other times"
    return ""


def _video(name: str, make: Callable[[Path], Any], reader: str) -> Target:
    def read(folder: Path) -> dict[str, Any]:
        with mock.patch.dict("sys.modules", {} if reader == "av" else {"av": None}):
            return _frames(folder / name)

    return Target(f"video/{name} by {reader}", lambda folder: make(folder / name), read, _judge)


def _track(folder: Path) -> dict[str, Any]:
    video = next(path for path in sorted(folder.iterdir()) if path.name.startswith("clip"))
    out = folder / "out.mp4"
    argv = ["video", "first_box", "default", str(video), "--box", "5,5,20,20", "--out", str(out)]
    with mock.patch.dict(os.environ, {"EBMTRACK_WORKSPACE": str(folder)}):
        code, _, err = command(argv)
    told = "note: " in err
    assert told or code == 0, f"exit code {code} without a note: {err[-300:]!r}"
    rows = out.with_suffix(".csv").read_text().splitlines()[1:]
    written = list(open_video(out).timed())
    assert len(written) == len(rows), f"{len(rows)} rows, {len(written)} frames in the mp4"
    times = np.array([float(row.rsplit(",", 1)[1]) for row in rows])
    return {
        "count": len(rows),
        "told": told,
        "times": times,
        "shapes": set(),
        "endless": video.suffix == ".ts",
    }


def _folder(folder: Path) -> None:
    (folder / "clip").mkdir()
    for index in range(4):
        assert cv2.imwrite(str(folder / f"clip/{index}.{'png' if index % 2 else 'jpg'}"), picture(index))


_MAKERS: dict[str, Callable[[Path], Any]] = {
    "clip.avi": lambda path: mjpeg(path, 20),
    "clip.mp4": lambda path: timed_video(path, "libx264", _TIMES, g="4"),
    "clip.mkv": lambda path: timed_video(path, "libx264", _TIMES, bf="0"),
    "clip.webm": lambda path: timed_video(path, "libvpx", _TIMES),
    "clip.ts": lambda path: timed_video(path, "libx264", _TIMES, g="4"),
}
TARGETS = (
    *(_video(name, make, reader) for name, make in _MAKERS.items() for reader in ("av", "opencv")),
    *(
        Target(f"track/{name}", lambda folder, n=name, m=make: m(folder / n), _track, _judge, weight=1)
        for name, make in _MAKERS.items()
    ),
    Target("track/folder", _folder, _track, _judge, weight=1),
    _image("a.png", checked=True),
    _image("deep.png", checked=True, depth=np.uint16),
    *(_image(name) for name in ("a.jpg", "a.tif", "a.webp", "a.bmp")),
)
