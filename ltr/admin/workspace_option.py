"""The option ``--workspace`` of every command that reads or writes in the workspace."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from ebm.command import local_path

__all__ = ["add_workspace_option"]


class _UseWorkspace(argparse.Action):
    """Sets what `ltr.admin.environment.workspace` answers first, for this process and its workers."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take the folder over."""
        os.environ["EBMTRACK_WORKSPACE"] = str(values)
        setattr(namespace, self.dest, values)


def add_workspace_option(parser: argparse._ActionsContainer) -> None:
    """``--workspace DIR``, which comes before the environment variable and paths.toml."""
    parser.add_argument(
        "--workspace",
        type=local_path,
        action=_UseWorkspace,
        metavar="DIR",
        help="folder of checkpoints, results and generated sets (default: as configured, else ./runs)",
    )
