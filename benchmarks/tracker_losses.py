"""Box losses compared in a tracker on generated videos, with exact and with noisy training labels.

    python benchmarks/tracker_losses.py compare --processes 3
    python benchmarks/tracker_losses.py sweep --processes 3
    python benchmarks/tracker_losses.py compare --quick

``compare``: IoU regression (as ATOM*), ML-IS, KLD-IS, NCE, NCE+ and CNCE train the box branch of the small
DiMP network from one start per seed, with the same samples in the same order and the same number of steps.
Measured against exact boxes: the mean overlap of refined boxes on held-out frames, the AUC of the tracker on
test videos. ``sweep``: NCE+ in the whole setting dimp_nce_plus_small, one of its values changed at a time.
Every run is a row of the CSV file as soon as it ends; a second call does what is missing.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from box_study.figures import comparison_figure, sweep_figure
from box_study.jobs import carry_out
from box_study.plan import BUDGET, LOSSES, QUICK, SMALL, SWEEP_BUDGET, Budget, Run, comparison, sweep
from box_study.report import comparison_tables, sweep_table
from box_study.rows import Row, Store
from box_study.training import Workplace

from ebm.exceptions import EBMError
from ebm.lookup import lookup


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=("compare", "sweep"))
    parser.add_argument("--losses", default=",".join(LOSSES), help="of compare (default: all six)")
    parser.add_argument(
        "--labels",
        help="noise of the training labels, relative to the box; 0: exact (default: 0,0.1; sweep: 0)",
    )
    parser.add_argument("--seeds", type=int, help="seeds, from 0 on (default: 3; sweep: 2)")
    parser.add_argument(
        "--set",
        default="",
        metavar="KEY=VALUE",
        help="one other field of the setting in all runs of compare, e.g. optimiser.groups.0.lr=1e-3",
    )
    parser.add_argument("--processes", type=int, default=2, help="single-threaded processes")
    parser.add_argument("--samples", type=int, help="training samples of a run")
    parser.add_argument("--start-samples", type=int, help="training samples of the start")
    parser.add_argument("--folder", type=Path, default=Path("runs/tracker_losses"), help="data and networks")
    parser.add_argument("--csv", type=Path, help="results (default: FOLDER/STUDY.csv)")
    parser.add_argument("--figure", type=Path, help="draw the results into this PNG (needs matplotlib)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    parser.add_argument("--quick", action="store_true", help="tiny data, two steps: whether everything works")
    parser.add_argument("--report", action="store_true", help="only print what the CSV file holds")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run, print, draw; 2 for bad input."""
    args = build_parser().parse_args(argv)
    try:
        return _main(args)
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _main(args: argparse.Namespace) -> int:
    budget = _budget(args)
    labels, seeds = ("0,0.1", 3) if args.study == "compare" else ("0", 2)
    noises = [float(text) for text in (args.labels or labels).split(",")]
    runs = _runs(args, noises, list(range(args.seeds or seeds)))
    folder = args.folder.resolve()
    store = Store(args.csv or folder / f"{args.study}.csv", budget, Row)
    if not args.report:
        place = Workplace(folder=folder, budget=budget)
        carry_out(runs, place, store, args.processes, lambda line: print(line, flush=True))
    rows = store.select(runs)
    if not rows:
        print("no results yet")
        return 0
    if args.study == "compare":
        print(comparison_tables(rows, args.markdown))
    else:
        for noise in noises:
            print(f"training labels with noise {noise:g}")
            print(sweep_table([row for row in rows if row.noise == noise], SMALL, args.markdown))
    if args.figure is not None:
        draw = comparison_figure if args.study == "compare" else sweep_figure
        print(draw(rows, args.figure))
    return 0


def _budget(args: argparse.Namespace) -> Budget:
    budget = BUDGET if args.study == "compare" else SWEEP_BUDGET
    budget = QUICK if args.quick else budget
    return replace(
        budget,
        samples=args.samples or budget.samples,
        start_samples=args.start_samples or budget.start_samples,
    )


def _runs(args: argparse.Namespace, noises: list[float], seeds: list[int]) -> list[Run]:
    losses = args.losses.split(",")
    for loss in losses:
        lookup("loss", loss, LOSSES)
    if args.study == "compare":
        return list(comparison(losses, noises, seeds, args.set))
    return [run for noise in noises for run in sweep(noise, seeds)]


if __name__ == "__main__":
    sys.exit(main())
