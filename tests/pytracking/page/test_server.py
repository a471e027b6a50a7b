"""The server of the page, without a browser."""

import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tornado", reason="the extra 'page' is not installed")

from tornado.httpclient import HTTPClientError

from ebm.exceptions import InputError
from pytracking.page import server as server_module
from pytracking.page.server import PageServer
from pytracking.page.snapshots import Snapshot, encode_picture
from pytracking.page.wishes import Wish
from tests.pytracking.page.visitor import PATIENCE, Visitor

STATIC = Path(server_module.__file__).parent / "static"


@pytest.fixture
def told() -> list[Wish]:
    return []


@pytest.fixture
def server(told: list[Wish]) -> Iterator[PageServer]:
    made = PageServer(0, told.append)
    yield made
    made.close()


def snapshot(number: int, size: tuple[int, int] = (12, 16)) -> Snapshot:
    return Snapshot("track", np.full((*size, 3), number, np.uint8), number, {"frame": number})


def wait_for(told: list[Wish], do: str) -> Wish:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if any(wish.do == do for wish in told):
            return next(wish for wish in told if wish.do == do)
        time.sleep(0.01)
    raise AssertionError(f"{do} was not told; {told}")


def fetch(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_the_files_of_the_page(server: PageServer) -> None:
    status, headers, body = fetch(server.url)
    assert status == 200
    assert headers["Content-Type"] == "text/html"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    named = re.findall(r'(?:src|href)="([^"]+)"', body.decode())
    named += [
        name for file in STATIC.glob("*.js") for name in re.findall(r'from "\./([^"]+)"', file.read_text())
    ]
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert {Path(name).suffix for name in named} == set(kinds)
    for name in named:
        status, headers, _ = fetch(server.url + name)
        assert (status, headers["Content-Type"]) == (200, kinds[Path(name).suffix]), name
    assert fetch(server.url.rstrip("/"))[0] == 200  # an address that was copied without its end


def test_nothing_is_fetched_from_elsewhere() -> None:
    for file in STATIC.iterdir():
        hosts = set(re.findall(r"\w+://[\w.]+", file.read_text("utf-8")))
        assert hosts <= {"http://www.w3.org"}, file  # the name of SVG, which is no address


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x/",
        "x/live",
        "{word}x/",
        "{start}/",
        "{word}/../server.py",
        "{word}/none",
        "{word}/%2e%2e/server.py",
    ],
)
def test_who_does_not_know_the_word_finds_nothing(server: PageServer, path: str) -> None:
    path = path.format(word=server.token, start=server.token[:-1])
    status, _, body = fetch(f"http://127.0.0.1:{server.port}/{path}")
    assert status in (403, 404)
    assert b"There is nothing here" in body
    assert server.token.encode() not in body


def test_every_server_has_its_own_word_and_loopback_alone(server: PageServer) -> None:
    other = PageServer(0, lambda wish: None)
    other.close()
    assert server.token != other.token
    assert len(server.token) >= 32
    assert [each.getsockname()[0] for each in server._sockets] == ["127.0.0.1"]


def test_pages_of_other_places_are_not_let_in(server: PageServer) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        Visitor(server.url, Origin="https://elsewhere.example")
    with pytest.raises(HTTPClientError, match="404"):
        Visitor(f"http://127.0.0.1:{server.port}/word/")
    through_a_tunnel = Visitor(server.url, Origin="http://localhost:9000", Host="localhost:9000")
    through_a_tunnel.close()


def test_a_port_that_cannot_be_had() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} of 127.0.0.1 cannot be had .*another --port"):
            PageServer(port, lambda wish: None)
    with pytest.raises(InputError, match="from 0 to 65535; got 70000"):
        PageServer(70000, lambda wish: None)
    again = PageServer(port, lambda wish: None)
    assert again.port == port
    again.close()


def test_a_slow_page_gets_the_newest_picture_and_every_point(server: PageServer) -> None:
    server.show(snapshot(0), (0, {"1": 0.5}))
    slow = Visitor(server.url)
    first = slow.next()
    assert first is not None
    assert (first["frame"], first["points"], first["first"]) == (0, [[0, {"1": 0.5}]], 0)
    for number in range(1, 200):  # nobody waits for the page, which is still at the first one
        server.show(snapshot(number), (number, {"1": 0.5}))
    last = slow.next()
    assert last is not None
    assert last["frame"] == 199
    assert [point[0] for point in last["points"]] == list(range(1, 200))
    assert last["first"] == 1
    assert slow.image is not None
    assert abs(int(slow.image.mean()) - 199) <= 1
    late = Visitor(server.url)
    again = late.next()
    assert again is not None
    assert len(again["points"]) == 200
    slow.close()
    late.close()


def test_a_picture_is_sent_once_and_no_larger_than_a_screen(server: PageServer) -> None:
    shown = Snapshot("track", np.zeros((900, 3200, 3), np.uint8), 0, {"paused": False})
    server.show(shown)
    page = Visitor(server.url)
    first = page.next()
    assert first is not None
    assert first["size"] == [3200, 900]
    assert page.image is not None
    assert page.image.shape == (450, 1600, 3)
    page.image = None
    server.show(Snapshot("track", shown.image, 0, {"paused": True}))
    assert page.until(lambda facts: facts["paused"])["size"] == [3200, 900]
    assert page.image is None
    page.close()


def test_colours_stay_in_their_order() -> None:
    import cv2

    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 250  # red
    back = cv2.imdecode(np.frombuffer(encode_picture(image), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert back[8, 8, 2] > 200 > 50 > back[8, 8, 0]


def test_what_is_asked_is_told_and_nonsense_is_answered(server: PageServer, told: list[Wish]) -> None:
    server.show(snapshot(0))
    page = Visitor(server.url)
    page.say("nonsense")
    assert "cannot be read" in page.noted("cannot be read")["error"]
    page.ask("pause")
    wait_for(told, "pause")
    assert [wish.do for wish in told] == ["opened", "pause"]
    page.say("x" * 70_000)  # more than a message may have: the connection ends, not the server
    assert page.next() is None
    other = Visitor(server.url)
    assert other.next() is not None
    other.close()


def test_a_page_that_is_loaded_again_is_not_gone(
    server: PageServer, told: list[Wish], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_RELOADING", 0.3)
    Visitor(server.url).close()
    page = Visitor(server.url)
    time.sleep(0.5)
    assert "gone" not in [wish.do for wish in told]
    page.close()
    wait_for(told, "gone")


def test_the_end_does_not_wait_for_a_page_that_shows_nothing(
    server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_LAST_WORDS", 0.2)
    server.show(snapshot(0))
    page = Visitor(server.url)
    page.next()
    server.show(snapshot(1))
    server.close()
    server.show(snapshot(2))  # nobody is there, and that is no error
    server.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url, timeout=PATIENCE)
