"""Command: draw generated sets into a folder, or a contact sheet."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

from ebm.command import CommandParser, local_path, run_command
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs

__all__ = ["main"]


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack generate",
        description="Draw tracking videos with exact boxes, in the on-disk layouts of the real data sets.",
        epilog="Full sets at 640 x 480 and above: 'full' training needs about 9 GB, the test set about 3 GB.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=local_path, metavar="DIR", help="write sets below DIR/generated")
    what.add_argument(
        "--contact-sheet", type=local_path, metavar="FILE", help="write one picture of 24 frames with boxes"
    )
    parser.add_argument(
        "--kind", choices=("train", "test", "both"), default="both", help="which sets (default: both)"
    )
    parser.add_argument("--scale", default="demo", help="tiny, demo or full (default: demo)")
    parser.add_argument(
        "--videos", type=int, metavar="N", help="training videos, instead of the scale's number"
    )
    parser.add_argument("--images", type=int, metavar="N", help="COCO images, instead of the scale's number")
    parser.add_argument("--sequences", type=int, metavar="N", help="test sequences in each layout, likewise")
    parser.add_argument("--size", metavar="WxH", help="frame size in px, instead of the scale's")
    parser.add_argument("--length", metavar="A-B", help="frames per video, instead of the scale's")
    parser.add_argument("--seed", type=int, help="another seed gives other videos")
    parser.add_argument(
        "--focus",
        metavar="TOPICS",
        help="what test sequences are about, with commas: out_of_view, occlusion, distractors, small, ...",
    )
    parser.add_argument(
        "--textures", type=local_path, metavar="DIR", help="your photographs, used as surfaces and grounds"
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: all cores)")
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=True, help="progress bars"
    )
    return parser


def _pair(text: str, separator: str, option: str) -> tuple[int, int]:
    first, _, second = text.lower().partition(separator)
    if not (first.isdigit() and second.isdigit()) or int(first) == 0 or int(second) == 0:
        raise InputError(f"{option} {text}: expected two whole numbers like 320{separator}240.")
    return int(first), int(second)


def _write_sets(args: argparse.Namespace) -> None:
    from ltr.dataset.generated.plans import adapted_plan
    from ltr.dataset.generated.workspace import ensure_generated

    require_outputs(
        [Output(name="--out", path=args.out / "generated", folder=True, owned=True)],
        {"the photographs --textures": args.textures},
    )
    for kind in ("train", "test") if args.kind == "both" else (args.kind,):
        plan = adapted_plan(
            kind,
            args.scale,
            videos=args.videos,
            images=args.images,
            sequences=args.sequences,
            size=_pair(args.size, "x", "--size") if args.size else None,
            length=_pair(args.length, "-", "--length") if args.length else None,
            seed=args.seed,
            focus=tuple(args.focus.split(",")) if args.focus else (),
        )
        start = time.perf_counter()
        roots = ensure_generated(
            args.out, kind, args.scale, args.workers, args.progress, textures=args.textures, plan=plan
        )
        took = time.perf_counter() - start
        for layout, root in roots.items():
            print(f"{kind:5}  {layout:12} {root}")
        print(f"{kind:5}  ready after {took:.1f} s")


def _write_sheet(args: argparse.Namespace) -> None:
    from ltr.dataset.generated.config import TRAIN_SCENE
    from ltr.dataset.generated.photos import find_photos
    from ltr.dataset.generated.sheet import contact_sheet

    require_outputs(
        [Output(name="--contact-sheet", path=args.contact_sheet)],
        {"the photographs --textures": args.textures},
    )
    size = _pair(args.size, "x", "--size") if args.size else (320, 240)
    length = _pair(args.length, "-", "--length") if args.length else TRAIN_SCENE.length
    scene = replace(TRAIN_SCENE, frame_sizes=(size,), length=length)
    file = contact_sheet(
        args.contact_sheet, seed=args.seed or 0, scene=scene, photos=find_photos(args.textures)
    )
    print(f"{file}  {file.stat().st_size / 1000:.0f} kB")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(build_parser(), _run, argv, interrupted="nothing unfinished was kept.")


def _run(args: argparse.Namespace) -> int:
    (_write_sets if args.out is not None else _write_sheet)(args)
    return 0
