"""A user's local.py is never written over. The installer puts this file into both packages."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["keep_existing"]


def keep_existing(create: Callable[[], Any], environment: str) -> Callable[[], Any]:
    """`create`, which writes an empty local.py beside the file `environment`, where there is none yet.

    PyTracking calls it whenever importing local.py fails, a typing error in it included.
    """
    local = os.path.join(os.path.dirname(os.path.abspath(environment)), "local.py")

    @functools.wraps(create)
    def create_default_local_file() -> Any:
        if not os.path.exists(local):
            return create()
        cause = sys.exc_info()[1]
        if cause is None:
            raise RuntimeError(f"{local} exists and is left as it is; move it away to get an empty one.")
        raise RuntimeError(
            f"{local} cannot be used: {type(cause).__name__}: {cause}. It is left as it is; mend it."
        ) from cause

    return create_default_local_file
