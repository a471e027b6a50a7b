"""Where what was parsed before is kept on disk; imports nothing heavy."""

import os
from pathlib import Path

import platformdirs

from ebm.files import expanded

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """The user's cache folder for what was parsed; ``EBMTRACK_CACHE`` names another one."""
    named = os.environ.get("EBMTRACK_CACHE", "").strip()
    return expanded(named) if named else Path(platformdirs.user_cache_dir("ebmtrack"))
