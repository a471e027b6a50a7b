"""Sinks that draw: TensorBoard, visdom."""

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.sinks.base import SinkContext

__all__ = ["TensorBoardSink", "VisdomSink"]


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
