"""A page without a browser: it speaks the page's messages, and runs beside what it visits."""

import asyncio
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from pytracking.evaluation.video_frames import Frame, VideoSource

__all__ = ["Beside", "ListSource", "Visitor", "pictures"]

PATIENCE = 60.0  # s, after which something that was waited for is missed


class Visitor:
    """One open page; it says that it has shown a message when the next one is asked for."""

    def __init__(self, url: str, **headers: str) -> None:
        self._loop = asyncio.new_event_loop()
        request = HTTPRequest(url.replace("http://", "ws://") + "live", headers=headers)
        self._socket = self._wait(lambda: websocket_connect(request))
        self._owes = False
        self.image: np.ndarray | None = None  # BGR, the last one that was sent

    def _wait(self, call: Callable[[], Any]) -> Any:
        async def within() -> Any:
            return await asyncio.wait_for(call(), PATIENCE)

        return self._loop.run_until_complete(within())

    def next(self) -> dict[str, Any] | None:
        """The next message; None after the connection was closed."""
        if self._owes:
            self._wait(lambda: self._socket.write_message("shown"))
        data = self._wait(self._socket.read_message)
        self._owes = isinstance(data, bytes)
        if data is None or isinstance(data, str):
            return None if data is None else json.loads(data)
        (length,) = struct.unpack(">I", data[:4])
        if data[4 + length :]:
            self.image = cv2.imdecode(np.frombuffer(data[4 + length :], np.uint8), cv2.IMREAD_COLOR)
        facts: dict[str, Any] = json.loads(data[4 : 4 + length])
        if facts.get("phase") == "done":  # the server waits for that
            self._wait(lambda: self._socket.write_message("shown"))
            self._owes = False
        return facts

    def until(self, seen: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first message of which that is true."""
        while (facts := self.next()) is not None:
            if seen(facts):
                return facts
        raise AssertionError("the page was closed before")

    def phase(self, phase: str) -> dict[str, Any]:
        """Wait for what is going on."""
        return self.until(lambda facts: facts.get("phase") == phase)

    def noted(self, words: str) -> dict[str, Any]:
        """Wait for a note."""
        return self.until(lambda facts: words in facts.get("error", facts.get("note", {}).get("text", "")))

    def ask(self, do: str, **more: Any) -> None:
        """Ask for something."""
        self.say(json.dumps({"do": do, **more}))

    def say(self, text: str) -> None:
        """Send a message as it is."""
        self._wait(lambda: self._socket.write_message(text))

    def close(self) -> None:
        """Close the page."""
        self._socket.close()
        self._wait(lambda: asyncio.sleep(0.05))
        self._loop.close()


class Beside:
    """A call in a thread of its own, whose result or error is fetched later."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._result = call()
        except BaseException as error:  # noqa: BLE001 - handed over
            self._error = error

    def result(self) -> Any:
        """What came of it."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it does not end"
        if self._error is not None:
            raise self._error
        return self._result


class ListSource(VideoSource):
    """Frames from a list, `pace` seconds apart; None is one that cannot be read."""

    def __init__(self, images: list[np.ndarray | None], pace: float = 0.0) -> None:
        self.images, self.pace = images, pace
        self.fps, self.time_base = 10.0, Fraction(1, 1000)
        self.count, self.notes = len(images), []

    def timed(self) -> Iterator[Frame]:
        for number, image in enumerate(self.images):
            time.sleep(self.pace)
            yield Frame(number, number / self.fps, image, "" if image is not None else "it is damaged")


def pictures(count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray | None]:
    """Grey pictures, each a little lighter than the one before."""
    return [np.full((*size, 3), min(20 + 4 * number, 255), dtype=np.uint8) for number in range(count)]
