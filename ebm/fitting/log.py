"""Where `ebm.fit` tells its numbers: sinks, none of which can end a fit."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError
from ebm.fitting.config import FitConfig
from ebm.sinks import Sink, SinkContext, Sinks
from ebm.sinks.requests import builder_of

__all__ = ["Log", "open_log"]

# Sinks that have no place of their own where a fit has no folder.
_PLACED = {"csv": "FILE", "tensorboard": "DIR"}


class Log:
    """Sinks, and what they complain of, told as warnings of the thread that fits.

    Args:
        sinks: take the numbers.
        said: grows by what they say, from any thread.
    """

    def __init__(self, sinks: Sinks, said: list[str]) -> None:
        self._sinks, self._said = sinks, said

    def write(self, stage: str, epoch: int, numbers: Mapping[str, float]) -> None:
        """The numbers of an epoch, from 1."""
        self._sinks.write(stage, epoch, numbers)
        self._tell()

    def close(self) -> None:
        """Wait a little for the last numbers."""
        self._sinks.close()
        self._tell()

    def _tell(self) -> None:
        while self._said:
            warnings.warn(self._said.pop(0), stacklevel=3)


def open_log(log: Any, config: FitConfig) -> Log:
    """The log that a user asked for.

    Args:
        log: None; a text, see `ebm.sinks.requests.builder_of`; an object with the methods of
            `ebm.sinks.Sink`; or a list of such.
        config: of the fit, told to sinks.

    Raises:
        InputError: for something else, or a sink that writes files without a place for them.
        UnknownNameError: for a sink that does not exist.
    """
    wanted = [] if log is None else [*log] if isinstance(log, list | tuple) else [log]
    kind = config.loss if config.model == "energy" else config.model
    texts = {name: str(value) for name, value in config.plain().items()}
    context = SinkContext(folder=Path(), title=f"ebm.fit {kind}", texts=texts)
    said: list[str] = []
    return Log(Sinks([_builder(one, context) for one in wanted], said.append, "log"), said)


def _builder(one: Any, context: SinkContext) -> tuple[str, Callable[[], Sink]]:
    if isinstance(one, str):
        name, _, place = (part.strip() for part in one.partition("="))
        if name in _PLACED and not place:
            raise InputError(f"log={one!r} needs a place to write to: log='{name}={_PLACED[name]}'.")
        return builder_of(one, context)
    if not isinstance(one, Sink) or isinstance(one, type):
        raise InputError(
            "log takes texts such as 'csv=fit.csv', 'tensorboard=runs', 'wandb' or 'trackio', or objects "
            f"with write(stage, epoch, numbers) and close(); got {one!r}."
        )
    return type(one).__name__, lambda: one
