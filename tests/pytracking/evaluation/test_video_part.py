"""A part of a video: numbers and times stay those of the whole."""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError
from pytracking.evaluation.video_frames import Frame, VideoSource
from pytracking.evaluation.video_part import VideoPart
from pytracking.evaluation.video_places import Place, parse_place
from pytracking.run_video import main
from tests.pytracking.tracker.test_several import frame


class Ten(VideoSource):
    """Ten frames, half a second apart; which were asked for."""

    def __init__(self, count: int | None = 10) -> None:
        self.fps, self.time_base, self.count, self.notes = 2.0, None, count, []
        self.read: list[int] = []

    def timed(self) -> Iterator[Frame]:
        for number in range(10):
            self.read.append(number)
            yield Frame(number, number / 2, np.zeros((4, 4, 3), dtype=np.uint8))
        self.cut = "it was cut off"


@pytest.mark.parametrize(
    ("start", "end", "stride", "numbers"),
    [
        ("3", "6", 1, [3, 4, 5]),
        ("3", None, 3, [3, 6, 9]),
        ("0", "99", 4, [0, 4, 8]),
        ("1.5s", "3s", 1, [3, 4, 5]),
        ("1.6s", "6", 1, [4, 5]),
    ],
)
def test_frames_numbers_and_times(start: str, end: str | None, stride: int, numbers: list[int]) -> None:
    part = VideoPart(Ten(), parse_place(start), None if end is None else parse_place(end), stride)
    found = list(part.timed())
    assert [each.number for each in found] == numbers
    assert [each.time for each in found] == [number / 2 for number in numbers]
    assert part.fps == 2 / stride
    assert part.count in (None, len(numbers))
    assert (part.count is None) == ("s" in f"{start}{end}")


def test_what_lies_behind_is_not_read() -> None:
    whole = Ten()
    part = VideoPart(whole, Place(2), Place(4))
    assert len(list(part.timed())) == 2
    assert whole.read == [0, 1, 2, 3, 4]
    assert not part.cut
    rest = VideoPart(Ten(count=None), Place(2))
    assert len(list(rest.timed())) == 8
    assert rest.cut
    assert rest.count is None


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="--start 10, but the last frame is 9"):
        list(VideoPart(Ten(), Place(10)).timed())
    with pytest.raises(DomainError, match="--end 3 does not lie behind --start 3"):
        VideoPart(Ten(), Place(3), Place(3))
    with pytest.raises(DomainError, match="stride"):
        VideoPart(Ten(), Place(3), stride=0)


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "s", "-2s", "nans", "infs", "1_0"])
def test_places_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="4.5s"):
        parse_place(text)


def test_the_command_tracks_a_part_to_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    folder = tmp_path / "frames"
    folder.mkdir()
    for time in range(9):
        assert cv2.imwrite(str(folder / f"{time}.png"), frame(time)[..., ::-1])
    arguments = [
        "first_box",
        "default",
        str(folder),
        "--box",
        "60,80,30,36",
        "--out",
        str(tmp_path / "o.mp4"),
    ]
    arguments += ["--json", str(tmp_path / "o.json"), "--crops", str(tmp_path / "crops")]
    assert main([*arguments, "--start", "2", "--end", "7", "--stride", "2"]) == 0
    said = capsys.readouterr()
    assert "3 frames tracked." in said.out
    assert "Left out" not in said.out
    assert "note" not in said.err
    rows = list(csv.DictReader((tmp_path / "o.csv").open()))
    assert [(int(row["frame"]), float(row["time"])) for row in rows] == [
        (number, pytest.approx(number / 30, abs=1e-6)) for number in (2, 4, 6)
    ]
    assert [image["frame"] for image in json.loads((tmp_path / "o.json").read_text())["images"]] == [2, 4, 6]
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == [
        f"frames_{number:06d}.jpg" for number in (2, 4, 6)
    ]
    video = cv2.VideoCapture(str(tmp_path / "o.mp4"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 3
    assert main([*arguments, "--start", "30"]) == 2
    assert "the last frame is 8" in capsys.readouterr().err
    assert main([*arguments[:-1], str(folder)]) == 2, "crops among the frames"
