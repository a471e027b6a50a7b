"""Sinks of packages that keep runs in projects: Weights & Biases, and trackio with the same interface."""

import importlib
import os
from collections.abc import Mapping
from typing import Any

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.sinks.base import SinkContext

__all__ = ["RunSink"]


class RunSink:
    """A run of a project, its numbers called ``loader/name``.

    Args:
        package: "wandb" or "trackio".
        project: its name.
        context: the run; its texts become the configuration.

    Raises:
        MissingPackageError: if the package is not installed.
        InputError: if Weights & Biases would ask for a key, which nobody could type in.
    """

    def __init__(self, package: str, project: str, context: SinkContext) -> None:
        try:
            module = importlib.import_module(package)
        except ImportError as error:
            raise explain_missing(f"log={package!r}", package) from error
        if package == "wandb":
            _require_key(module)
        self._run: Any = module.init(project=project, name=context.title, config=dict(context.texts))

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """The numbers at step `epoch`."""
        self._run.log({f"{loader}/{name}": value for name, value in values.items()}, step=epoch)

    def close(self) -> None:
        """Hand over what is left."""
        self._run.finish()


def _require_key(wandb: Any) -> None:
    if os.environ.get("WANDB_MODE") not in ("offline", "disabled") and not wandb.login(prompt=False):
        raise InputError("there is no key; run 'wandb login' once, or set WANDB_MODE=offline")
