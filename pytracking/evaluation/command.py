"""Options that several command lines have."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import at_least, counting_number, local_path, whole_number
from ltr.admin.workspace_option import add_workspace_option
from pytracking.inference.options import PRECISIONS

if TYPE_CHECKING:
    from pytracking.evaluation.cluster import ClusterOptions
    from pytracking.evaluation.data import Sequence
    from pytracking.evaluation.running import RunReport
    from pytracking.evaluation.spec import TrackerSpec

__all__ = [
    "add_dataset_options",
    "add_engine_option",
    "add_extent_options",
    "add_machine_options",
    "add_running_options",
    "add_tracker_options",
    "add_weights_options",
    "at_least",
    "counting_number",
    "open_by_options",
    "read_by_dataset",
    "results_root",
    "run_by_options",
    "tell",
    "whole_number",
]


def add_dataset_options(parser: argparse.ArgumentParser, *, sequences: bool = True) -> None:
    """``--dataset`` and what narrows it down; without ``--sequence`` if a command names them otherwise."""
    add_workspace_option(parser)
    group = parser.add_argument_group("dataset")
    group.add_argument(
        "--dataset",
        "--dataset_name",
        dest="dataset",
        metavar="NAME",
        help="otb, otb50, lasot, lasot_extension_subset, uav, uav123_10fps, uav20l, nfs, tpl, tpl_nootb, "
        "vot, got10k_val, got10k_test, trackingnet, generated, generated_lasot, folder (videos of your own "
        "in OTB's layout, below --root) or table (--root is a CSV file, or JSON as of COCO); with none "
        "configured, generated is taken",
    )
    group.add_argument("--root", type=local_path, metavar="DIR", help="folder of the dataset")
    if sequences:
        group.add_argument(
            "--sequence",
            action="append",
            metavar="S",
            help="only this sequence: a name, a position or a pattern, several with commas; may be repeated",
        )
    add_extent_options(group)


def add_extent_options(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """``--allow-missing`` and ``--scale``."""
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="use what there is although sequences are missing or cannot be read, or results of "
        "them are missing",
    )
    parser.add_argument(
        "--scale",
        default="demo",
        choices=("tiny", "short", "demo", "full"),
        help="size of a generated test set (default: %(default)s)",
    )


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    """Tracker, parameter set, and `add_weights_options`."""
    parser.add_argument("tracker", help="name of the tracker: dimp, atom or first_box")
    parser.add_argument("parameter", help="name of its parameter set, e.g. nce_plus")
    add_weights_options(parser)


def add_weights_options(parser: argparse.ArgumentParser) -> None:
    """Weights of a tracker and which of them, arithmetic, precision, device and seed."""
    parser.add_argument(
        "--checkpoint",
        type=local_path,
        metavar="FILE",
        help="weights file, or a folder whose newest is taken; otherwise the networks folder, then the "
        "newest checkpoint of the train setting",
    )
    parser.add_argument(
        "--weights",
        choices=("auto", "net", "net_ema"),
        default="auto",
        help="of the last training step (net), averaged over the run (net_ema), or averaged ones if the file "
        "has any (default: %(default)s)",
    )
    parser.add_argument(
        "--compat",
        action="store_true",
        help="with the published trackers' arithmetic where it differs from what is right",
    )
    add_machine_options(parser)


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """``--engine``."""
    parser.add_argument(
        "--engine",
        choices=("torch", "onnx"),
        default="torch",
        help="onnx runs an exported tracker, whose folder is --checkpoint (default: %(default)s)",
    )


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """``--precision``, ``--device`` and ``--seed``."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="of the network's features; auto measures, and takes bf16 where it is clearly faster "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=0, help="of everything drawn (default: %(default)s)"
    )


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """How sequences are run, where their results go, and by which rule they are evaluated."""
    parser.add_argument(
        "--threads",
        type=whole_number,
        default=0,
        metavar="N",
        help="CPU threads: N > 1 runs N sequences at a time, each in a process with one thread, untimed; 1 "
        "runs all in this one with one thread; 0 too, with as many as the network can use (default: 0)",
    )
    parser.add_argument(
        "--batch",
        type=counting_number,
        default=1,
        metavar="N",
        help="N sequences at a time as one batch, for a GPU, which one does not fill; untimed (default: 1)",
    )
    parser.add_argument("--rerun", action="store_true", help="run finished sequences again")
    parser.add_argument("--results", type=local_path, metavar="DIR", help="where result folders are written")
    parser.add_argument(
        "--protocol",
        default="pytracking",
        metavar="RULE",
        help="of the evaluation: pytracking, lasot, otb, uav, got10k, pysot, trackingnet or default "
        "(default: %(default)s)",
    )
    add_cluster_options(parser)


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """``--cluster`` and what each sequence takes of it."""
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run on a Ray cluster: HOST:PORT of its head, or auto for the one this machine belongs to; a "
        "sequence is a task, run again where a machine dies (needs ray; --threads limits how many at a time)",
    )
    parser.add_argument(
        "--gpus-per-sequence",
        type=float,
        metavar="X",
        help="with --cluster: share of a GPU for each sequence, e.g. 0.25 (default: 1 with CUDA, else 0)",
    )


def cluster_options(args: argparse.Namespace) -> "ClusterOptions | None":
    """What `add_cluster_options` has parsed; None without ``--cluster``."""
    if args.cluster is None:
        return None
    from pytracking.evaluation.cluster import ClusterOptions

    return ClusterOptions(args.cluster, args.gpus_per_sequence, args.threads)


def _names_of(options: list[str] | None) -> list[str] | None:
    """Names of a repeatable option whose values may hold several with commas; None without any."""
    names = [name.strip() for option in options or [] for name in option.split(",")]
    return [name for name in names if name] or None


def open_by_options(
    args: argparse.Namespace, say: Callable[[str], None], *, images: bool = True
) -> "tuple[str, list[Sequence]]":
    """The name of the data set that `add_dataset_options` chose, and its sequences.

    Args:
        args: what was parsed.
        say: told which data set is taken where none was named.
        images: whether the images must be there; what scores results needs annotations alone.

    Raises:
        InputError, UnknownNameError: as `open_dataset`.
    """
    from pytracking.evaluation.datasets import choose_dataset, open_dataset

    dataset, note = choose_dataset(args.dataset)
    if note:
        say(note)
    sequences = open_dataset(
        dataset,
        args.root,
        sequences=_names_of(args.sequence),
        allow_missing=args.allow_missing,
        images=images,
        scale=args.scale,
        tell=tell,
    )
    return dataset, sequences


def run_by_options(
    args: argparse.Namespace, sequences: "Iterable[Sequence]", spec: "TrackerSpec", root: Path
) -> "RunReport":
    """Run a tracker as `add_running_options` says, see `run_dataset`; results go below `root`."""
    from tqdm import tqdm

    from pytracking.evaluation.running import run_dataset

    return run_dataset(
        list(sequences),
        spec,
        results_root=root,
        workers=args.threads,
        batch=args.batch,
        rerun=args.rerun,
        say=tqdm.write,
        cluster=cluster_options(args),
    )


def tell(note: str) -> None:
    """Tell the user something beside the command's output."""
    print(f"note: {note}", file=sys.stderr)


def results_root(given: Path | None) -> Path:
    """Where result folders are: the option, else ``tracking_results`` in the workspace."""
    if given is not None:
        return given
    from ltr.admin.environment import workspace

    return workspace() / "tracking_results"


def read_by_dataset(args: argparse.Namespace, dataset: str) -> dict[str, Path]:
    """What a command reads of the data set that it has opened, for `require_outputs`."""
    from pytracking.evaluation.datasets import find_root

    return {"the data set": find_root(dataset, args.root, scale=args.scale, progress=False)}
