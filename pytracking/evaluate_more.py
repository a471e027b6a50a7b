"""``ebmtrack evaluate diff``, ``import``, ``check``: compare results, write them anew, check annotations."""

import argparse
import sys
from collections.abc import Callable, Mapping
from collections.abc import Sequence as List
from typing import TYPE_CHECKING

from ebm.command import CommandParser, local_path, run_command
from ebm.exceptions import InputError
from pytracking.evaluation.command import add_dataset_options, open_by_options, results_root, tell

if TYPE_CHECKING:
    from pytracking.analysis.sources import BoxSource

__all__ = ["ACTIONS", "main"]

_EXAMPLES = {
    "diff": """examples:
  ebmtrack evaluate diff dimp/nce_plus downloads/DiMP --dataset otb
  ebmtrack evaluate diff mine theirs.zip --dataset lasot --protocol lasot --all --format csv""",
    "import": """examples:
  ebmtrack evaluate import pysot/results/OTB100 --dataset otb
  ebmtrack evaluate import ATOM=ATOM_raw_results.zip --dataset lasot --out results
  ebmtrack evaluate import dimp/nce_plus --dataset otb --layout pytracking --out pytracking/tracking_results
The files are OUT/LABEL/imported/SEQUENCE.txt; then 'ebmtrack evaluate LABEL/imported' finds them. In
the layout of PyTracking, for its own tools, they are OUT/TRACKER/PARAM/SEQUENCE.txt, and of several runs
PARAM_000 and so on.""",
    "check": """examples:
  ebmtrack evaluate check --dataset lasot --root LaSOT_Evaluation_Toolkit""",
}


def _parser(action: str, description: str) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=f"ebmtrack evaluate {action}",
        description=description,
        epilog=_EXAMPLES[action],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--results-root", type=local_path, metavar="DIR", help="where results are looked for")
    parser.add_argument(
        "--format", default="text", help="text, markdown, latex or csv (default: %(default)s)"
    )
    add_dataset_options(parser)
    return parser


def _diff_parser() -> argparse.ArgumentParser:
    parser = _parser("diff", "Compare two trackers' results sequence by sequence.")
    parser.add_argument("first", help="results, as 'ebmtrack evaluate' takes them")
    parser.add_argument("second", help="those to compare them with")
    parser.add_argument("--protocol", default="pytracking", help="rule (default: %(default)s)")
    parser.add_argument("--score", default="auc", help="auc, op50, op75, precision, norm_precision or ao")
    parser.add_argument(
        "--all", action="store_true", help="print every sequence, not the 20 that differ most"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")
    return parser


def _one_tracker(word: str, args: argparse.Namespace, taken: str = "") -> "list[BoxSource]":
    """The runs that a word means, by a label that differs from the one taken."""
    from dataclasses import replace

    from pytracking.analysis.sources import FolderSource, find_sources

    found = find_sources(word, results_root(args.results_root))
    labels = sorted({source.label for source in found})
    if len(labels) > 1:
        raise InputError(f"{word} holds the results of {', '.join(labels)}; name the folder of one of them.")
    if labels[0].casefold() != taken.casefold():
        return found
    return [
        replace(source, label=f"{labels[0]} (2)") if isinstance(source, FolderSource) else source
        for source in found
    ]


def _diff(args: argparse.Namespace) -> int:
    from ebm.lookup import lookup
    from pytracking.analysis.comparison import compare, comparison_table
    from pytracking.analysis.scores import SCORES
    from pytracking.analysis.tables import format_table

    lookup("score", args.score, {key: title for key, title in SCORES.items() if key != "mao"})
    first = _one_tracker(args.first, args)
    second = _one_tracker(args.second, args, first[0].label)
    _, sequences = open_by_options(args, tell, images=False)
    found = compare(
        sequences,
        first,
        second,
        rule=args.protocol,
        score=args.score,
        allow_missing=args.allow_missing,
        seed=args.seed,
    )
    print(format_table(comparison_table(found, None if args.all else 20), args.format))
    return 0


def _import_parser() -> argparse.ArgumentParser:
    parser = _parser("import", "Write results of other toolkits anew as ours.")
    parser.add_argument("results", nargs="+", help="a folder or an archive, perhaps after LABEL=")
    parser.add_argument(
        "--out", type=local_path, metavar="DIR", help="results root (default: that of the workspace)"
    )
    parser.add_argument("--layout", default="ours", help="ours or pytracking (default: %(default)s)")
    return parser


def _import(args: argparse.Namespace) -> int:
    from ebm.outputs import Output, require_outputs
    from pytracking.analysis.gathering import gather_sources
    from pytracking.analysis.importing import import_results
    from pytracking.analysis.sources import FolderSource

    out = args.out or results_root(args.results_root)
    sources = gather_sources(args.results, results_root(args.results_root))
    folders = [source for source in sources if isinstance(source, FolderSource)]
    if len(folders) < len(sources):
        raise InputError("first_box has no files to import.")
    output = Output(name="--out", path=out, folder=True)
    require_outputs([output], {"the results": [source.folder.path for source in folders]})
    _, sequences = open_by_options(args, tell, images=False)
    done = import_results(folders, sequences, out, allow_missing=args.allow_missing, layout=args.layout)
    for item in done:
        print(f"{item.folder}: {item.sequences} sequences")
        for note in (*item.odd, *(f"{name}: no result" for name in item.missing)):
            tell(note)
    return 0


def _check_parser() -> argparse.ArgumentParser:
    return _parser("check", "Check the annotations that results are scored against; images are not needed.")


def _check(args: argparse.Namespace) -> int:
    from pytracking.analysis.annotation_check import check_annotations
    from pytracking.analysis.tables import format_table
    from pytracking.evaluation.datasets import BENCHMARKS, choose_dataset, find_root

    name, note = choose_dataset(args.dataset)
    if note:
        tell(note)
    benchmark = BENCHMARKS[name]
    layout = benchmark.open(name, find_root(name, args.root, scale=args.scale), images=False)
    found = check_annotations(layout, benchmark.title)
    for sequence, fault in found.faults:
        print(f"{sequence}: {fault}")
    print(format_table(found.table, args.format))
    return 1 if found.faults else 0


ACTIONS: Mapping[str, tuple[Callable[[], argparse.ArgumentParser], Callable[[argparse.Namespace], int]]] = {
    "diff": (_diff_parser, _diff),
    "import": (_import_parser, _import),
    "check": (_check_parser, _check),
}


def main(argv: List[str] | None = None) -> int:
    """Run one of `ACTIONS`.

    Args:
        argv: its name and arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a check found faults, 2 for unusable input, 130 after Ctrl-C.
    """
    action, *arguments = sys.argv[1:] if argv is None else argv
    parser, run = ACTIONS[action]
    return run_command(parser(), run, arguments, interrupted="nothing was changed.")
