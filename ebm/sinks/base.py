"""Where the numbers of a run go beside its history. None of it can stop a run."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = ["Say", "Sink", "SinkContext", "Sinks"]

Say = Callable[[str], None]

WAITING = 64  # rows that may wait for a slow sink before it is given up
PATIENCE = 10.0  # s that the end of a run waits for the last rows


@runtime_checkable
class Sink(Protocol):
    """Takes the numbers of every epoch, in a thread of its own; may fail or hang as it likes."""

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """The numbers of `loader` (``"train"``, ``"val"``, a stage of a fit) after `epoch`, from 1."""

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
        except BaseException as error:  # noqa: BLE001  sys.exit in a sink too: the run goes on
            reason = str(error).strip().splitlines()
            self._fail(reason[0] if reason else type(error).__name__)

    def _fail(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._say(f"{self._name} is off for the rest of this run: {reason}. The run goes on.")


class Sinks:
    """Several sinks; none waits for another, and what goes wrong in one is said once.

    Args:
        builders: name and what makes the sink, called in a thread of its own when the first row comes.
        say: prints a line, from any thread.
        option: of the user's that sinks were asked for by; stands before their names.
    """

    def __init__(
        self, builders: Sequence[tuple[str, Callable[[], Sink]]], say: Say, option: str = "--log-to"
    ) -> None:
        self._guarded = [_Guarded(f"{option} {name}", build, say) for name, build in builders]

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """Hand the numbers of `loader` after `epoch` to every sink that still works."""
        for sink in self._guarded:
            sink.put((loader, epoch, dict(values)))

    def close(self) -> None:
        """Wait a little for what has been handed over."""
        for sink in self._guarded:
            sink.finish()
