"""Open the part of a data set that a recipe names, from loose files, packed shards or generated folders."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ltr.train_settings.parts import FOLDER, DatasetShare

if TYPE_CHECKING:
    from ltr.data.video import VideoDataset

__all__ = ["open_share"]

VOT = "vot"  # begins GOT-10k's splits without what the VOT challenge forbids
USE_ALL = (
    "Or use those sequences as well: --set datasets.N.split=train (N as --show counts) and --set "
    "validation.data.split=val."
)


def open_share(share: DatasetShare, root: Path, *, partial: bool, generated: bool) -> "VideoDataset | None":
    """The reader of a share; None if its split holds no sequence, since a handful leaves none to validate.

    Args:
        share: data set, split or sets.
        root: its folder, packed or not.
        partial: use what is there if not all is.
        generated: a generated folder has one TrackingNet set and nothing that VOT forbids.

    Raises:
        InputError: if it is not laid out as expected, or lacks what was asked for.
        UnknownNameError: if it has no such split.
    """
    from ltr.dataset.opening import open_dataset, open_path
    from ltr.dataset.packed import is_packed

    options: dict[str, Any] = {"allow_missing": True} if partial else {}
    if share.name.startswith(FOLDER):
        return open_path(root, **options)
    if share.only or share.without:
        options["names"] = _chosen_names(share, root, options)
    packed = is_packed(root)
    if share.split is not None:
        options |= _split_option(share, root, packed, generated, options)
        if [] in options.values():
            return None
    if share.sets is not None and not generated:
        options |= _packed_sets(share, root, partial) if packed else _loose_sets(share, root, partial)
    return open_dataset(share.name, root, **options)


def _chosen_names(share: DatasetShare, root: Path, options: dict[str, Any]) -> list[str]:
    """Names of a share's videos.

    Raises:
        InputError: if a pattern of those to use fits none, so that nobody believes it was used.
    """
    there = _names_of(DatasetShare(name=share.name), root, options)
    for pattern in share.only:
        if not any(fnmatchcase(name, pattern) for name in there):
            raise InputError(f"{share.name} at {root} holds no {pattern!r}; there is {', '.join(there[:5])}.")
    wanted = share.only or ("*",)
    return [
        name
        for name in there
        if any(fnmatchcase(name, p) for p in wanted) and not any(fnmatchcase(name, p) for p in share.without)
    ]


def _split_option(
    share: DatasetShare, root: Path, packed: bool, generated: bool, options: dict[str, Any]
) -> dict[str, Any]:
    """What the reader is told about the share's split.

    Raises:
        InputError: if a packed data set cannot be split.
    """
    split = share.split or ""
    if generated:
        split = split.removeprefix(VOT)
    if share.name == "got10k":
        return {("names" if packed else "split"): _got10k_names(split, root, options)}
    if not packed:
        return {"split": split}
    if share.name == "coco":
        raise InputError(f"{root} holds packed COCO, which is of one split; leave its split out (none).")
    from ltr.dataset.lasot import lasot_names

    return {"names": lasot_names(split)}


def _got10k_names(split: str, root: Path, options: dict[str, Any]) -> list[str]:
    """Names of a GOT-10k split, which depends on the names of all sequences alone.

    Raises:
        InputError: if the list of what VOT forbids is needed and not there.
    """
    from ltr.dataset.got10k import PROHIBITED_FILE, split_names

    names = _names_of(DatasetShare(name="got10k"), root, options)
    folder = root / "train" if (root / "train").is_dir() else root
    try:
        return split_names(folder, split, names)
    except InputError as error:
        if PROHIBITED_FILE not in str(error):
            raise
        raise InputError(f"{error} {USE_ALL}") from error


def _names_of(share: DatasetShare, root: Path, options: dict[str, Any]) -> list[str]:
    from ltr.dataset.opening import open_dataset

    whole = open_dataset(share.name, root, **options)
    return [whole.sequence_name(index) for index in range(len(whole))]


def _loose_sets(share: DatasetShare, root: Path, partial: bool) -> dict[str, Any]:
    sets: Sequence[int] = share.sets or ()
    if partial:  # if none of them is there, the reader says so
        sets = [number for number in sets if (root / f"TRAIN_{number}").is_dir()] or sets
    return {"set_ids": sets}


def _packed_sets(share: DatasetShare, root: Path, partial: bool) -> dict[str, Any]:
    """Names of the packed videos in the share's sets.

    Raises:
        InputError: if a set is not there.
    """
    names = _names_of(DatasetShare(name=share.name), root, {})
    folders = [f"TRAIN_{number}" for number in share.sets or ()]
    by_set = {folder: [name for name in names if name.startswith(f"{folder}/")] for folder in folders}
    missing = [name for name, videos in by_set.items() if not videos]
    if missing and not (partial and len(missing) < len(by_set)):
        there = sorted({name.partition("/")[0] for name in names})
        raise InputError(
            f"packed TrackingNet at {root} lacks {', '.join(missing)}; it has {', '.join(there)}. Pack those "
            "as well, or train on what there is (trackingnet:partial)."
        )
    return {"names": [name for videos in by_set.values() for name in videos]}
