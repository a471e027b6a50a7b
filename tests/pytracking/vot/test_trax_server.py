"""The TraX adapter: with a stand-in for vot-trax, and with the real client where it is installed."""

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ebm.exceptions import InputError, MissingPackageError
from pytracking.tracker.first_box import FirstBox
from pytracking.vot.follower import Follower
from pytracking.vot.serving import serve
from pytracking.vot.trax_server import run_trax
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames

ROOT = Path(__file__).resolve().parents[3]
Request = namedtuple("Request", "type image objects")


class Rectangle:
    type = "rectangle"

    def __init__(self, *box: float) -> None:
        self.box = box

    @staticmethod
    def create(*box: float) -> "Rectangle":
        return Rectangle(*box)

    def bounds(self) -> tuple[float, ...]:
        return self.box


class Polygon(list[tuple[float, float]]):
    type = "polygon"


class Mask:
    type = "mask"

    def array(self) -> np.ndarray:
        return np.ones((3, 2), dtype=np.uint8)

    def offset(self) -> tuple[int, int]:
        return 7, 9


class StandIn(ModuleType):
    """A module `trax` whose client asks what it is told to."""

    def __init__(self, requests: list[Request]) -> None:
        super().__init__("trax")
        self.requests, self.replies, self.quits = requests, [], []  # type: ignore[var-annotated]
        self.Region = SimpleNamespace(RECTANGLE="rectangle", POLYGON="polygon", MASK="mask")
        self.Image = SimpleNamespace(PATH="path")
        self.TraxStatus = SimpleNamespace(INITIALIZE="initialize", FRAME="frame", QUIT="quit")
        self.Rectangle = Rectangle

        class TraxException(Exception):
            pass

        self.TraxException = TraxException

    def Server(self, regions: Any, images: Any, channels: Any, **options: Any) -> "StandIn":
        assert (regions, images, channels) == (["rectangle", "polygon", "mask"], ["path"], ["color"])
        assert options == {"tracker_name": "first_box/default", "multiobject": True}
        return self

    def wait(self) -> Request:
        if not self.requests:
            raise self.TraxException("the pipe is closed.")
        return self.requests.pop(0)

    def status(self, objects: Any) -> None:
        self.replies.append([(region.box, properties) for region, properties in objects])

    def quit(self, reason: str | None = None) -> None:
        self.quits.append(reason)


@pytest.fixture
def frames(tmp_path: Path) -> list[dict[str, Any]]:
    draw_frames(tmp_path / "walk", boxes_of(3))
    return [
        {"color": SimpleNamespace(path=lambda path=path: str(path))}
        for path in sorted((tmp_path / "walk").iterdir())
    ]


def talk(monkeypatch: pytest.MonkeyPatch, *requests: Request) -> StandIn:
    module = StandIn(list(requests))
    monkeypatch.setitem(sys.modules, "trax", module)
    return module


def test_objects_of_every_kind(monkeypatch: pytest.MonkeyPatch, frames: list[dict[str, Any]]) -> None:
    square = Polygon([(30.0, 10.0), (40.0, 10.0), (40.0, 20.0), (30.0, 20.0)])
    client = talk(
        monkeypatch,
        Request("initialize", frames[0], [(Rectangle(4, 8, 12, 10), {}), (square, {})]),
        Request("frame", frames[1], [(Mask(), {})]),
        Request("frame", frames[2], None),
        Request("quit", None, None),
    )
    assert run_trax(Follower(FirstBox()), "first_box/default") == 3
    expected = [(4, 8, 12, 10), (29.5, 9.5, 11, 11), (7, 9, 2, 3)]
    assert [[box for box, _ in reply] for reply in client.replies] == [expected[:2], expected, expected]
    assert client.replies[0][0][1] == {"confidence": "1.000000"}
    assert client.quits == [None]


def test_what_prints_does_not_print_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, frames: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []
    client = talk(
        monkeypatch,
        Request("initialize", frames[0], [(Rectangle(4, 8, 12, 10), {})]),
        Request("frame", frames[1], None),
        Request("quit", None, None),
    )
    monkeypatch.setattr(client, "Server", lambda *given, **options: (order.append("handshake"), client)[1])
    made = FirstBox.__init__

    def noisy(self: FirstBox) -> None:
        order.append("loaded")
        print("python says hello")
        os.write(1, b"a library says hello\n")
        made(self)

    advance = FirstBox.advance
    monkeypatch.setattr(FirstBox, "__init__", noisy)
    monkeypatch.setattr(
        FirstBox, "advance", lambda self, t, f: (print("a frame says hello"), advance(self, t, f))[1]
    )
    assert serve("first_box", "default", protocol="trax") == 0
    assert order[:2] == ["loaded", "handshake"]
    out, err = capfd.readouterr()
    assert out == ""
    for words in ("python says", "a library says", "a frame says", "2 frames tracked."):
        assert words in err


def test_a_tracker_that_fails_tells_the_client(
    monkeypatch: pytest.MonkeyPatch, frames: list[dict[str, Any]]
) -> None:
    client = talk(monkeypatch, Request("initialize", frames[0], [(Rectangle(400, 8, 12, 10), {})]))
    with pytest.raises(ValueError, match="outside the image"):
        run_trax(Follower(FirstBox()), "first_box/default")
    assert "outside the image" in client.quits[0]


def test_a_client_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    talk(monkeypatch)
    with pytest.raises(InputError, match=r"went away or is none: the pipe is closed\. The toolkit starts"):
        run_trax(Follower(FirstBox()), "first_box/default")


def test_without_vot_trax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trax", None)
    with pytest.raises(MissingPackageError, match=r"ebmtrack\[vot\]"):
        run_trax(Follower(FirstBox()), "first_box/default")


def test_the_real_client(tmp_path: Path) -> None:
    trax = pytest.importorskip("trax")
    from trax.client import Client

    draw_frames(tmp_path / "walk", boxes_of(3))
    paths = [str(path) for path in sorted((tmp_path / "walk").iterdir())]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "pytracking/run_vot.py"), "first_box", "default"],
        cwd=tmp_path,
        env=os.environ | {"TRAX": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    said: list[str] = []
    client = Client(stream=(process.stdin.fileno(), process.stdout.fileno()), timeout=60, log=said.append)
    assert client.get("multiobject")
    image = [{"color": trax.FileImage.create(path)} for path in paths]
    mask = np.ones((3, 2), dtype=np.uint8)
    new = [(trax.Rectangle.create(4, 8, 12, 10), {}), (trax.Mask.create(mask, x=7, y=9), {})]
    found, _ = client.initialize(image[0], new, {})
    assert [region.bounds() for region, _ in found] == [(4, 8, 12, 10), (7, 9, 2, 3)]
    corners = [(30.0, 10.0), (40.0, 10.0), (40.0, 20.0), (30.0, 20.0)]
    found, _ = client.frame(image[1], {}, [(trax.Polygon.create(corners), {})])
    assert found[2][0].bounds() == (29.5, 9.5, 11, 11)
    assert len(client.frame(image[2], {}, [])[0]) == 3
    client.quit()
    assert process.wait(20) == 0
    assert b"3 frames tracked." in process.stderr.read()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
