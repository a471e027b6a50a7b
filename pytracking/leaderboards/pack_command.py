"""``ebmtrack pack``: results to the archive that a server takes."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import local_path, run_command
from pytracking.evaluation.command import results_root, tell
from pytracking.leaderboards.command_options import (
    NAMES,
    add_data,
    make_parser,
    require_server,
    runs_in_words,
    sequences_of,
    show,
)

if TYPE_CHECKING:
    from pytracking.analysis.sources import BoxSource
    from pytracking.leaderboards.servers import Server

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  ebmtrack pack trackingnet dimp/nce_plus
  ebmtrack pack got10k dimp/nce_plus --out nce_plus.zip
  ebmtrack pack lasot downloads/ATOM --root /data/LaSOT
  ebmtrack pack eval-ai dimp/nce_plus --dataset uav
  ebmtrack pack vot workspace --tracker DiMP-NCE

RESULTS is TRACKER/PARAM (all its runs), TRACKER/PARAM-HASH or a folder with <sequence>.txt files, as for
'ebmtrack evaluate'; for vot the toolkit's workspace after 'vot evaluate'. What is packed is validated first:
nothing is written that the server would reject.
exit codes: 0 packed, 2 the results cannot be packed, 130 interrupted."""


def build_parser() -> argparse.ArgumentParser:
    """The command line of ``ebmtrack pack``."""
    parser = make_parser("ebmtrack pack", "Write the archive that a server takes.", _EXAMPLES)
    parser.add_argument("server", metavar="SERVER", help=", ".join(NAMES))
    parser.add_argument("results", metavar="RESULTS", help="see below")
    parser.add_argument("--out", type=local_path, metavar="ZIP", help="default: NAME_SERVER.zip, here")
    parser.add_argument("--name", help="of the tracker (default: of the results)")
    parser.add_argument("--tracker", help="vot: the tracker in the workspace, where it has several")
    parser.add_argument(
        "--runs", type=int, metavar="N", help="the first N runs (default: as many as the server takes)"
    )
    parser.add_argument(
        "--shared-times",
        action="store_true",
        help="got10k: take times of a run with --threads, which are no measure of speed",
    )
    parser.add_argument(
        "--repair", action="store_true", help="where a box has no area, repeat the one of the frame before"
    )
    parser.add_argument("--results-root", type=local_path, metavar="DIR", help="where results are looked for")
    add_data(parser)
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, 2 for results that cannot be packed, 130 after Ctrl-C.
    """
    return run_command(build_parser(), _pack, argv, interrupted="nothing was written.")


def _pack(args: argparse.Namespace) -> int:
    require_server(args.server)
    if args.server == "vot":
        return _pack_vot(args)
    from ebm.bars import progress_bar
    from ebm.exceptions import InputError
    from ebm.outputs import Output, require_outputs
    from pytracking.analysis.sources import FolderSource, find_sources
    from pytracking.leaderboards.packing import pack_results
    from pytracking.leaderboards.servers import SERVERS

    server = SERVERS[args.server]
    sources = _runs(find_sources(args.results, results_root(args.results_root)), server, args.runs)
    sequences = sequences_of(args, server)
    if sequences is None:
        raise InputError(
            f"{server.title} needs the data set, to compare names, numbers of frames and first boxes: give "
            "its folder with --root" + ("." if server.dataset else " and its name with --dataset.")
        )
    name = args.name or _file_name(sources[0].label)
    out = args.out or Path(f"{name}_{args.server}.zip")
    read = {"the results": [s.folder.path for s in sources if isinstance(s, FolderSource)]}
    require_outputs([Output(name="the archive", path=out)], read)
    with progress_bar(total=len(sequences), unit=" sequences", leave=False) as bar:
        report = pack_results(
            sources,
            server,
            sequences,
            out,
            tracker=name,
            shared_times=args.shared_times,
            repair=args.repair,
            on_sequence=lambda: bar.update() and None,
        )
    if sources[0].remark:
        tell(sources[0].remark)
    show(report)
    print(f"Packed {report.sequences} sequences, {runs_in_words(report.runs)}: {out}")
    return 0


def _file_name(label: str) -> str:
    return "".join(c if c.isalnum() or c in "-_.+" else "_" for c in label)


def _runs(sources: "list[BoxSource]", server: "Server", wanted: int | None) -> "list[BoxSource]":
    """As many runs as the server takes, the first ones; says which are left out."""
    fitting = [count for count in server.runs if count <= len(sources)]
    count = wanted if wanted is not None else max(fitting, default=len(sources))
    if count < len(sources):
        tell(f"{len(sources)} runs are there; the first {count} are packed.")
    return sources[:count]


def _pack_vot(args: argparse.Namespace) -> int:
    from ebm.outputs import Output, require_outputs
    from pytracking.leaderboards.vot_archives import find_tracker, pack_vot

    workspace = local_path(args.results)
    tracker = find_tracker(workspace, args.tracker or args.name)
    out = args.out or Path(f"{_file_name(tracker)}_vot.zip")
    require_outputs([Output(name="the archive", path=out)], {"the workspace": workspace / "results"})
    report = pack_vot(workspace, tracker, out)
    show(report)
    print(f"Packed {report.sequences} sequences, {runs_in_words(report.runs)}: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
