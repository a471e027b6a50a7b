"""``ebmtrack detect evaluate``: COCO's scores of any results file, or of two side by side."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import CommandParser, local_path, run_command
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.arguments import add_resample

if TYPE_CHECKING:
    from ebm.scores.tables import Table

__all__ = ["build_parser", "main"]

_EXAMPLES = """\
examples:
  ebmtrack detect evaluate refined.json --annotations annotations/instances_val2017.json
  ebmtrack detect evaluate refined.json --before results.json --annotations instances_val2017.json
      both side by side, with what the boxes have gained
  ebmtrack detect evaluate refined.json --before results.json --annotations instances_val2017.json --resample
      and between which ends the gain would lie, had other pictures been taken (95 %, paired bootstrap)
  ebmtrack detect evaluate refined.json --annotations voc2007/ --split test --per-class --out scores
      annotations of Pascal VOC or YOLO; a row for each category; CSV, Markdown and LaTeX in scores/

RESULTS is a list of objects with image_id, category_id, bbox (x, y, width, height in px) and score, as any
detector writes it. Rows that cannot be read are left out and named on standard error; the exit code is then
1. Boxes without area or outside their picture are named and scored, as COCO's own tools do.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = CommandParser(
        prog="ebmtrack detect evaluate",
        description="Score detections as COCO does: AP, AP50, AP75, AP90, and AP of small, medium and large.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=local_path, metavar="RESULTS", help="results file in COCO's form")
    parser.add_argument(
        "--annotations",
        type=local_path,
        required=True,
        metavar="FILE",
        help="instances json in the manner of COCO, or a folder of COCO, Pascal VOC or YOLO",
    )
    parser.add_argument("--split", help="part of a folder, e.g. val")
    parser.add_argument(
        "--before", type=local_path, metavar="OTHER", help="results to compare with, e.g. before refinement"
    )
    add_resample(parser, 1000, "also between which ends 95 %% of the scores, or of the gains, lie")
    parser.add_argument("--per-class", action="store_true", help="print a row for each category, too")
    parser.add_argument(
        "--out", type=local_path, metavar="DIR", help="write both tables there, as CSV, Markdown and LaTeX"
    )
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "latex", "csv"),
        default="text",
        help="of the printed tables (default: %(default)s)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where rows were left out; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    return run_command(build_parser(), _evaluate, argv)


def _evaluate(args: argparse.Namespace) -> int:
    from ebm.tasks.detection.data.opening import has_splits, open_detection_set
    from ebm.tasks.detection.problems import tell_left_out
    from ebm.tasks.detection.resampling import resampled_scores
    from ebm.tasks.detection.results_file import read_detections
    from ebm.tasks.detection.score_tables import category_table, score_table
    from ebm.tasks.detection.scoring import score_detections

    files = {"before": args.before, "after": args.results}
    if args.out is not None:
        results = [file for file in files.values() if file is not None]
        inputs = {"a file of results": results, "the annotations": args.annotations}
        require_outputs(_outputs(args.out), inputs)
    if args.split is not None and args.annotations.is_file() and not has_splits(args.annotations):
        raise InputError(f"{args.annotations} is one file, of one part: leave --split out.")
    truth, left_out = open_detection_set(args.annotations, args.split, require_pictures=False)
    faults = {str(args.annotations): left_out}
    found = {}
    for name, file in files.items():
        if file is not None:
            own, faults[str(file)] = read_detections(file, truth, to_score=True, progress=True)
            found[name if args.before else file.name] = own
    named = {name: score_detections(own, truth) for name, own in found.items()}
    drawn = None if args.resample is None else resampled_scores(found, truth, args.resample, progress=True)
    tables: dict[str, Callable[..., Table]] = {"scores": partial(score_table, drawn=drawn)}
    tables["categories"] = category_table
    printed = list(tables) if args.per_class else ["scores"]
    print("\n\n".join(_formatted(tables[name](named), args.format) for name in printed))
    if args.out is not None:
        for name, made in tables.items():
            _write(args.out / name, made(named), made(named, 4))
        print(f"scores and categories, as .csv, .md and .tex, are in {args.out}", file=sys.stderr)
    return tell_left_out(faults)


def _outputs(folder: Path) -> Iterator[Output]:
    for name in ("scores", "categories"):
        for suffix in (".csv", ".md", ".tex"):
            yield Output(name="--out", path=folder / f"{name}{suffix}")


def _formatted(table: "Table", style: str) -> str:
    made = {"text": table.__str__, "markdown": table.markdown, "latex": table.latex, "csv": table.csv}
    return made[style]().rstrip("\n")


def _write(place: Path, table: "Table", exact: "Table") -> None:
    from ebm.files import write_atomic

    write_atomic(place.with_suffix(".csv"), exact.csv())
    write_atomic(place.with_suffix(".md"), table.markdown())
    write_atomic(place.with_suffix(".tex"), table.latex())


if __name__ == "__main__":
    raise SystemExit(main())
