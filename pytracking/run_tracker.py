"""Run a tracker on a dataset, save its results and show how good they are."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import CommandParser, run_command, script_imports

with script_imports(__name__):
    from pytracking.evaluation.asked_tracker import asked_spec
    from pytracking.evaluation.command import (
        add_dataset_options,
        add_engine_option,
        add_running_options,
        add_tracker_options,
        open_by_options,
        read_by_dataset,
        results_root,
        run_by_options,
        whole_number,
    )
    from pytracking.evaluation.debug_options import Debugging, add_debug_options

if TYPE_CHECKING:
    from pytracking.evaluation.data import Sequence
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  python pytracking/run_tracker.py dimp nce_plus --dataset generated
  python pytracking/run_tracker.py atom default --dataset otb --root /data/OTB100
  python pytracking/run_tracker.py dimp nce_plus --dataset otb --root /data/OTB100 --sequence Crossing
  python pytracking/run_tracker.py dimp nce_plus --dataset lasot --threads 8 --runid 0
  python pytracking/run_tracker.py dimp nce_plus --dataset lasot --device cuda --batch 32
  python pytracking/run_tracker.py atom nce_plus_lite --dataset otb --engine onnx --checkpoint exported
  python pytracking/run_tracker.py dimp nce_plus --dataset lasot --cluster auto --gpus-per-sequence 0.25
  python pytracking/run_tracker.py dimp nce_plus --dataset otb --sequence Crossing --debug-page look.html
  python pytracking/run_tracker.py dimp nce_plus_small --dataset otb --compare dimp/nce_plus ATOM=results/ATOM

Finished sequences are kept and not run again, also after an interruption. Results lie in
<workspace>/tracking_results/<tracker>/<parameters>[_<run>]-<hash of parameters, weights and seed>/.
With --debug or --debug-page sequences are run to be looked at: every one, here, and nothing is saved.
exit codes: 0 all sequences have results, 1 some failed, 2 the input cannot be used, 130 interrupted."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="run_tracker.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_tracker_options(parser)
    parser.add_argument(
        "--runid", "--run_id", dest="run_id", type=whole_number, metavar="N", help="number of the repetition"
    )
    add_engine_option(parser)
    add_running_options(parser)
    add_dataset_options(parser)
    add_debug_options(parser)
    group = parser.add_argument_group("evaluation")
    group.add_argument(
        "--compare",
        action="extend",
        nargs="+",
        default=[],
        metavar="RESULTS",
        help="show beside it: TRACKER/PARAM, a folder of results, LABEL=FOLDER; first_box is always there",
    )
    group.add_argument("--per-sequence", action="store_true", help="also print the scores of each sequence")
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0 when all sequences have results, 1 when some failed, 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(
        build_parser(), _run, argv, interrupted="finished sequences are kept; the same command continues."
    )


def _run(args: argparse.Namespace) -> int:
    from pytracking.analysis.protocols import protocol_for
    from pytracking.analysis.run_report import print_failures, print_report, print_scores
    from pytracking.parameter import find_parameters

    find_parameters(args.tracker, args.parameter)  # a wrong name is told before anything is read
    protocol_for(args.protocol, "")
    dataset, sequences = open_by_options(args, print)
    spec = asked_spec(args, run_id=args.run_id)
    debugging = Debugging(args)
    if debugging.wanted:
        return _show(args, debugging, dataset, sequences, spec)
    root = results_root(args.results)
    _require_usable(args, dataset, sequences, spec, root)
    print(spec.weights, *spec.notes, sep="\n")
    print(f"Results: {spec.folder(root)}", flush=True)
    report = run_by_options(args, sequences, spec, root)
    print_report(report)
    print_scores(
        sequences,
        [(spec.label, report)],
        root,
        compare=args.compare,
        protocol=args.protocol,
        allow_missing=args.allow_missing,
        per_sequence=args.per_sequence,
    )
    return print_failures([report])


def _show(
    args: argparse.Namespace,
    debugging: Debugging,
    dataset: str,
    sequences: "List[Sequence]",
    spec: "TrackerSpec",
) -> int:
    """Run sequences to be looked at."""
    from ebm.outputs import Output, require_outputs
    from pytracking.analysis.run_report import count
    from pytracking.evaluation.shown import show_sequences

    names = [sequence.name for sequence in sequences]
    pages = debugging.pages(names)
    outputs = [Output(name="the page --debug-page", path=page) for page in pages]
    require_outputs(outputs, {**read_by_dataset(args, dataset), "the weights": spec.weights.files})
    print(spec.weights)
    if debugging.address:
        print(f"Look at {debugging.address}", flush=True)
    frames = show_sequences(sequences, spec, debugging)
    print(f"{count(len(names))} run, {frames} frames; results are not saved when they are looked at.")
    for page in pages:
        print(f"Page: {page}")
    return 0


def _require_usable(
    args: argparse.Namespace,
    dataset: str,
    sequences: "List[Sequence]",
    spec: "TrackerSpec",
    root: Path,
) -> None:
    """Refuse before hours of tracking what would be told after them."""
    from ebm.outputs import Output, require_outputs
    from pytracking.analysis.extract import shared_sequences
    from pytracking.analysis.gathering import gather_sources

    given = [wanted for wanted in args.compare if wanted != spec.label]  # which this run will give
    shared_sequences(sequences, gather_sources(given, root), args.allow_missing)
    require_outputs(
        [Output(name="the folder of results", path=spec.folder(root), folder=True)],
        {**read_by_dataset(args, dataset), "the weights": spec.weights.files},
    )


if __name__ == "__main__":
    sys.exit(main())
