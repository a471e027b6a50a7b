"""One run of a tracker for the toolkit, by TraX or in a folder."""

import os
import sys
from pathlib import Path
from typing import Any

from ebm.exceptions import InputError

__all__ = ["PROTOCOLS", "serve"]

PROTOCOLS = ("auto", "trax", "folder")


def serve(tracker: str, parameters: str, *, protocol: str = "auto", **options: Any) -> int:
    """Load the tracker, then answer whoever has started this process.

    Args:
        tracker: its name.
        parameters: name of its parameter set.
        protocol: one of `PROTOCOLS`; ``auto`` takes TraX where the toolkit has said so in the environment
            (``TRAX``, ``TRAX_SOCKET``), otherwise the files of the working folder.
        options: of `load_follower`.

    Returns: 0.

    Raises:
        EBMError: if the tracker cannot be loaded, or what it is asked cannot be answered.
    """
    from pytracking.vot.folder import run_folder
    from pytracking.vot.loading import load_follower
    from pytracking.vot.trax_server import run_trax, stdout_to_stderr

    chosen = _chosen(protocol, Path.cwd())
    with stdout_to_stderr():
        follower = load_follower(tracker, parameters, **options)
        if chosen == "folder":
            frames = run_folder(Path.cwd(), follower)
    if chosen == "trax":
        frames = run_trax(follower, f"{tracker}/{parameters}")
    print(f"{frames} frame{'s' * (frames != 1)} tracked.", file=sys.stderr)
    return 0


def _chosen(protocol: str, folder: Path) -> str:
    from pytracking.vot.folder import is_task

    if protocol != "auto":
        return protocol
    if os.environ.get("TRAX") or os.environ.get("TRAX_SOCKET"):
        return "trax"
    if is_task(folder):
        return "folder"
    raise InputError(
        f"The VOT toolkit starts this program, by TraX or in a folder with frames_color.txt; {folder} has "
        "none. 'ebmtrack vot integrate' writes the toolkit's trackers.ini, 'ebmtrack vot check' tries it, "
        "and 'ebmtrack video' tracks without the toolkit."
    )
