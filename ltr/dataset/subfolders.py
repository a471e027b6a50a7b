"""The folders in a folder that are meant: not those of the system, and no links that lead back."""

import os
from pathlib import Path

from ebm.exceptions import InputError
from ebm.images.listing import is_stranger

__all__ = ["leads_back", "links_back", "subfolders"]


def leads_back(link: Path, root: Path) -> bool:
    """Whether a link in `root` leads to `root`, to a folder around it, or to one that `root` lists too."""
    target, home = Path(os.path.realpath(link)), Path(os.path.realpath(root))
    return home.is_relative_to(target) or target.parent == home


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones and those of the system are left out.

    Links count if they lead elsewhere: one that leads back would be a video twice, or a loop.

    Raises:
        InputError: if there is no such folder.
    """
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_stranger(entry.name):
                    continue
                if entry.is_symlink():
                    if not os.path.isdir(entry.path) or leads_back(Path(entry.path), folder):
                        continue
                elif not entry.is_dir():
                    continue
                found.append(entry.name)
    except OSError as error:
        raise InputError(f"{folder} cannot be listed ({error.strerror}).") from error
    return sorted(found)


def links_back(folder: Path) -> list[str]:
    """Names of the links that `subfolders` leaves out because they lead back, sorted."""
    with os.scandir(folder) as entries:
        links = [entry for entry in entries if entry.is_symlink() and not is_stranger(entry.name)]
    return sorted(e.name for e in links if os.path.isdir(e.path) and leads_back(Path(e.path), folder))
