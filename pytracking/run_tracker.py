"""Run a tracker on a dataset, save its results and show how good they are."""

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
        add_tracker_options,
        open_by_options,
        read_by_dataset,
        results_root,
        whole_number,
    )

if TYPE_CHECKING:
    from pytracking.evaluation.data import Sequence
    from pytracking.evaluation.running import RunReport
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  python pytracking/run_tracker.py dimp nce_plus --dataset generated
  python pytracking/run_tracker.py atom default --dataset otb --root /data/OTB100
  python pytracking/run_tracker.py dimp nce_plus --dataset otb --root /data/OTB100 --sequence Crossing
  python pytracking/run_tracker.py dimp nce_plus --dataset lasot --threads 8 --runid 0
  python pytracking/run_tracker.py dimp nce_plus_small --dataset otb --compare dimp/nce_plus ATOM=results/ATOM

Finished sequences are kept and not run again, also after an interruption. Results lie in
<workspace>/tracking_results/<tracker>/<parameters>[_<run>]-<hash of parameters, weights and seed>/.
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
    parser.add_argument(
        "--threads",
        type=whole_number,
        default=0,
        metavar="N",
        help="CPU threads: N > 1 runs N sequences at a time, each in a process with one thread, untimed; 1 "
        "runs all in this one with one thread; 0 too, with as many as the network can use (default: 0)",
    )
    parser.add_argument("--rerun", action="store_true", help="run finished sequences again")
    parser.add_argument("--results", type=local_path, metavar="DIR", help="where result folders are written")
    add_dataset_options(parser)
    group = parser.add_argument_group("evaluation")
    group.add_argument(
        "--compare",
        action="extend",
        nargs="+",
        default=[],
        metavar="RESULTS",
        help="show beside it: TRACKER/PARAM, a folder of results, LABEL=FOLDER; first_box is always there",
    )
    group.add_argument(
        "--protocol",
        default="pytracking",
        help="rule of the evaluation: pytracking or otb (default: %(default)s)",
    )
    group.add_argument("--per-sequence", action="store_true", help="also print a row for each sequence")
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
    from tqdm import tqdm

    from pytracking.analysis.protocols import protocol_for
    from pytracking.evaluation.running import run_dataset
    from pytracking.evaluation.spec import make_spec
    from pytracking.parameter import find_parameters

    find_parameters(args.tracker, args.parameter)  # a wrong name is told before anything is read
    protocol_for(args.protocol, "")
    dataset, sequences = open_by_options(args, print)
    spec = make_spec(
        args.tracker,
        args.parameter,
        checkpoint=args.checkpoint,
        weights=args.weights,
        run_id=args.run_id,
        seed=args.seed,
        device=args.device,
        compat=args.compat,
    )
    root = results_root(args.results)
    _require_usable(args, dataset, sequences, spec, root)
    print(spec.weights)
    print(f"Results: {spec.folder(root)}", flush=True)
    report = run_dataset(
        sequences, spec, results_root=root, workers=args.threads, rerun=args.rerun, say=tqdm.write
    )
    _print_report(report)
    _print_scores(args, sequences, spec, report, root)
    return _print_failures(report)


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


def _print_report(report: "RunReport") -> None:
    ran = [outcome for outcome in report.outcomes if outcome.error is None]
    if report.reused:
        print(f"{_count(len(report.reused))} finished before and kept (--rerun runs them again).")
    if ran:
        frames = sum(outcome.frames for outcome in ran)
        speed = f" at {report.fps:.1f} frames per second (tracker alone)" if report.fps else ", not timed"
        print(f"{_count(len(ran))} run, {frames} frames{speed}.")


def _count(sequences: int) -> str:
    return f"{sequences} sequence{'' if sequences == 1 else 's'}"


def _print_scores(
    args: argparse.Namespace,
    sequences: "List[Sequence]",
    spec: "TrackerSpec",
    report: "RunReport",
    root: Path,
) -> None:
    """A table of this tracker, those compared with, and the first box; over the sequences with results."""
    from pytracking.analysis.extract import evaluate
    from pytracking.analysis.gathering import gather_sources
    from pytracking.analysis.metrics import has_ground_truth
    from pytracking.analysis.sources import FirstBoxSource, FolderSource
    from pytracking.analysis.tables import format_table, per_sequence_table, score_table
    from pytracking.evaluation.results import ResultFolder

    finished = set(report.finished)
    done = [sequence for sequence in sequences if sequence.name in finished]
    if not done:
        return
    if not all(has_ground_truth(sequence.ground_truth) for sequence in done):
        print("Only the first frames are annotated: the benchmark's server scores these results.")
        return
    sources = gather_sources(args.compare, root, [FolderSource(spec.label, ResultFolder(report.folder))])
    if spec.tracker != "first_box" and all(not isinstance(source, FirstBoxSource) for source in sources):
        sources.append(FirstBoxSource())
    evaluation = evaluate(done, sources, rule=args.protocol, allow_missing=args.allow_missing)
    print(f"\n{format_table(score_table(evaluation))}")
    if args.per_sequence:
        print(f"\n{format_table(per_sequence_table(evaluation))}")


def _print_failures(report: "RunReport") -> int:
    if not report.failed:
        return 0
    total = len(report.outcomes) + len(report.reused)
    print(f"\n{len(report.failed)} of {_count(total)} failed:", file=sys.stderr)
    for error in report.failed.values():
        print(f"  error: {error}", file=sys.stderr)
    print("Results of the others are kept; the same command runs the failed ones again.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
