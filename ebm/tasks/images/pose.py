"""yaw, pitch and roll of a head."""

import re
from collections.abc import Sequence
from pathlib import Path

from ebm.exceptions import InputError
from ebm.images.features import FeatureRecipe
from ebm.images.labelled import Labelled
from ebm.tasks.images.pose_files import (
    WIDEST,
    frames_of_archive,
    joined,
    pictures_with_mat,
    sequences,
)
from ebm.tasks.images.splits import held_out_groups
from ebm.tasks.images.task import Parts, Recipe, Task
from ebm.tasks.images.words import POSE_WORDS

__all__ = ["TASK", "read_heads"]

VALIDATION = 1010
# Frames of an archive of 300W-LP that are held out together.
ROW = 50


def read_heads(folder: Path, skip_broken: bool = False) -> Parts:
    """The heads of a folder, in any layout of `POSE_WORDS`.

    Whole videos of BIWI are held out to choose on, about as many frames as the paper's; where a video ends is
    told by a jump of the angles. Of 300W-LP, heads that are turned by more than 99 degrees are left out, as
    FSA-Net does.

    Raises:
        InputError: if it has none of them, or frames cannot be used.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; it may be {POSE_WORDS.layouts}.")
    biwi = folder / "BIWI_train.npz", folder / "BIWI_test.npz"
    if all(path.is_file() for path in biwi):
        whole, test = (frames_of_archive(path, skip_broken) for path in biwi)
        count = min(VALIDATION, len(whole) // 8)
        return _split(whole, sequences(whole.y).tolist(), test, count, "BIWI, protocol 2")
    for place in (folder, folder / "type1"):
        archives = sorted(path for path in place.glob("*.npz") if not path.stem.startswith(("AFLW", "BIWI")))
        if archives and (place / "AFLW2000.npz").is_file():
            parts = [frames_of_archive(path, skip_broken, WIDEST) for path in archives]
            test = frames_of_archive(place / "AFLW2000.npz", skip_broken, WIDEST)
            return _by_lot(joined(parts), test)
    train, other = (_one(folder, names) for names in (("300W_LP", "300W-LP"), ("AFLW2000", "AFLW2000-3D")))
    if train is not None and other is not None:
        return _by_lot(
            pictures_with_mat(train, skip_broken, WIDEST), pictures_with_mat(other, skip_broken, WIDEST)
        )
    raise InputError(f"{folder} has no heads; it may be {POSE_WORDS.layouts}.")


def _one(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _by_lot(whole: Labelled, test: Labelled) -> Parts:
    """Pictures of 300W-LP, of which those that were made of one photo belong together."""
    groups: dict[str, int] = {}
    codes = [groups.setdefault(_photo(name), len(groups)) for name in whole.names]
    return _split(whole, codes, test, len(whole) // 8, "300W-LP to train on, AFLW2000 to report on")


def _photo(name: str) -> str:
    """What a picture of 300W-LP was turned from: all but the number at the end of its name.

    Archives keep no names, but frames of one photo in a row, and mirrored ones in the same order.
    """
    frame = re.fullmatch(r"(.*?)(?:_Flip)?\.npz\[(\d+)\]", name)
    if frame is not None:
        return f"{frame[1]} {int(frame[2]) // ROW}"
    stem = Path(name).stem
    return stem.rpartition("_")[0] or stem


def _split(whole: Labelled, groups: Sequence[int], test: Labelled, count: int, what: str) -> Parts:
    train, validation = held_out_groups(whole, groups, count)
    note = f"{len(validation)} of the training frames, {len(set(groups))} groups in all, are to choose on"
    return Parts(train, validation, test, (what, f"{note}: whole groups, from the end"))


TASK = Task(
    words=POSE_WORDS,
    bins=(-75, 75),
    close=5,
    refinement="headpose",
    read=read_heads,
    recipe=Recipe(
        features=FeatureRecipe(
            size=64, layers=(("stride8", 4), ("stride16", 4), ("stride32", 2)), flip=True, symmetric=False
        ),
        sigmas=(1.0, 20.0),
        num_samples=64,
    ),
    ablation=((0.1, 20.0), (1.0, 20.0), (1.0, 30.0), (2.0, 20.0), (1.0, 10.0)),
    mirrored=(-1.0, 1.0, -1.0),
    period=360.0,
    published={
        "Direct-Huber": (3.14, 3.11),
        "Direct-L2": (3.09, 3.07),
        "Gaussian": (3.12, 3.11),
        "Laplace": (3.21, 3.19),
        "Softmax-CE-L2": (3.04, 3.01),
        "Softmax-CE-L2-Var": (3.15, 3.11),
    },
    published_sigmas={
        (0.1, 20.0): 6.96,
        (1.0, 20.0): 5.08,
        (1.0, 30.0): 5.24,
        (2.0, 20.0): 7.02,
        (1.0, 10.0): 7.56,
    },
)
