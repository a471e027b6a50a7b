"""Where the pictures of an annotation file lie."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ebm.exceptions import InputError

__all__ = ["find_pictures", "picture_folders", "split_folders"]

_TRIED = 32  # names that are looked for; the first pictures of a set may be the ones that are missing


def split_folders(root: Path, split: str) -> tuple[Path, Path]:
    """Where COCO's own layout has the pictures of a split: ``images/<split>`` or ``<split>`` in the root."""
    return root / "images" / split, root / split


def picture_folders(file: Path) -> Iterator[Path]:
    """Folders that the picture names in a file of annotations may count from, in the order of a search.

    Beside the file, in ``images`` there, and the same one folder up; below ``images`` also in a folder of the
    file's own name. The file ``<what>_<split>.json`` has its pictures in ``<split>`` too, as in COCO's layout
    ``annotations/instances_train2017.json`` beside ``train2017/`` or ``images/train2017/``.
    """
    here, above = file.parent, file.parent.parent
    found = [here, here / "images", above, above / "images", above / "images" / file.stem]
    split = file.stem.partition("_")[2]
    if split:
        found += [*split_folders(above, split), *split_folders(here, split)]
    yield from dict.fromkeys(found)


def find_pictures(file: Path, names: Iterable[str]) -> Path:
    """The folder that the picture names in a file of annotations count from.

    Args:
        file: of annotations.
        names: of pictures, as in the file; some of the first are looked for.

    Raises:
        InputError: if there are no names, or none of these is in any of the usual folders.
    """
    tried = list(islice(names, _TRIED))
    if not tried:
        raise InputError(f"{file} has no images.")
    folders = list(picture_folders(file))
    for name in tried:
        with suppress(OSError, ValueError):  # a name that is too long, or has a zero byte
            for folder in folders:
                if (folder / name).is_file():
                    return folder
    raise InputError(
        f"{file}: its first image, {tried[0][:200]}, is in none of "
        f"{', '.join(map(str, folders))}. Put the images beside the file, or in images/ there."
    )
