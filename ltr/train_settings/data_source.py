"""Which data a run trains on: what is configured, what was asked for, or the generated benchmark."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from ltr.admin.environment import DATASETS, configured_datasets, require_dataset_root
from ltr.train_settings.recipe import DatasetShare, TrainRecipe

if TYPE_CHECKING:
    from ltr.data.video import VideoDataset

__all__ = ["GENERATED", "READERS", "DataChoice", "OpenedData", "choose_data", "open_data"]

GENERATED = "generated"
TRACKINGNET_SETS = (0, 1, 2, 3)  # what the paper trains on

FOLDER, PARTIAL = "folder:", "partial"  # folder:PATH, and NAME:partial, in a selection
READERS = ("lasot", "got10k", "trackingnet", "coco", "imagenetvid")

Generate = Callable[[], Mapping[str, Path]]


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """The data sets of a run.

    Attributes:
        shares: data sets and weights.
        roots: their folders by name; empty for generated data, which is made when it is opened.
        generated: whether the data are generated.
        partial: names of the data sets of which sequences may be missing.
        note: the line that says so at the start of a run; empty where there is nothing to say.
        scale: size of the generated data.
    """

    shares: tuple[DatasetShare, ...]
    roots: Mapping[str, Path]
    generated: bool
    partial: frozenset[str] = frozenset()
    note: str = ""
    scale: str = ""

    @property
    def label(self) -> str:
        """What a checkpoint says about its data, without local paths."""
        names = "+".join(share.name for share in self.shares)
        return f"{GENERATED} {self.scale} {names}" if self.generated else names


@dataclass(frozen=True, kw_only=True)
class OpenedData:
    """Readers ready to sample from: training sets with weights, and the validation set if there is one."""

    train: tuple["VideoDataset", ...]
    weights: tuple[float, ...]
    validation: "VideoDataset | None"


def choose_data(
    recipe: TrainRecipe, selection: Sequence[str] | None = None, scale: str = "demo"
) -> DataChoice:
    """Decide what to train on.

    Without a selection: all data sets of the recipe if all are configured, generated data if none is.

    Args:
        recipe: names and weights.
        selection: names to train on alone; ``["generated"]`` for generated data. ``"NAME:partial"`` uses the
            sequences that are there if not all are, ``"folder:PATH"`` a user's own videos or packed data.
        scale: size of the generated data, if it is these.

    Raises:
        InputError: if only a part of the recipe's data sets is configured, naming the missing ones; if a
            selected one is not configured.
        UnknownNameError: for a name that is no data set.
    """
    if selection is not None:
        return _choose_selected(recipe, selection, scale)
    configured = configured_datasets()
    there = [share.name for share in recipe.datasets if share.name in configured]
    missing = [share.name for share in recipe.datasets if share.name not in configured]
    if not there:
        titles = _titles([share.name for share in recipe.datasets])
        note = f"data: {titles} are not configured, so this run trains on the generated benchmark."
        return DataChoice(shares=recipe.datasets, roots={}, generated=True, note=note, scale=scale)
    if missing:
        raise InputError(_partly_configured(there, missing))
    roots = {share.name: require_dataset_root(share.name) for share in recipe.datasets}
    return DataChoice(shares=recipe.datasets, roots=roots, generated=False)


def _choose_selected(recipe: TrainRecipe, selection: Sequence[str], scale: str) -> DataChoice:
    asked = list(dict.fromkeys(selection))
    if not asked:
        raise InputError(f"--datasets is empty; name some of {', '.join([*READERS, GENERATED])}.")
    if asked == [GENERATED]:
        note = "data: the generated benchmark, as asked for."
        return DataChoice(shares=recipe.datasets, roots={}, generated=True, note=note, scale=scale)
    roots: dict[str, Path] = {}
    for text in asked:
        name, _, rest = text.partition(":")
        if text.startswith(FOLDER):
            roots[_folder_name(Path(rest), roots)] = Path(rest).expanduser()
        elif name in READERS and rest in {"", PARTIAL}:
            roots[name] = require_dataset_root(name)
        elif text == GENERATED:
            others = ",".join(other for other in asked if other != GENERATED)
            raise InputError(
                f"Generated data stand alone: use --datasets {GENERATED} or --datasets {others}."
            )
        else:
            remedy = f"Also: {FOLDER}PATH for your own videos, NAME:{PARTIAL} to use the sequences there are."
            raise unknown_name("data set", text, [*READERS, GENERATED], remedy)
    known = {share.name: share for share in recipe.datasets}
    shares = tuple(known.get(name, DatasetShare(name=name)) for name in roots)
    partial = frozenset(text.partition(":")[0] for text in asked if text.endswith(f":{PARTIAL}"))
    return DataChoice(shares=shares, roots=roots, generated=False, partial=partial)


def _folder_name(path: Path, taken: Mapping[str, Path]) -> str:
    """What a folder of one's own is called in logs and checkpoints: its last part, since paths are private.

    Raises:
        InputError: if no path was given, or two folders have one name.
    """
    name = f"{FOLDER}{path.stem}"
    if not path.name or name in taken:
        raise InputError(
            f"--datasets {FOLDER}PATH: {'two folders are called ' + path.stem if path.name else 'no PATH'}."
        )
    return name


def _titles(names: Sequence[str]) -> str:
    titles = [DATASETS[name].title for name in names]
    return ", ".join(titles[:-1]) + " and " + titles[-1] if len(titles) > 1 else titles[0]


def _partly_configured(there: Sequence[str], missing: Sequence[str]) -> str:
    first = missing[0]
    return (
        f"This recipe trains on {len(there) + len(missing)} data sets, but only {_titles(there)} "
        f"{'is' if len(there) == 1 else 'are'} configured; missing: {_titles(missing)}. Three ways out: "
        f"set the missing ones in paths.toml under [datasets] (for example "
        f'{first} = "{DATASETS[first].example}") or by EBMTRACK_{first.upper()} and the like; '
        f"train on what is there alone, --datasets {','.join(there)}; "
        f"or train on generated data, --datasets {GENERATED}."
    )


def open_data(choice: DataChoice, generate: Generate, validate: bool = True) -> OpenedData:
    """Open the readers of a choice; generated data are made first if they are not there.

    Args:
        choice: what to open.
        generate: makes the generated training set, if needed, and returns its roots by layout.
        validate: hold a part of GOT-10k out for validation.

    Raises:
        InputError: if a data set is not laid out as expected.
    """
    roots = generate() if choice.generated else choice.roots
    train: list[VideoDataset] = []
    validation: VideoDataset | None = None
    for share in choice.shares:
        options = {"allow_missing": True} if share.name in choice.partial else {}
        if share.name == "got10k" and validate:
            dataset, validation = _open_got10k_split(roots[share.name], **options)
        else:
            dataset = _open(share.name, roots[share.name], **options)
        train.append(dataset)
    weights = tuple(share.weight for share in choice.shares)
    return OpenedData(train=tuple(train), weights=weights, validation=validation)


def _open(name: str, root: Path, **options: Any) -> "VideoDataset":
    """A data set, packed or not; a user's own videos if the name says so."""
    from ltr.dataset.opening import open_dataset, open_path
    from ltr.dataset.packed import is_packed

    if name.startswith(FOLDER):
        return open_path(root, **options)
    if name == "trackingnet" and not is_packed(root):
        options["set_ids"] = TRACKINGNET_SETS
    return open_dataset(name, root, **options)


def _open_got10k_split(root: Path, **options: Any) -> tuple["VideoDataset", "VideoDataset | None"]:
    """GOT-10k without and with only the held-out sequences; the split depends on the names alone."""
    from ltr.dataset.got10k import held_out
    from ltr.dataset.packed import is_packed

    whole = _open("got10k", root, **options)
    names = [whole.sequence_name(index) for index in range(len(whole))]
    held = held_out(names)
    if not held:
        return whole, None
    key = "names" if is_packed(root) else "split"
    train = [name for name in names if name not in held]
    return _open("got10k", root, **{key: train}), _open("got10k", root, **{key: sorted(held)})
