"""Sinks by the text that a user asks for them with: ``"name"`` or ``"name=place"``."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ebm.files import expanded
from ebm.lookup import lookup
from ebm.sinks.base import Say, Sink, SinkContext, Sinks
from ebm.sinks.csv_file import CSVSink
from ebm.sinks.drawing import TensorBoardSink, VisdomSink
from ebm.sinks.runs import RunSink

__all__ = ["PROJECT", "builder_of", "check_requests", "open_sinks", "places_of"]

Opener = Callable[[str, SinkContext], Sink]

PROJECT = "ebmtrack"


def _csv(where: str, context: SinkContext) -> Sink:
    return CSVSink(expanded(where) if where else context.folder / "log.csv")


def _tensorboard(where: str, context: SinkContext) -> Sink:
    return TensorBoardSink(expanded(where) if where else context.folder / "tensorboard", context)


def _visdom(where: str, context: SinkContext) -> Sink:
    url = where or "http://localhost:8097"
    return VisdomSink(url if "://" in url else f"http://{url}", context)


def _run(package: str, where: str, context: SinkContext) -> Sink:
    return RunSink(package, where or PROJECT, context)


_OPENERS: Mapping[str, Opener] = {
    "csv": _csv,
    "tensorboard": _tensorboard,
    "trackio": partial(_run, "trackio"),
    "visdom": _visdom,
    "wandb": partial(_run, "wandb"),
}


def builder_of(request: str, context: SinkContext) -> tuple[str, Callable[[], Sink]]:
    """Name of a sink, and what makes it.

    Args:
        request: ``"csv"``, ``"tensorboard"``, ``"trackio"``, ``"visdom"`` or ``"wandb"``, with a place where
            the default one does not serve: ``"csv=FILE"``, ``"tensorboard=DIR"``, ``"trackio=PROJECT"``,
            ``"visdom=HOST:PORT"``, ``"wandb=PROJECT"``.
        context: the run.

    Raises:
        UnknownNameError: for a sink that does not exist.
    """
    name, opener, where = _parsed(request)
    return name, partial(opener, where, context)


def open_sinks(requests: Sequence[str], context: SinkContext, say: Say) -> Sinks:
    """The sinks that a user of a command asked for.

    Args:
        requests: see `builder_of`.
        context: the run.
        say: prints a line.

    Raises:
        UnknownNameError: for a sink that does not exist.
    """
    return Sinks([builder_of(request, context) for request in requests], say)


def places_of(requests: Sequence[str]) -> list[tuple[Path, bool]]:
    """Paths that requests name, and whether each is a folder: ``"tensorboard=DIR"``, ``"csv=FILE"``."""
    found = [(name, where) for name, _, where in map(_parsed, requests) if where]
    return [
        (expanded(where), name == "tensorboard") for name, where in found if name in ("csv", "tensorboard")
    ]


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
