"""Evaluate results that trackers have left: a table on the screen; tables, curves and plots in a folder."""

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
        open_by_options,
        read_by_dataset,
        results_root,
        tell,
    )

if TYPE_CHECKING:
    from pytracking.analysis.extract import Evaluation
    from pytracking.analysis.sources import BoxSource
    from pytracking.analysis.tables import Table
    from pytracking.evaluation.data import Sequence

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  python pytracking/evaluate.py dimp/nce_plus first_box --dataset generated
  python pytracking/evaluate.py dimp/nce_plus dimp/kld_is --dataset lasot --per-sequence
  python pytracking/evaluate.py ATOM=downloads/ATOM --dataset uav --protocols all
  python pytracking/evaluate.py dimp/nce_plus dimp/kld_is --dataset otb --page
  python pytracking/evaluate.py ours=dimp/nce_plus ATOM=downloads/ATOM --dataset otb --out figures

  ebmtrack evaluate diff A B, import RESULTS, check: see 'ebmtrack evaluate diff --help' and so on

RESULTS is first_box, TRACKER/PARAM (all its runs, averaged), TRACKER/PARAM-HASH, or a folder or archive (zip,
tar) with a file <sequence>.txt of boxes for every sequence, in the layout of PyTracking (DIR for the runs
DIR_000, DIR_001 ..., averaged), got10k, pysot, LaSOT, OTB or UAV123 (.mat too); of several trackers all.
LABEL= before it sets the name in tables and legends; two folders of one name get longer names by themselves.
Results with too few or too many rows, or that start far from the initial box, are named below the table."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="evaluate.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="trackers to evaluate, see below")
    _add_table_options(parser)
    _add_report_options(parser)
    parser.add_argument("--results-root", type=local_path, metavar="DIR", help="where results are looked for")
    add_dataset_options(parser)
    return parser


def _add_table_options(parser: argparse.ArgumentParser) -> None:
    """By which rule is scored, and what is printed."""
    parser.add_argument(
        "--protocol",
        default="pytracking",
        metavar="RULE",
        help="rule of the evaluation: pytracking, lasot, otb, uav, got10k, pysot, trackingnet or default (a "
        "clean one for new work); default: %(default)s",
    )
    parser.add_argument(
        "--protocols",
        metavar="RULES",
        help="print a table of trackers by rules instead: all, or several with commas",
    )
    parser.add_argument(
        "--format",
        default="text",
        help="of the printed table: text, markdown, latex or csv (default: %(default)s)",
    )
    parser.add_argument(
        "--long-term",
        action="store_true",
        help="also print F-score, precision and recall over the confidences saved beside the boxes",
    )
    parser.add_argument(
        "--published", action="store_true", help="add rows of what papers print for the dataset, marked so"
    )
    parser.add_argument("--per-sequence", action="store_true", help="also print the scores of each sequence")


def _add_report_options(parser: argparse.ArgumentParser) -> None:
    """The folder of the report, and its page."""
    parser.add_argument(
        "--out",
        type=local_path,
        metavar="DIR",
        help="folder of the report (default: reports/<dataset> in the workspace)",
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="also write page.html: sequences to sort, overlap over time, boxes played back (needs plotly)",
    )
    parser.add_argument(
        "--page-megabytes",
        type=float,
        default=14.0,
        metavar="MB",
        help="size of the page, at most; pictures of frames take what is left (default: %(default)s)",
    )
    parser.add_argument(
        "--link-frames",
        action="store_true",
        help="have the page load the data set's own image files, on this machine alone",
    )


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, 2 for unusable input, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] and arguments[0] in ("diff", "import", "check"):
        from pytracking.evaluate_more import main as more

        return more(arguments)
    return run_command(build_parser(), _run, arguments, interrupted="nothing was changed.")


def _run(args: argparse.Namespace) -> int:
    from pytracking.analysis.extract import evaluate
    from pytracking.analysis.gathering import gather_sources
    from pytracking.analysis.manifests import manifest_differences
    from pytracking.analysis.published import with_published
    from pytracking.analysis.rules_table import chosen_rules, evaluate_by_rules, rules_table
    from pytracking.analysis.tables import format_table, per_sequence_table, score_table

    _require_usable(args)
    wanted = chosen_rules(args.protocols) if args.protocols else ()
    root = results_root(args.results_root)
    sources = gather_sources(args.results, root)
    dataset, sequences = open_by_options(args, lambda note: print(note, file=sys.stderr), images=False)
    out = args.out or _default_folder(dataset)
    _require_apart(out, read_by_dataset(args, dataset), sources)
    if wanted:
        found = evaluate_by_rules(sequences, sources, wanted, args.allow_missing)
        print(format_table(rules_table(found), args.format))
        return 0
    evaluation = evaluate(sequences, sources, rule=args.protocol, allow_missing=args.allow_missing)
    table = score_table(evaluation)
    print(format_table(with_published(table, evaluation) if args.published else table, args.format))
    if args.format == "text":
        print(_other_rules(sequences, sources, evaluation.rule, args.allow_missing))
    for remark in evaluation.remarks if args.format == "csv" else ():  # a table without notes
        tell(remark)
    if args.long_term:
        print(f"\n{format_table(_long_term(evaluation, sequences, sources), args.format)}")
    if args.per_sequence:
        print(f"\n{format_table(per_sequence_table(evaluation), args.format)}")
    for line in manifest_differences(sources, evaluation.dataset):
        tell(line)
    _save(evaluation, out, args.format)
    if args.page:
        _write_page(evaluation, sequences, sources, out, args)
    return 0


def _require_usable(args: argparse.Namespace) -> None:
    """Refuse before minutes of scoring what would be told after them."""
    from ebm.lookup import lookup
    from pytracking.analysis.protocols import protocol_for
    from pytracking.analysis.tables import FORMATS

    protocol_for(args.protocol, "")
    lookup("table format", args.format, FORMATS)
    if args.page:
        from pytracking.analysis.viewer.page import require_plotly

        require_plotly()


def _long_term(evaluation: "Evaluation", sequences: "List[Sequence]", sources: "List[BoxSource]") -> "Table":
    """F-score, precision and recall of every run that has files."""
    from pytracking.analysis.long_term import long_term_of, long_term_table
    from pytracking.analysis.sources import FolderSource

    names = set(evaluation.sequences)
    used = [sequence for sequence in sequences if sequence.name in names]
    runs = [source for source in sources if isinstance(source, FolderSource)]
    found = [(run.label, long_term_of(used, run, evaluation.rule)) for run in runs]
    return long_term_table(evaluation.title, found)


def _write_page(
    evaluation: "Evaluation",
    sequences: "List[Sequence]",
    sources: "List[BoxSource]",
    out: Path,
    args: argparse.Namespace,
) -> None:
    """Write the page to look at the evaluation, and say how large it is."""
    from pytracking.analysis.viewer.page import PageOptions, write_page

    options = PageOptions(megabytes=args.page_megabytes, link_frames=args.link_frames)
    size = write_page(evaluation, sequences, sources, out / "page.html", options)
    print(f"  {out / 'page.html'} ({size / 1e6:.1f} MB; opens without a network)", file=sys.stderr)


def _save(evaluation: "Evaluation", out: Path, style: str) -> None:
    """Write the report, and say what was written."""
    from pytracking.analysis.report import save_report

    files, without_plots = save_report(evaluation, out)
    print("\nWritten:" if style == "text" else "Written:", file=sys.stderr)
    for file in files:
        print(f"  {file}", file=sys.stderr)
    if without_plots:
        print(f"note: {without_plots}", file=sys.stderr)


def _require_apart(out: Path, read: dict[str, Path], sources: "List[BoxSource]") -> None:
    """Refuse to write the report where results or the data set are read."""
    from ebm.outputs import Output, require_outputs
    from pytracking.analysis.sources import FolderSource

    results = [source.folder.path for source in sources if isinstance(source, FolderSource)]
    output = Output(name="the report --out", path=out, folder=True)
    require_outputs([output], {**read, "the results": results})


def _default_folder(dataset: str) -> Path:
    from ltr.admin.environment import workspace

    return workspace() / "reports" / dataset


def _other_rules(
    sequences: "List[Sequence]", sources: "List[BoxSource]", used: str, allow_missing: bool
) -> str:
    """One line for every other protocol: the same files, scored by its rule."""
    from pytracking.analysis.extract import Evaluation
    from pytracking.analysis.protocols import rules
    from pytracking.analysis.rules_table import evaluate_by_rules
    from pytracking.analysis.scores import SCORES

    others = [rule for rule in rules() if rule != used]
    lines = []
    for rule, found in evaluate_by_rules(sequences, sources, others, allow_missing).items():
        if isinstance(found, Evaluation):
            score = SCORES[found.main_score]
            scores = ", ".join(f"{t.label} {t.score(found.main_score):.2f}" for t in found.ranked())
            lines.append(f"{score} by protocol {rule}: {scores}.")
        else:
            lines.append(f"AUC by protocol {rule}: not defined here ({found})")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
