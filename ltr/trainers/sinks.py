"""Where the numbers of a run go beside its history: TensorBoard, visdom. None of it can stop a run."""

import importlib
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.lookup import lookup

__all__ = [
    "Sink",
    "SinkContext",
    "Sinks",
    "TensorBoardSink",
    "VisdomSink",
    "check_requests",
    "folders_of",
    "open_sinks",
]

Say = Callable[[str], None]

WAITING = 64  # rows that may wait for a slow sink before it is given up
PATIENCE = 10.0  # s that the end of a run waits for the last rows


class Sink(Protocol):
    """Takes the numbers of every epoch; may fail or hang as it likes."""

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """The numbers of `loader` (``"train"``, ``"val"``) after `epoch`."""

    def close(self) -> None:
        """Nothing more will come."""


@dataclass(frozen=True, kw_only=True)
class SinkContext:
    """What a sink may want to know about its run.

    Attributes:
        folder: of the run's files.
        title: of the run, e.g. ``"ltr/dimp/dimp50"``.
        texts: name -> text about the run.
    """

    folder: Path
    title: str
    texts: Mapping[str, str]


Opener = Callable[[str, SinkContext], Sink]


class _Guarded:
    """A sink in a thread of its own, opened there; its first failure is said once and ends it."""

    def __init__(self, name: str, build: Callable[[], Sink], say: Say) -> None:
        self._name, self._build, self._say = name, build, say
        self._rows: queue.Queue[tuple[str, int, dict[str, float]] | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        self._over = False

    def put(self, row: tuple[str, int, dict[str, float]] | None) -> None:
        """Hand over a row, or None for the end; never waits."""
        if self._over:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"sink {self._name}", daemon=True)
            self._thread.start()
        try:
            self._rows.put_nowait(row)
        except queue.Full:
            self._fail(f"it has taken none of the last {WAITING} rows")

    def finish(self) -> None:
        """Wait for the rows handed over, but not for ever."""
        if self._thread is None or self._over:
            return
        self.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._fail(f"it did not take the last rows in {PATIENCE:.0f} s")

    def _work(self) -> None:
        try:
            sink = self._build()
            while not self._over and (row := self._rows.get()) is not None:
                sink.write(*row)
            sink.close()
        except Exception as error:  # noqa: BLE001  whatever it is, the run goes on
            reason = str(error).strip().splitlines()
            self._fail(reason[0] if reason else type(error).__name__)

    def _fail(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._say(f"--log-to {self._name} is off for the rest of this run: {reason}. The run goes on.")


class Sinks:
    """Several sinks; none waits for another, and what goes wrong in one is said once.

    Args:
        builders: name and what makes the sink, called in a thread of its own when the first row comes.
        say: prints a line.
    """

    def __init__(self, builders: Sequence[tuple[str, Callable[[], Sink]]], say: Say) -> None:
        self._guarded = [_Guarded(name, build, say) for name, build in builders]

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """Hand the numbers of `loader` after `epoch` to every sink that still works."""
        for sink in self._guarded:
            sink.put((loader, epoch, dict(values)))

    def close(self) -> None:
        """Wait a little for what has been handed over."""
        for sink in self._guarded:
            sink.finish()


class TensorBoardSink:
    """One event file a loader, ``<folder>/<loader>``, as the reference writes them.

    Args:
        folder: of the event files.
        context: the run; its texts go to the loader ``info``.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise explain_missing("event files", "tensorboard") from error
        self._open = SummaryWriter
        self._folder = folder
        self._writers: dict[str, Any] = {}
        for name, text in context.texts.items():
            self._writer("info").add_text(name, text)

    def _writer(self, loader: str) -> Any:
        if loader not in self._writers:
            self._writers[loader] = self._open(str(self._folder / loader))
        return self._writers[loader]

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """One scalar a statistic at step `epoch`."""
        for name, value in values.items():
            self._writer(loader).add_scalar(name, value, epoch)
        self._writer(loader).flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()


class VisdomSink:
    """One window a statistic, one line in it for each loader.

    Args:
        url: of the server, e.g. ``"http://localhost:8097"``.
        context: the run; its title names the environment.
    """

    def __init__(self, url: str, context: SinkContext) -> None:
        try:
            visdom = importlib.import_module("visdom")
        except ImportError as error:
            raise InputError(
                "visdom is missing; pip install 'ebmtrack[viz]', then pip install --no-build-isolation "
                "visdom==0.2.4"
            ) from error
        logging.getLogger("visdom").setLevel(logging.ERROR)  # what goes wrong is said once, by us
        parts = urlsplit(url)
        self._client = visdom.Visdom(
            server=f"{parts.scheme}://{parts.hostname}",
            port=parts.port or 8097,
            env=context.title.replace("/", "_"),
            use_incoming_socket=False,
            raise_exceptions=True,
        )
        text = "".join(f"<p><b>{name}</b> {value}</p>" for name, value in context.texts.items())
        self._client.text(text, win="info", opts={"title": context.title})
        self._begins: bool | None = None
        self._windows: set[str] = set()

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """Add a point to the loader's line in the window of each statistic; a new run begins new lines."""
        if self._begins is None:
            self._begins = epoch == 1
        for name, value in values.items():
            window = f"plot {name}"
            if self._begins and window not in self._windows:
                self._client.close(window)  # of an earlier run, if there was one
            self._windows.add(window)
            options = {"title": name, "xlabel": "epoch", "showlegend": True, "markers": True}
            self._client.line(X=[epoch], Y=[value], win=window, name=loader, update="append", opts=options)

    def close(self) -> None:
        """Keep what the server holds, as far as it can."""
        self._client.save([self._client.env])


def _tensorboard(where: str, context: SinkContext) -> Sink:
    return TensorBoardSink(Path(where) if where else context.folder / "tensorboard", context)


def _visdom(where: str, context: SinkContext) -> Sink:
    url = where or "http://localhost:8097"
    return VisdomSink(url if "://" in url else f"http://{url}", context)


_OPENERS: Mapping[str, Opener] = {"tensorboard": _tensorboard, "visdom": _visdom}


def open_sinks(requests: Sequence[str], context: SinkContext, say: Say) -> Sinks:
    """The sinks that a user asked for.

    Args:
        requests: ``"tensorboard"`` or ``"visdom"``, with a place where the default one does not serve:
            ``"tensorboard=DIR"``, ``"visdom=HOST:PORT"``.
        context: the run.
        say: prints a line.

    Raises:
        UnknownNameError: for a sink that does not exist.
    """
    builders = [(name, partial(opener, where, context)) for name, opener, where in map(_parsed, requests)]
    return Sinks(builders, say)


def folders_of(requests: Sequence[str]) -> list[Path]:
    """The folders that requests name, of ``"tensorboard=DIR"``."""
    return [Path(where) for name, _, where in map(_parsed, requests) if name == "tensorboard" and where]


def check_requests(requests: Sequence[str]) -> None:
    """Refuse a sink that does not exist, before anything starts.

    Raises:
        UnknownNameError: naming the ones that do.
    """
    for request in requests:
        _parsed(request)


def _parsed(request: str) -> tuple[str, Opener, str]:
    """Name, opener and place of ``"name"`` or ``"name=place"``."""
    name, _, where = request.partition("=")
    return name.strip(), lookup("log", name.strip(), _OPENERS), where.strip()
