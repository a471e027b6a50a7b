"""Which data a run trains on: what is configured, what was asked for, or the generated benchmark."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.lookup import unknown_name
from ltr.admin.environment import configured_datasets, require_dataset_root
from ltr.admin.known_datasets import DATASETS
from ltr.train_settings.parts import DRAWN, FOLDER, READERS, DatasetShare
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.shares import open_share

if TYPE_CHECKING:
    from ltr.data.video import VideoDataset

__all__ = ["DRAWN_VIDEOS", "GENERATED", "READERS", "DataChoice", "OpenedData", "choose_data", "open_data"]

GENERATED = "generated"
PARTIAL = "partial"  # NAME:partial in a selection
GENERATED_VALIDATION = DatasetShare(name="got10k", split="val")  # all generated data have one
DRAWN_VIDEOS = DatasetShare(name="got10k", split="train")  # of the generated data, beside real ones
# What stands for data sets of one's own where all is generated.
STAND_INS = {"photos": DatasetShare(name="coco"), "videos": DatasetShare(name="lasot"), DRAWN: DRAWN_VIDEOS}

Generate = Callable[[], Mapping[str, Path]]


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """The data sets of a run.

    Attributes:
        shares: data sets and weights.
        roots: their folders by name; empty for generated data, which is made when it is opened.
        generated: whether the data are generated.
        validation: data set that validates; None if it is not among those to train on.
        more: further ones that validate.
        partial: names of the data sets of which sequences may be missing.
        note: the line that says so at the start of a run; empty where there is nothing to say.
        scale: size of the generated data.
    """

    shares: tuple[DatasetShare, ...]
    roots: Mapping[str, Path]
    generated: bool
    validation: DatasetShare | None = None
    more: tuple[DatasetShare, ...] = ()
    partial: frozenset[str] = frozenset()
    note: str = ""
    scale: str = ""

    @property
    def label(self) -> str:
        """What a checkpoint says about its data, without local paths."""
        names = "+".join(dict.fromkeys(share.name for share in self.shares))
        return f"{GENERATED} {self.scale} {names}" if self.generated else names


@dataclass(frozen=True, kw_only=True)
class OpenedData:
    """Readers ready to sample from: training sets with weights, and what validates, if anything does."""

    train: tuple["VideoDataset", ...]
    weights: tuple[float, ...]
    validation: "VideoDataset | None"
    more: tuple["VideoDataset", ...] = ()


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
    used = (*recipe.datasets, recipe.validation.data, *recipe.validation.more)
    wanted = list(dict.fromkeys(share.name for share in used if share.name != DRAWN))
    there = [name for name in wanted if name in configured]
    missing = [name for name in wanted if name not in configured]
    if not there:
        note = f"data: {_titles(wanted)} are not configured, so this run trains on the generated benchmark."
        return _generated(recipe, scale, note)
    if missing:
        raise InputError(_partly_configured(there, missing))
    roots = {name: require_dataset_root(name, root_option=None) for name in wanted}
    return DataChoice(
        shares=recipe.datasets, roots=roots, generated=False, scale=scale, **_held(recipe, roots)
    )


def _held(recipe: TrainRecipe, roots: Mapping[str, Path]) -> dict[str, Any]:
    """What validates: of the recipe's validation data those that are used at all."""
    data = (recipe.validation.data, *recipe.validation.more)
    held = tuple(share for share in data if share.name in roots)
    return {"validation": held[0] if held else None, "more": held[1:]}


def _generated(recipe: TrainRecipe, scale: str, note: str) -> DataChoice:
    return DataChoice(
        shares=tuple(replace(STAND_INS.get(s.name, s), weight=s.weight) for s in recipe.datasets),
        roots={},
        generated=True,
        validation=GENERATED_VALIDATION,
        note=note,
        scale=scale,
    )


def _choose_selected(recipe: TrainRecipe, selection: Sequence[str], scale: str) -> DataChoice:
    asked = list(dict.fromkeys(selection))
    if not asked:
        raise InputError(f"--datasets is empty; name some of {', '.join([*READERS, GENERATED])}.")
    if asked == [GENERATED]:
        return _generated(recipe, scale, "data: the generated benchmark, as asked for.")
    roots: dict[str, Path] = {}
    for text in asked:
        name, _, rest = text.partition(":")
        if text.startswith(FOLDER):
            roots[_folder_name(Path(rest), roots)] = expanded(rest)
        elif name in READERS and rest in {"", PARTIAL}:
            roots[name] = require_dataset_root(name, root_option=None)
        elif text == DRAWN:
            continue
        elif text == GENERATED:
            others = ",".join(other for other in asked if other != GENERATED)
            raise InputError(
                f"Generated data stand alone: use --datasets {GENERATED} or --datasets {others}."
            )
        else:
            remedy = f"Also: {FOLDER}PATH for your own videos, NAME:{PARTIAL} to use the sequences there are."
            raise unknown_name("data set", text, [*READERS, GENERATED], remedy)
    names = [*roots, *({DRAWN} & {*asked})]
    shares = tuple(share for name in names for share in _shares_of(recipe, name))
    partial = frozenset(text.partition(":")[0] for text in asked if text.endswith(f":{PARTIAL}"))
    return DataChoice(
        shares=shares, roots=roots, generated=False, partial=partial, scale=scale, **_held(recipe, roots)
    )


def _shares_of(recipe: TrainRecipe, name: str) -> list[DatasetShare]:
    """The recipe's shares of a data set; one of weight 1 if it has none."""
    return [share for share in recipe.datasets if share.name == name] or [DatasetShare(name=name)]


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
        validate: open the validation set as well.

    Raises:
        InputError: if a data set is not laid out as expected, or a sequence would train and validate.
    """
    roots = choice.roots
    drawn = any(share.name == DRAWN for share in choice.shares)
    if choice.generated:
        roots = generate()
    elif drawn:
        roots = {**roots, DRAWN: generate()[DRAWN_VIDEOS.name]}

    def opened(share: DatasetShare) -> "VideoDataset | None":
        if share.name not in roots:
            raise InputError(f"there is no generated {share.name}; generated are {', '.join(roots)}.")
        if share.name == DRAWN:
            return open_share(DRAWN_VIDEOS, roots[DRAWN], partial=False, generated=True)
        partial = share.name in choice.partial
        return open_share(share, roots[share.name], partial=partial, generated=choice.generated)

    train = []
    for share in choice.shares:
        if (dataset := opened(share)) is None:
            raise InputError(f"the split {share.split!r} of {share.name} at {roots[share.name]} is empty.")
        train.append(dataset)
    wanted = [share for share in (choice.validation, *choice.more) if share is not None and validate]
    held = [dataset for share in wanted if (dataset := opened(share)) is not None]
    for dataset in train:
        for other in held:
            _require_disjoint(dataset, other)
    weights = tuple(share.weight for share in choice.shares)
    first = held[0] if held else None
    return OpenedData(train=tuple(train), weights=weights, validation=first, more=tuple(held[1:]))


def _require_disjoint(train: "VideoDataset", held: "VideoDataset") -> None:
    """Refuse a validation set that is trained on.

    Raises:
        InputError: if a sequence of one data set stands in both.
    """
    if train.name != held.name:
        return
    common = {train.sequence_name(k) for k in range(len(train))} & {
        held.sequence_name(k) for k in range(len(held))
    }
    if common:
        raise InputError(
            f"{len(common)} sequences of {train.name} would train and validate, e.g. {min(common)}; give the "
            "two different splits or sets (datasets.N.split and validation.data.split; sets of TrackingNet)."
        )
