"""The web server behind the page: on loopback alone, behind a random word, in a thread of its own."""

import asyncio
import hmac
import json
import secrets
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ebm.exceptions import InputError
from pytracking.page.snapshots import Point, Snapshot, encode_picture, message
from pytracking.page.wishes import Wish, read_wish

__all__ = ["PageServer"]

_HOST = "127.0.0.1"
_STATIC = Path(__file__).parent / "static"
_PORTS = 65535
_KEPT = 4000  # points of the score curve, for pages that are opened late
_RELOADING = 1.5  # s, within which a page that went is expected to be back
_LAST_WORDS = 2.0  # s, for which the pages are waited for at the end
_LARGEST = 1 << 16  # bytes of a message from the page
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "EBMTrack",
    "X-Content-Type-Options": "nosniff",
}


class PageServer:
    """Serves the page from a thread of its own.

    A page gets the newest snapshot when it has shown the one before: what came between is left out, and
    nobody waits for it.

    Args:
        port: 0 for any that is free.
        tell: takes what is asked for on the page; called from the server's thread.

    Attributes:
        url: of the page; whoever knows it may steer the run.

    Raises:
        InputError: if the port cannot be had.
    """

    def __init__(self, port: int, tell: Callable[[Wish], None]) -> None:
        if not 0 <= port <= _PORTS:
            raise InputError(f"A port is a number from 0 to {_PORTS}; got {port}.")
        self._sockets = _bound(port)
        self.port: int = self._sockets[0].getsockname()[1]
        self.token = secrets.token_urlsafe(24)
        self.url = f"http://{_HOST}:{self.port}/{self.token}/"
        self._tell, self._pages = tell, set[_Live]()
        self._lock = threading.Lock()
        self._shown: tuple[int, Snapshot] | None = None  # with its number
        self._points, self._dropped = deque[Point](maxlen=_KEPT), 0  # points no longer kept
        self._coded: tuple[int, bytes] = (-1, b"")
        self._ready, self._everybody = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="page", daemon=True)
        self._thread.start()
        self._ready.wait()

    def show(self, snapshot: Snapshot, point: Point | None = None) -> None:
        """Show something from now on; does not wait for anybody.

        Args:
            snapshot: what.
            point: one more of the score curve.
        """
        with self._lock:
            if point is not None:
                self._dropped += len(self._points) == self._points.maxlen
                self._points.append(point)
            self._shown = ((self._shown[0] + 1) if self._shown else 0, snapshot)
        self._soon(self._pump)

    def close(self) -> None:
        """End, once every page has what was shown last, or after two seconds."""
        if not self._thread.is_alive():
            return
        self._everybody.clear()
        self._soon(self._pump)
        self._everybody.wait(_LAST_WORDS)
        self._soon(self._end.set)
        self._thread.join(_LAST_WORDS)

    def _soon(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(call)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        files = {"path": str(_STATIC), "default_filename": "index.html"}
        served = Application(
            [(r"/[^/]+/live", _Live), (r"/[^/]+/(.*)", _Files, files), (r"/.*", _WithoutSlash)],
            page_server=self,
            websocket_ping_interval=10,
            websocket_max_message_size=_LARGEST,
            log_function=lambda handler: None,
        )
        http = HTTPServer(served)
        http.add_sockets(self._sockets)
        self._ready.set()
        await self._end.wait()
        http.stop()
        for page in list(self._pages):
            page.close(1001, "the run has ended")
        await asyncio.sleep(0.05)  # for the farewells
        await http.close_all_connections()

    def joined(self, page: "_Live") -> None:
        """A page was opened."""
        first = not self._pages
        self._pages.add(page)
        if first:
            self._tell(Wish("opened"))
        self._pump()

    def left(self, page: "_Live") -> None:
        """A page was closed; if it is not back at once, that is told."""
        self._pages.discard(page)
        self._pump()
        if not self._pages and not self._end.is_set():
            self._loop.call_later(_RELOADING, self._tell_if_gone)

    def _tell_if_gone(self) -> None:
        if not self._pages:
            self._tell(Wish("gone"))

    def asked(self, page: "_Live", text: str | bytes) -> None:
        """A page asks for something, or says that it has shown what it got."""
        if text == "shown":
            page.free = True
            self._pump()
            return
        try:
            self._tell(read_wish(text))
        except InputError as error:
            page.refuse(str(error))

    def _pump(self) -> None:
        """Send what is shown to the pages that wait for it."""
        with self._lock:
            shown, points, dropped = self._shown, list(self._points), self._dropped
        if shown is None:
            return
        number, snapshot = shown
        for page in [page for page in self._pages if page.free and page.has < number]:
            same = snapshot.image is None or page.picture == snapshot.picture
            new = points[max(0, page.points - dropped) :]
            coded = b"" if same else self._picture(snapshot)
            page.free = False
            page.send(message(snapshot, new, dropped + len(points) - len(new), coded))
            page.has, page.picture, page.points = number, snapshot.picture, dropped + len(points)
        if all(page.free and page.has >= number for page in self._pages):
            self._everybody.set()

    def _picture(self, shown: Snapshot) -> bytes:
        if self._coded[0] != shown.picture:
            assert shown.image is not None
            self._coded = (shown.picture, encode_picture(shown.image))
        return self._coded[1]


def _bound(port: int) -> list[Any]:
    try:
        return bind_sockets(port, _HOST)
    except OSError as error:
        raise InputError(
            f"Port {port} of {_HOST} cannot be had ({error.strerror or error}): another program has it, or "
            "it is not yours to take. Choose another --port, or leave it out for any that is free."
        ) from error


class _Guarded(RequestHandler):
    """Answers those alone who know the word."""

    @property
    def page_server(self) -> PageServer:
        """Whose page it is."""
        server: PageServer = self.settings["page_server"]
        return server

    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        word = self.request.path.split("/")[1].encode("utf-8", "replace")
        if not hmac.compare_digest(word, self.page_server.token.encode()):
            raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("There is nothing here. The address of the page is the one that the command printed.\n")


class _WithoutSlash(_Guarded):
    """The word alone, as it is copied now and then; any other address is refused by `prepare`."""

    def get(self) -> None:
        self.redirect(f"/{self.page_server.token}/")


class _Files(_Guarded, StaticFileHandler):
    """The page's own files."""

    def get_content_type(self) -> str:
        kinds = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
        return kinds.get(Path(str(self.absolute_path)).suffix, "application/octet-stream")


class _Live(_Guarded, WebSocketHandler):
    """The connection of one page.

    Attributes:
        free: it has shown what it was sent.
        has: number of the snapshot sent last; `picture` and `points`: of its parts.
    """

    free, has, picture, points = True, -1, -1, 0

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self.page_server.joined(self)

    def on_message(self, message: str | bytes) -> None:
        self.page_server.asked(self, message)

    def on_close(self) -> None:
        self.page_server.left(self)

    def send(self, data: bytes | str) -> None:
        """Send without waiting."""
        try:
            sent = self.write_message(data, binary=isinstance(data, bytes))
        except WebSocketClosedError:
            return
        sent.add_done_callback(lambda done: done.exception())  # a page that goes meanwhile is no fault

    def refuse(self, why: str) -> None:
        """Tell the person at this page."""
        self.send(json.dumps({"error": why}))
