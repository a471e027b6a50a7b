"""the age of a face, on UTKFace."""

import re
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ebm.images.features import FeatureRecipe
from ebm.images.labelled import Fault, Labelled, columns_of, read_labelled, refuse
from ebm.tasks.images.splits import held_out
from ebm.tasks.images.task import Parts, Recipe, Task
from ebm.tasks.images.words import AGE_WORDS

__all__ = ["TASK", "read_faces", "utkface_age"]

# The file's name begins with the age; of what follows, gender, race and date, some names lack a part.
_NAME = re.compile(r"^(\d{1,3})_.*\.(jpg|jpeg|png)$", re.IGNORECASE)
OLDEST = 120
CORAL_SHIFT = 21
VALIDATION = 1644


def utkface_age(name: str) -> int:
    """The age in the name of a picture of UTKFace, such as ``39_1_20170116174525125.jpg.chip.jpg``.

    Raises:
        InputError: if it begins with none from 0 to 120.
    """
    found = _NAME.match(name)
    if found is None or int(found[1]) > OLDEST:
        raise InputError(
            f"{name} is no name of UTKFace: it must begin with an age and a low line, as 39_1_0_..."
        )
    return int(found[1])


def read_faces(folder: Path, skip_broken: bool = False) -> Parts:
    """The faces of a folder, in any layout of `AGE_WORDS`.

    The list of the paper's validation pictures is not published: 1,644 of the training ones are drawn with
    seed 0 (of smaller sets an eighth, rounded up).

    Raises:
        InputError: if it has none of them, or rows cannot be used.
    """
    lists = {part: _list(folder, part) for part in ("train", "test")}
    if all(lists.values()):
        named = {part: _listed(folder, path, skip_broken) for part, path in lists.items() if path}
        notes: tuple[str, ...] = ("train and test as listed",)
    else:
        named, notes = _by_names(folder, skip_broken)
    train, validation = held_out(named["train"], min(VALIDATION, -(-len(named["train"]) // 8)))
    notes += (f"{len(validation)} of the training pictures, drawn with seed 0, are to choose on",)
    return Parts(train, validation, named["test"], notes)


def _list(folder: Path, part: str) -> Path | None:
    """The list of a part; CORAL's own before others'."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; it may be {AGE_WORDS.layouts}.")
    found = [
        path
        for place in (folder, folder / "utk_splits", folder.parent / "utk_splits")
        for path in sorted(place.glob("*.csv"))
        if part in path.stem.lower()
    ]
    found.sort(key=lambda path: (path.stem != part, "coral" not in path.stem.lower()))
    return found[0] if found else None


def _listed(folder: Path, table: Path, skip_broken: bool) -> Labelled:
    """The pictures of a list; CORAL stores years minus 21, and leaves out ".chip" in names."""
    rows = read_labelled(_matched(folder, table), folder, "age", between=(0, OLDEST), skip_broken=skip_broken)
    known = np.array([_age_or_nan(Path(name).name) for name in rows.names])
    stored = rows.y[:, 0]
    shift = known - stored
    if np.isfinite(shift).all() and (shift == CORAL_SHIFT).all():
        return Labelled(
            rows.root, rows.names, rows.paths, known[:, None], rows.targets, rows.rows, rows.left_out
        )
    wrong = np.flatnonzero(np.isfinite(shift) & (shift != 0))
    faults = [
        Fault(
            rows.rows[k],
            rows.names[k],
            f"its age is {stored[k]:g} in {table.name} and {known[k]:g} in its name",
        )
        for k in wrong
    ]
    if faults and not skip_broken:
        raise refuse(faults, len(rows))
    return rows.without(faults)


def _matched(folder: Path, table: Path) -> dict[str, list[str]]:
    """The list with names as the files have them."""
    columns = columns_of(table)
    image = next((name for name in ("filename", "file", "image") if name in columns), None)
    if image is None or "age" not in columns:
        raise InputError(
            f"{table} must have columns filename (or file) and age; it has {', '.join(columns)}."
        )
    places = [place for place in (folder / "images", folder, folder / "UTKFace_sample") if place.is_dir()]
    there = {path.name: path for place in places for path in place.iterdir()}
    bare = {_bare(name): path for name, path in there.items()}
    files = []
    for name in columns[image]:
        path = there.get(str(name)) or bare.get(_bare(str(name)))
        files.append(str(name) if path is None else str(path.relative_to(folder)))
    return {"filename": files, "age": columns["age"]}


def _bare(name: str) -> str:
    """A name without what some copies of the data lack or mistype."""
    return re.sub(r"\.?jpg|\.chip|\s", "", name.lower())


def _age_or_nan(name: str) -> float:
    try:
        return utkface_age(name)
    except InputError:
        return float("nan")


def _by_names(folder: Path, skip_broken: bool) -> tuple[dict[str, Labelled], tuple[str, ...]]:
    """Pictures whose names hold their age, a fifth of them to report on."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise InputError(f"{folder} has no pictures and no lists; it may be {AGE_WORDS.layouts}.")
    ages = [_age_or_nan(path.name) for path in files]
    faults = [
        Fault(k + 1, path.name, "its name does not begin with an age and a low line, as 39_1_0_...")
        for k, (path, age) in enumerate(zip(files, ages))
        if np.isnan(age)
    ]
    names = tuple(path.name for path in files)
    y = np.array(ages)[:, None]
    whole = Labelled(folder, names, tuple(files), y, ("age",), tuple(range(1, len(names) + 1)))
    if faults and not skip_broken:
        raise refuse(faults, len(files))
    rest, test = held_out(whole.without(faults), max(1, len(files) // 5))
    return {"train": rest, "test": test}, (
        "no lists: a fifth of the pictures, drawn with seed 0, is the test",
    )


TASK = Task(
    words=AGE_WORDS,
    bins=(0, 100),
    close=5,
    refinement="age",
    read=read_faces,
    recipe=Recipe(
        features=FeatureRecipe(size=128, layers=(("stride16", 4), ("stride32", 2)), flip=True),
        hidden=256,
        sigmas=(0.1, 20.0),
        epochs=6,
        learning_rate=1e-3,
    ),
    ablation=((0.1, 10.0), (0.1, 20.0), (0.01, 20.0), (0.1, 40.0)),
    mirrored=(1.0,),
    published={
        "Direct-Huber": (4.80, 4.74),
        "Direct-L2": (4.81, 4.65),
        "Gaussian": (4.79, 4.66),
        "Laplace": (4.85, 4.81),
        "Softmax-CE-L2": (4.78, 4.65),
        "Softmax-CE-L2-Var": (4.81, 4.69),
    },
    published_sigmas={(0.1, 10.0): 7.62, (0.1, 20.0): 5.12, (0.01, 20.0): 5.36, (0.1, 40.0): 5.24},
)
