"""Run every tracker of an experiment on every one of its datasets, and compare them in a table."""

import argparse
import sys
from collections.abc import Sequence as List
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import CommandParser, local_path, run_command, script_imports

with script_imports(__name__):
    from ltr.admin.workspace_option import add_workspace_option
    from pytracking.evaluation.command import (
        add_extent_options,
        add_machine_options,
        add_running_options,
        counting_number,
        results_root,
        run_by_options,
        tell,
    )

if TYPE_CHECKING:
    from pytracking.evaluation.data import Sequence
    from pytracking.evaluation.experiment import Experiment, Tracker
    from pytracking.evaluation.running import RunReport
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["build_parser", "main"]

_EXAMPLES = """examples:
  python pytracking/run_experiment.py myexperiments first_box
  python pytracking/run_experiment.py mine.py losses --threads 8
  python pytracking/run_experiment.py --trackers dimp/nce_plus atom/default=atom.pth.tar --datasets otb nfs

An experiment is a function without arguments of a Python file (MODULE or MODULE.py in the current folder,
or its path), of a module of pytracking.experiments, or of any that can be imported. It returns a list of
trackers, Tracker("dimp", "nce_plus") or "dimp/nce_plus", and a list of names of datasets.
Finished sequences are kept and not run again, also after an interruption.
exit codes: 0 all sequences have results, 1 some failed, 2 the input cannot be used, 130 interrupted."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="run_experiment.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("module", nargs="?", help="a Python file, or a module; see below")
    parser.add_argument("experiment", nargs="?", help="name of its function")
    parser.add_argument(
        "--trackers",
        nargs="+",
        action="extend",
        default=[],
        metavar="TRACKER",
        help="instead of a module: NAME/PARAMETERS or NAME/PARAMETERS=WEIGHTS",
    )
    parser.add_argument(
        "--datasets", nargs="+", action="extend", default=[], metavar="NAME", help="of these trackers"
    )
    parser.add_argument(
        "--runs", type=counting_number, metavar="N", help="repeat every tracker, and average the runs"
    )
    add_machine_options(parser)
    add_running_options(parser)
    add_extent_options(parser)
    add_workspace_option(parser)
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
    from pytracking.analysis.run_report import print_failures, print_scores

    protocol_for(args.protocol, "")
    experiment = _experiment(args)
    specs = [_spec(tracker, args) for tracker in experiment.trackers]  # what is missing is told at once
    root = results_root(args.results)
    _require_apart(experiment.trackers, specs, root)
    opened = {name: _opened(name, args) for name in experiment.datasets}
    _require_outputs(specs, list(opened), args, root)
    reports: list[RunReport] = []
    for name, sequences in opened.items():
        runs = []
        for tracker, spec in zip(experiment.trackers, specs, strict=True):
            runs.append((tracker.label, _track(name, sequences, tracker, spec, args, root)))
        print_scores(sequences, runs, root, protocol=args.protocol)
        reports += [report for _, report in runs]
    return print_failures(reports)


def _experiment(args: argparse.Namespace) -> "Experiment":
    from ebm.exceptions import InputError
    from pytracking.evaluation.experiment import (
        Experiment,
        get_dataset,
        parse_tracker,
        read_experiment,
        with_runs,
    )

    named = args.trackers or args.datasets
    if bool(args.module) == bool(named) or (args.module and not args.experiment):
        raise InputError(
            "An experiment is a module and the name of its function, or --trackers and --datasets: --help."
        )
    if args.module:
        found = read_experiment(args.module, args.experiment)
    elif args.trackers and args.datasets:
        found = Experiment(tuple(map(parse_tracker, args.trackers)), tuple(get_dataset(*args.datasets)))
    else:
        raise InputError("--trackers and --datasets go together.")
    chosen = dict.fromkeys(with_runs(found.trackers, args.runs))
    return replace(found, trackers=tuple(chosen), datasets=tuple(dict.fromkeys(found.datasets)))


def _opened(name: str, args: argparse.Namespace) -> "list[Sequence]":
    """The sequences of a dataset, which an experiment takes whole and from where it is configured."""
    from pytracking.evaluation.command_options import CommandOptions
    from pytracking.evaluation.datasets import open_dataset

    return open_dataset(
        name,
        allow_missing=args.allow_missing,
        scale=args.scale,
        tell=tell,
        options=CommandOptions(root=None, sequence=False),
    )


def _spec(tracker: "Tracker", args: argparse.Namespace) -> "TrackerSpec":
    from pytracking.evaluation.spec import make_spec

    return make_spec(
        tracker.name,
        tracker.parameter_name,
        checkpoint=None if tracker.checkpoint is None else local_path(str(tracker.checkpoint)),
        run_id=tracker.run_id,
        seed=args.seed,
        device=args.device,
        precision=args.precision,
    )


def _require_apart(trackers: "List[Tracker]", specs: "List[TrackerSpec]", root: Path) -> None:
    """Refuse what would go by one name in the table, or into one folder of results."""
    from ebm.exceptions import InputError

    places: dict[Path, str] = {}
    meant: dict[str, tuple[object, ...]] = {}
    for tracker, spec in zip(trackers, specs, strict=True):
        place = spec.folder(root)
        if place in places:
            raise InputError(f"{tracker.label} is there twice, also as {places[place]}; name it once.")
        places[place] = tracker.label
        what = (spec.tracker, spec.parameter, spec.checkpoint_digest)
        if meant.setdefault(tracker.label.casefold(), what) != what:
            raise InputError(
                f"Two trackers would go by the name {tracker.label} in the table; give one of them a "
                "display_name of its own."
            )


def _require_outputs(
    specs: "List[TrackerSpec]", datasets: List[str], args: argparse.Namespace, root: Path
) -> None:
    """Refuse before hours of tracking what would be told after them."""
    from ebm.outputs import Output, require_outputs
    from pytracking.evaluation.datasets import find_root

    places = dict.fromkeys(spec.folder(root) for spec in specs)
    read = {f"the data set {name}": find_root(name, scale=args.scale, progress=False) for name in datasets}
    weights = [file for spec in specs for file in spec.weights.files]
    outputs = [Output(name="the folder of results", path=place, folder=True) for place in places]
    require_outputs(outputs, {**read, "the weights": weights})


def _track(
    dataset: str,
    sequences: "List[Sequence]",
    tracker: "Tracker",
    spec: "TrackerSpec",
    args: argparse.Namespace,
    root: Path,
) -> "RunReport":
    from pytracking.analysis.run_report import print_report

    run = "" if tracker.run_id is None else f", run {tracker.run_id}"
    told = "\n".join((str(spec.weights), *spec.notes))
    print(f"\n== {tracker.label}{run} on {dataset}\n{told}\nResults: {spec.folder(root)}", flush=True)
    report = run_by_options(args, sequences, spec, root)
    print_report(report)
    return report


if __name__ == "__main__":
    sys.exit(main())
