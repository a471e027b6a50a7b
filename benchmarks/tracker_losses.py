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
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from box_study.command import chosen_losses, guarded, study_parser
from box_study.figures import comparison_figure, sweep_figure
from box_study.jobs import carry_out
from box_study.plan import BUDGET, QUICK, SMALL, SWEEP_BUDGET, Budget, Run, comparison, sweep
from box_study.report import comparison_tables, sweep_table
from box_study.rows import Row, Store
from box_study.training import Workplace


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = study_parser(
        __doc__,
        Path("runs/tracker_losses"),
        csv="STUDY.csv",
        quick="tiny data, two steps: whether everything works",
    )
    parser.add_argument("study", choices=("compare", "sweep"))
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
    parser.add_argument("--start-samples", type=int, help="training samples of the start")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run, print, draw; 2 for bad input."""
    return guarded(build_parser(), _study, argv)


def _study(args: argparse.Namespace) -> Iterator[str]:
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
        yield "no results yet"
        return
    if args.study == "compare":
        yield comparison_tables(rows, args.markdown)
    else:
        for noise in noises:
            yield f"training labels with noise {noise:g}"
            yield sweep_table([row for row in rows if row.noise == noise], SMALL, args.markdown)
    if args.figure is not None:
        draw = comparison_figure if args.study == "compare" else sweep_figure
        yield str(draw(rows, args.figure))


def _budget(args: argparse.Namespace) -> Budget:
    budget = BUDGET if args.study == "compare" else SWEEP_BUDGET
    budget = QUICK if args.quick else budget
    return replace(
        budget,
        samples=args.samples or budget.samples,
        start_samples=args.start_samples or budget.start_samples,
    )


def _runs(args: argparse.Namespace, noises: list[float], seeds: list[int]) -> list[Run]:
    losses = chosen_losses(args.losses)
    if args.study == "compare":
        return list(comparison(losses, noises, seeds, args.set))
    return [run for noise in noises for run in sweep(noise, seeds)]


if __name__ == "__main__":
    sys.exit(main())
