"""Dataset names to sequences, with errors that say how to set up what is missing."""

import warnings
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Names
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ebm.exceptions import InputError, UnknownNameError
from ebm.files import expanded
from ebm.lookup import lookup
from ltr.admin.environment import configured_datasets, require_dataset_root, workspace
from pytracking.evaluation.benchmarks import FolderLayout, Layout, generated_index
from pytracking.evaluation.command_options import EVERY_OPTION, CommandOptions
from pytracking.evaluation.data import Sequence, find_by_name, plain_name
from pytracking.evaluation.listed_layouts import Got10kLayout, OwnLayout, TrackingNetLayout
from pytracking.evaluation.table_layout import TableLayout

__all__ = [
    "ALIASES",
    "BENCHMARKS",
    "Benchmark",
    "benchmark_name",
    "choose_dataset",
    "find_root",
    "open_dataset",
]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One dataset a tracker can be run on."""

    title: str
    size: int | None = None  # sequences of the whole benchmark, where that is fixed
    layout: Callable[..., Layout]  # of root, name, whether images must be there, and `options`
    options: Mapping[str, str] = field(default_factory=dict)
    root_key: str | None = None  # entry of paths.toml; None for sets that are generated on demand
    generated_layout: str | None = None
    server: str | None = None  # what scores it, where it keeps its ground truth to itself

    def open(self, name: str, root: Path, *, images: bool = True) -> Layout:
        """The benchmark at a root.

        Args:
            name: the tag of its sequences.
            root: its folder.
            images: whether the images must be there; what scores results needs annotations alone.
        """
        return self.layout(root, name, images=images, **self.options)


def _table(title: str, size: int, kind: str, root_key: str) -> Benchmark:
    """A benchmark that is a table, at the places of a kind."""
    return Benchmark(title=title, size=size, layout=TableLayout, options={"kind": kind}, root_key=root_key)


BENCHMARKS: Mapping[str, Benchmark] = {
    "otb": _table("OTB-100", 100, "otb", "otb"),
    "otb50": _table("OTB-50", 50, "otb", "otb"),
    "lasot": _table("LaSOT test", 280, "lasot", "lasot"),
    "lasot_extension_subset": _table("LaSOT extension subset", 150, "lasot", "lasot_extension_subset"),
    "uav": _table("UAV123", 123, "uav", "uav"),
    "uav123_10fps": _table("UAV123, 10 fps", 123, "uav123_10fps", "uav"),
    "uav20l": _table("UAV20L", 20, "uav20l", "uav"),
    "nfs": _table("NFS, 30 fps", 100, "nfs", "nfs"),
    "tpl": _table("TPL (Temple Color 128)", 129, "tpl", "tpl"),
    "tpl_nootb": _table("TPL without OTB's sequences", 85, "tpl", "tpl"),
    "vot": _table("VOT2018, bounding boxes", 60, "vot", "vot"),
    "got10k_val": Benchmark(
        title="GOT-10k val", size=180, layout=Got10kLayout, options={"split": "val"}, root_key="got10k_val"
    ),
    "got10k_test": Benchmark(
        title="GOT-10k test",
        size=180,
        layout=Got10kLayout,
        options={"split": "test"},
        root_key="got10k_test",
        server="http://got-10k.aitestunion.com",
    ),
    "trackingnet": Benchmark(
        title="TrackingNet test",
        size=511,
        layout=TrackingNetLayout,
        root_key="trackingnet",
        server="https://tracking-net.org",
    ),
    "generated": Benchmark(
        title="Generated test set", layout=TableLayout, options={"kind": "otb"}, generated_layout="otb"
    ),
    "generated_lasot": Benchmark(
        title="Generated test set, LaSOT layout",
        layout=TableLayout,
        options={"kind": "lasot"},
        generated_layout="lasot",
    ),
    "folder": Benchmark(title="videos of your own, in OTB's layout", layout=FolderLayout),
    "table": Benchmark(title="videos of your own, in a CSV or JSON table", layout=OwnLayout),
}
ALIASES: Mapping[str, str] = {
    "otb100": "otb",
    "uav123": "uav",
    "nfs30": "nfs",
    "lasot_ext": "lasot_extension_subset",
    "vot2018": "vot",
    "trackingnet_test": "trackingnet",
}


def benchmark_name(name: str) -> str:
    """The key of `BENCHMARKS` that a name means: itself, or what it is an alias of.

    Raises:
        UnknownNameError: if there is no such dataset.
    """
    known = ALIASES.get(name, name)
    lookup("dataset", known, BENCHMARKS)
    return known


def choose_dataset(name: str | None) -> tuple[str, str | None]:
    """The dataset to use, and a sentence to print where the choice was not the user's.

    Args:
        name: as given, or None: the generated set, provided that no benchmark is configured.

    Raises:
        UnknownNameError: if there is no such dataset.
        InputError: if none is named although benchmarks are configured.
    """
    if name is not None:
        return benchmark_name(name), None
    configured = [key for key in configured_datasets() if key in BENCHMARKS]
    if configured:
        choices = ", ".join([*configured, "generated"])
        raise InputError(f"Which dataset? Name it with --dataset: {choices} are available here.")
    return "generated", "No benchmark is configured: using the generated test set (--dataset names another)."


def open_dataset(
    name: str,
    root: Path | str | None = None,
    *,
    sequences: Names[str] | None = None,
    allow_missing: bool = False,
    images: bool = True,
    scale: str = "demo",
    progress: bool = True,
    tell: Callable[[str], None] = warnings.warn,
    options: CommandOptions = EVERY_OPTION,
) -> list[Sequence]:
    """The sequences of a dataset, in the benchmark's order.

    Args:
        name: a key of `BENCHMARKS`, e.g. ``otb``.
        root: the dataset's folder; where left out, the environment variable, then paths.toml decide, and
            generated sets are built in the workspace.
        sequences: names, positions in the list or patterns (``davis_*``) to open; all where left out.
        allow_missing: open what a root holds although other sequences of the benchmark are absent or
            cannot be read.
        images: whether the images must be there; what scores results needs annotations alone.
        scale: size of a generated set: ``tiny``, ``short``, ``demo`` or ``full``.
        progress: show a bar while a set is generated.
        tell: takes a sentence on the sequences that are there but left out because they cannot be read.
        options: of the command, which errors advise.

    Raises:
        UnknownNameError: if there is no such dataset or sequence, with the nearest names.
        InputError: if no root is set, the root lacks sequences, or a sequence cannot be used.
    """
    name = benchmark_name(name)
    benchmark = BENCHMARKS[name]
    folder = find_root(name, root, scale=scale, progress=progress, options=options)
    layout = benchmark.open(name, folder, images=images)
    if sequences:
        chosen = [found for wanted in sequences for found in _select(wanted, layout.names(), name)]
        return [layout.read(found) for found in dict.fromkeys(chosen)]
    names = _present(layout, folder, benchmark, allow_missing, options)
    return _read_whole(layout, names, tell) if allow_missing else [layout.read(found) for found in names]


def _read_whole(layout: Layout, names: list[str], tell: Callable[[str], None]) -> list[Sequence]:
    """The sequences that can be read; InputError if there is none."""
    whole, broken = [], {}
    for name in names:
        try:
            whole.append(layout.read(name))
        except InputError as error:
            broken[name] = error
    if broken:
        first = next(iter(broken.values()))
        if not whole:
            raise first
        tell(
            f"{len(broken)} sequences that cannot be read are left out: {_some(list(broken))}. First: {first}"
        )
    return whole


def find_root(
    name: str,
    root: Path | str | None = None,
    *,
    scale: str = "demo",
    progress: bool = True,
    options: CommandOptions = EVERY_OPTION,
) -> Path:
    """The folder of a dataset; builds a generated set that is not there yet.

    Raises:
        InputError: if the folder does not exist or nothing says where it is.
    """
    benchmark = BENCHMARKS[benchmark_name(name)]
    if benchmark.root_key is not None:
        return require_dataset_root(benchmark.root_key, root, root_option=options.root)
    if root is not None:
        folder = expanded(root)
        if not folder.is_dir() and not (name == "table" and folder.is_file()):
            instead = "; leave it out to have the set generated" if benchmark.generated_layout else ""
            raise InputError(f"{folder} is no folder{instead}.")
        return folder
    if benchmark.generated_layout is None:
        where = f"give its folder with {options.root}" if options.root else "this command cannot take it"
        raise InputError(f"The data set {name} has no place of its own; {where}.")
    from ltr.dataset.generated import ensure_generated

    built = ensure_generated(workspace(), "test", scale=scale, progress=progress)
    return Path(built[benchmark.generated_layout])


def _select(wanted: str, names: list[str], tag: str) -> list[str]:
    """The names meant by `wanted`: itself up to case, separators and the tag, a position, or a pattern."""
    if set(wanted) & set("*?["):
        if not (matching := [name for name in names if fnmatchcase(name, wanted)]):
            raise InputError(f"No sequence matches {wanted!r}; there are {_some(names)}.")
        return matching
    if wanted.isdecimal() and wanted not in names:
        if int(wanted) >= len(names):
            raise InputError(f"Sequence number {wanted}: there are {len(names)}, counted from 0.")
        return [names[int(wanted)]]
    plain = {plain_name(name): name for name in names}
    if plain_name(wanted) not in plain and plain_name(f"{tag}_{wanted}") in plain:
        return [plain[plain_name(f"{tag}_{wanted}")]]  # bike1 of UAV123, which is called uav_bike1
    targets = [name for name in names if plain_name(name).startswith(plain_name(wanted) + "_")]
    try:
        return [find_by_name("sequence", wanted, names)]
    except UnknownNameError:
        # 'Jogging' of OTB is one video with two targets: Jogging_1 and Jogging_2.
        if targets and all(plain_name(name)[len(wanted) + 1 :].isdecimal() for name in targets):
            return targets
        raise


def _present(
    layout: Layout, folder: Path, benchmark: Benchmark, allow_missing: bool, options: CommandOptions
) -> list[str]:
    names = layout.names()
    missing = [name for name in names if not layout.has(name)]
    if names and not missing:
        return names
    if len(missing) == len(names):
        whole = len(names) or benchmark.size
        what = f"holds none of the {whole} sequences" if whole else "lists no sequences"
        raise InputError(
            f"{folder} {what} of {benchmark.title}; its root is the folder that contains "
            f"{names[0] if names else 'them'}{f', given with {options.root}' if options.root else ''}."
        )
    if not allow_missing and generated_index(folder) is None:
        raise InputError(
            f"{folder} lacks {len(missing)} of the {len(names)} sequences of {benchmark.title}: "
            f"{_some(missing)}. {options.making_do()}"
        )
    if not allow_missing:
        raise InputError(
            f"{folder} is incomplete, {_some(missing)} missing; delete it to have it generated anew."
        )
    return [name for name in names if name not in set(missing)]


def _some(names: list[str], limit: int = 12) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
