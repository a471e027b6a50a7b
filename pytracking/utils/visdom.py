"""PyTracking's visualiser on a visdom server: blocks that can be switched on and off, pause and step."""

import contextlib
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Condition
from time import monotonic
from typing import Any

from ebm.exceptions import InputError, MissingPackageError
from ebm.extras import explain_missing
from ebm.lookup import lookup
from pytracking.utils.visdom_blocks import BLOCKS, windows_of

__all__ = ["HELP", "Visdom"]

_TRACKING, _LIST = "Tracking", "block_list"
_SECOND_STEP = "visdom itself then needs: pip install --no-build-isolation 'setuptools<82' visdom==0.2.4"
_ONE_PRESS = 0.1  # seconds; visdom 0.2.4's page sends a key once for every time that it has been drawn anew
HELP = (
    "<b>Space</b> pauses, <b>right arrow</b> shows the next frame while paused; click the window Tracking "
    "first. What is ticked in the block list is shown."
)


@dataclass
class _Block:
    """One title: how it is drawn, the last data, and whether it is shown."""

    mode: str
    visible: bool
    data: Any = None


class Visdom:
    """Sends what trackers register to a visdom server.

    Args:
        debug: level; blocks of a higher one are kept, but shown only when they are ticked in the block list.
        ui_info: of PyTracking's runners: ``handler``, called with every event of the window ``win_id``.
        visdom_info: ``server`` (127.0.0.1) and ``port`` (8097).

    Raises:
        MissingPackageError: if the client is not installed.
        InputError: if there is no server.

    Source: spec of the published trackers' visualiser; blocks of optical flow (cost volumes) are left out.
    """

    def __init__(
        self,
        debug: int = 0,
        ui_info: Mapping[str, Any] | None = None,
        visdom_info: Mapping[str, Any] | None = None,
    ) -> None:
        info = visdom_info or {}
        server, port = str(info.get("server", "127.0.0.1")), int(info.get("port", 8097))
        self.debug = debug
        self.client = _connected(server, port)
        self.address = f"http://{server}:{port}"
        self._blocks: dict[str, _Block] = {}
        self._changed = Condition()
        self._paused, self._steps = False, 0
        self._last_key: tuple[Any, float] = (None, 0.0)
        self.client.close()
        self.client.register_event_handler(self._on_key, _TRACKING)
        self.client.register_event_handler(self._on_tick, _LIST)
        if ui_info:
            self.client.register_event_handler(ui_info["handler"], ui_info["win_id"])
        self.client.text(HELP, win="Help", opts={"title": "Help"})

    def register(
        self, data: Any, mode: str, debug_level: int = 0, title: str = "Data", **_options: Any
    ) -> None:
        """Keep data under a title, and draw it if it is to be seen.

        Args:
            data: as the mode wants it.
            mode: ``image`` (C, H, W), ``heatmap`` (H, W), ``lineplot`` y or (y, x), ``text``, ``info_dict``
                (what is registered accumulates), ``Tracking`` (frame, boxes or masks...), ``bbreg`` (frame,
                boxes before, boxes after, scores).
            debug_level: shown from this level on, until the block list says otherwise.
            title: of its window.

        Raises:
            UnknownNameError: (a ValueError) for another mode.
            ShapeError: if the data have another shape.
        """
        lookup("mode", mode, BLOCKS)
        with self._changed:
            new = title not in self._blocks
            if new:
                self._blocks[title] = _Block(mode, self.debug >= debug_level)
            block = self._blocks[title]
            block.mode = mode
            block.data = {**(block.data or {}), **data} if mode == "info_dict" else data
            visible = block.visible
        if new and mode != _TRACKING:
            self._show_list()
        if visible:
            self._draw(title, block)

    @property
    def paused(self) -> bool:
        """Whether a viewer has paused."""
        return self._paused

    def wait_while_paused(self) -> None:
        """Return at once, or, while paused, when a viewer steps, resumes, or the server is gone."""
        with self._changed:
            while self._paused and not self._steps:
                self._changed.wait(timeout=0.5)
                if not self.client.check_connection():
                    self._paused = False
            self._steps = max(0, self._steps - 1)

    def _draw(self, title: str, block: _Block) -> None:
        BLOCKS[block.mode](self.client, title, block.data)

    def _show_list(self) -> None:
        rows = [
            {"type": "checkbox", "name": title, "value": block.visible}
            for title, block in self._blocks.items()
            if block.mode != _TRACKING
        ]
        self.client.properties(rows, win=_LIST, opts={"title": "Block List"})

    def _on_key(self, event: Mapping[str, Any]) -> None:
        if event.get("event_type") != "KeyPress":
            return
        with self._changed:
            key, now = event.get("key"), monotonic()
            if key == self._last_key[0] and now - self._last_key[1] < _ONE_PRESS:
                return
            self._last_key = (key, now)
            if event.get("key") == " ":
                self._paused = not self._paused
            elif event.get("key") == "ArrowRight" and self._paused:
                self._steps += 1
            self._changed.notify_all()

    def _on_tick(self, event: Mapping[str, Any]) -> None:
        if event.get("event_type") != "PropertyUpdate":
            return
        titles = [title for title, block in self._blocks.items() if block.mode != _TRACKING]
        place = int(event.get("propertyId", -1))
        if not 0 <= place < len(titles):
            return
        title = titles[place]
        with self._changed:
            block = self._blocks[title]
            block.visible = bool(event.get("value"))
        if block.visible and block.data is not None:
            self._draw(title, block)
        elif not block.visible:
            for window in windows_of(block.mode, title):
                self.client.close(window)
        self._show_list()


def _connected(server: str, port: int) -> Any:
    """A client of a server that answers."""
    try:
        import visdom
    except ImportError as error:
        missing = explain_missing("the visdom views", "visdom")
        raise MissingPackageError(f"{missing} {_SECOND_STEP}", name="visdom") from error
    logging.getLogger("visdom").setLevel(
        logging.CRITICAL
    )  # it prints tracebacks for a server that is not there
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            client = visdom.Visdom(server=f"http://{server}", port=port, raise_exceptions=True)
            there = client.check_connection(timeout_seconds=2)
    except Exception as error:  # the client's own are of many kinds, all of them this
        raise InputError(_no_server(server, port)) from error
    if not there:
        raise InputError(_no_server(server, port))
    return client


def _no_server(server: str, port: int) -> str:
    return (
        f"No visdom server answers at http://{server}:{port}. Start one with 'python -m visdom.server -port "
        f"{port}', name another with --visdom_server and --visdom_port, or take --debug-page: no server."
    )
