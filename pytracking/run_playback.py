"""Write videos of several trackers' results: their boxes, the annotation, and the overlap of each."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import CommandParser, local_path, run_command, script_imports

with script_imports(__name__):
    from pytracking.evaluation.command import (
        add_dataset_options,
        counting_number,
        open_by_options,
        read_by_dataset,
        results_root,
        tell,
    )

if TYPE_CHECKING:
    from pytracking.analysis.playback import Compared
    from pytracking.analysis.sources import BoxSource
    from pytracking.evaluation.data import Sequence

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack playback dimp/nce_plus ATOM=downloads/ATOM --dataset otb --sequence Deer
  ebmtrack playback dimp/nce_plus ATOM=downloads/ATOM.zip --dataset lasot --worst 5 --stride 4
  ebmtrack playback ours=dimp/nce_plus pysot/results --dataset uav --sort spread --count 3 --out look.mp4
  ebmtrack playback dimp/nce_plus --dataset got10k_test --sequence 'GOT-10k_Test_00000[1-5]'

RESULTS is what 'ebmtrack evaluate' takes, of other toolkits too; of several runs of a tracker the first is
shown. The annotation is white and not drawn where the target is hidden; behind a tracker's name stands its
IoU in the frame, or a dash where there is nothing to overlap with. A test set whose server keeps the
annotation can be looked at by name, not sorted."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack playback",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="trackers to compare, see below")
    parser.add_argument(
        "--worst",
        type=counting_number,
        metavar="N",
        help="the N sequences on which the first tracker scores lowest: --sort worst --count N",
    )
    parser.add_argument(
        "--sort",
        metavar="ORDER",
        help="which sequences come first: worst or best of the first tracker, spread (the largest difference "
        "between two trackers), or dataset (default: dataset)",
    )
    parser.add_argument("--count", type=counting_number, metavar="N", help="only the first N of them")
    parser.add_argument(
        "--protocol", default="pytracking", metavar="RULE", help="that sorts them (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=local_path,
        metavar="PLACE",
        help="folder of a SEQUENCE.mp4 each, or FILE.mp4 for all in one (default: reports/<dataset>/playback "
        "in the workspace)",
    )
    parser.add_argument(
        "--fps", type=float, default=30.0, help="frames per second of the videos (default: %(default)g)"
    )
    parser.add_argument(
        "--stride", type=counting_number, default=1, metavar="N", help="show every N-th frame (default: 1)"
    )
    parser.add_argument("--results-root", type=local_path, metavar="DIR", help="where results are looked for")
    add_dataset_options(parser)
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(
        build_parser(), _run, argv, interrupted="finished videos are kept, the one under way is not."
    )


def _run(args: argparse.Namespace) -> int:
    from ebm.lookup import lookup
    from pytracking.analysis.gathering import gather_sources
    from pytracking.analysis.playback import ORDERS, compared, first_runs
    from pytracking.analysis.protocols import protocol_for

    _order_by_options(args)
    lookup("order", args.sort, ORDERS)
    protocol_for(args.protocol, "")
    sources = gather_sources(args.results, results_root(args.results_root))
    runs = first_runs(sources)
    dataset, sequences = open_by_options(args, tell)
    places = _places(args, dataset, sources)
    videos = [compared(sequence, runs) for sequence in _chosen(args, sequences, sources)]
    _write(videos, places, args)
    return 0


def _order_by_options(args: argparse.Namespace) -> None:
    """Put ``--worst`` in the words of ``--sort`` and ``--count``."""
    from ebm.exceptions import InputError

    if args.worst is not None:
        if args.sort is not None or args.count is not None:
            raise InputError("--worst N means --sort worst --count N; pass it alone, or those two.")
        args.sort, args.count = "worst", args.worst
    args.sort = args.sort or "dataset"


def _chosen(
    args: argparse.Namespace, sequences: "List[Sequence]", sources: "List[BoxSource]"
) -> "list[Sequence]":
    """The sequences to show, in their order."""
    from ebm.exceptions import InputError
    from pytracking.analysis.extract import evaluate, shared_sequences
    from pytracking.analysis.playback import ordered_names

    if len(sequences) > 1 and not args.sequence and args.count is None:
        raise InputError(
            f"{len(sequences)} sequences would be written; name some with --sequence ('*' for all), or "
            "choose with --worst N, or with --sort ORDER --count N."
        )
    if args.sort == "dataset":
        return shared_sequences(sequences, sources, args.allow_missing)[0][: args.count]
    evaluation = evaluate(sequences, sources, rule=args.protocol, allow_missing=args.allow_missing)
    by_name = {sequence.name: sequence for sequence in sequences}
    return [by_name[name] for name in ordered_names(evaluation, args.sort)[: args.count]]


def _places(args: argparse.Namespace, dataset: str, sources: "List[BoxSource]") -> Path:
    """Where videos go: a folder, or an mp4 file; nothing that is read.

    Raises:
        InputError: if it holds results or the data set, or cannot be written to.
    """
    from ebm.outputs import Output, require_outputs
    from ltr.admin.environment import workspace
    from pytracking.analysis.sources import FolderSource

    place: Path = args.out or workspace() / "reports" / dataset / "playback"
    results = [source.folder.path for source in sources if isinstance(source, FolderSource)]
    output = Output(name="the videos --out", path=place, folder=not _is_file(place))
    require_outputs([output], {**read_by_dataset(args, dataset), "the results": results})
    return place


def _is_file(place: Path) -> bool:
    return place.suffix.lower() == ".mp4" and not place.is_dir()


def _write(videos: "List[Compared]", place: Path, args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from ebm.bars import progress_bar
    from pytracking.analysis.playback import write_comparison

    files = [(place, videos)] if _is_file(place) else []
    files = files or [(place / f"{video.sequence.name}.mp4", [video]) for video in videos]
    total = sum(-(-len(video.sequence) // args.stride) for video in videos)
    with progress_bar(total=total, unit="frame", leave=False) as bar:
        for path, shown in files:
            count = write_comparison(shown, path, args.fps, step=args.stride, progress=bar.update)
            for video in shown:
                tqdm.write(f"{video.sequence.name}: {video.summary()}")
            tqdm.write(f"  {path} ({count} frames)")


if __name__ == "__main__":
    sys.exit(main())
