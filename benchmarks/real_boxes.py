"""Box losses compared on real labels: photos and videos, the light network's box branch on kept features.

    EBMTRACK_PHOTOS=... EBMTRACK_VIDEOS=... python benchmarks/real_boxes.py --folder runs/real_boxes
    python benchmarks/real_boxes.py --report --markdown

IoU regression (as ATOM*), ML-IS, KLD-IS, NCE, NCE+ and CNCE train the box branch of
``bbreg/atom_nce_plus_lite`` from one start a seed, on the same samples in the same order. Measured: the
mean overlap of refined boxes with the labels of photos and videos that are held out by name. The backbone
is frozen, so that its features are computed once and kept in the folder (1.7 GB); boxes are drawn anew for
every step. Every run is a row of the CSV file as soon as it ends; a second call does what is missing.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import torch
from box_study.cached_training import RealWorkplace, execute_real
from box_study.command import chosen_losses, guarded, study_parser
from box_study.figures import real_figure
from box_study.real import QUICK, RealBudget, RealRow, RealRun, real_runs, real_table
from box_study.rows import Store


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = study_parser(
        __doc__,
        Path("runs/real_boxes"),
        csv="real_boxes.csv",
        quick="two steps: whether everything works",
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds, from 0 on")
    parser.add_argument(
        "--backbone-weights", type=Path, metavar="FILE", help="ImageNet weights of the backbone"
    )
    parser.add_argument(
        "--scale", default="demo", choices=("tiny", "demo", "full"), help="of the drawn videos"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run, print, draw; 2 for bad input."""
    return guarded(build_parser(), _study, argv)


def _study(args: argparse.Namespace) -> Iterator[str]:
    budget = QUICK if args.quick else RealBudget()
    budget = replace(budget, samples=args.samples or budget.samples)
    runs = list(real_runs(chosen_losses(args.losses), range(args.seeds)))
    folder = args.folder.resolve()
    store = Store(args.csv or folder / "real_boxes.csv", budget, RealRow)
    if not args.report:
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        _carry_out(args, runs, store, budget, folder)
    rows = store.select(runs)
    if not rows:
        yield "no results yet"
        return
    yield real_table(rows, args.markdown)
    if args.figure is not None:
        yield str(real_figure(rows, args.figure))


def _carry_out(
    args: argparse.Namespace, runs: list[RealRun], store: Store[RealRow], budget: RealBudget, folder: Path
) -> None:
    def say(line: str) -> None:
        print(line, flush=True)

    place = RealWorkplace(
        folder=folder, budget=budget, weights=args.backbone_weights, scale=args.scale, say=say
    )
    for run in store.missing(runs):
        row = execute_real(run, place)
        store.add(row)
        say(
            f"{run.loss} seed {run.seed}: photos {row.start_photos:.3f} -> {row.photos:.3f}, videos "
            f"{row.start_videos:.3f} -> {row.videos:.3f}, step {row.step_length:g}, loss "
            f"{row.training_loss:.3f}, {row.seconds:.0f} s"
        )


if __name__ == "__main__":
    sys.exit(main())
