"""The command: a short demo with the installed weights, or a long one that trains from nothing."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ebm.command import CommandParser, local_path, run_command
from ebm.exceptions import InputError
from ebm.threads import available_cores

__all__ = ["build_parser", "main"]

EXAMPLES = """\
examples:
  ebmtrack demo                      a real clip, success plots, a video, a density; a minute of fine-tuning
  ebmtrack demo --workspace /tmp/demo
  ebmtrack demo --train-time 5m
  ebmtrack demo --from-scratch       train a small network from nothing, about ten minutes, and measure it
  ebmtrack demo --from-scratch --scale tiny --epochs 1 --samples 32     a quick look whether it works

Every step keeps what it has finished; a second call only prints the result."""


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments; importing nothing heavy."""
    parser = CommandParser(
        prog="ebmtrack demo",
        description="Track a real clip with the weights that are installed, show what the tracker knows and "
        "how it is trained, in minutes on a CPU and offline.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--workspace",
        type=local_path,
        metavar="DIR",
        help="where everything is written (default: as configured, else ./runs)",
    )
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one a core)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--samples", type=int, help="samples of training, an epoch (default: see below)")
    parser.add_argument(
        "--train-time", metavar="TIME", help="of fine-tuning, e.g. 90s (default: 60s, or --samples if fewer)"
    )
    parser.add_argument(
        "--scale",
        choices=("tiny", "short", "demo", "full"),
        help="of the generated videos (default: short; demo from scratch)",
    )
    parser.add_argument(
        "--from-scratch", action="store_true", help="train, track and evaluate without the installed weights"
    )
    parser.add_argument("--epochs", type=int, help="of --from-scratch (default: as the setting says)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0 when it went through, 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(
        build_parser(), _run, argv, interrupted="what is finished is kept; the same command goes on."
    )


def _run(args: argparse.Namespace) -> int:
    from ltr.admin.environment import workspace

    place = Path(os.path.realpath(args.workspace or workspace()))
    workers = args.workers or available_cores()
    if args.from_scratch:
        if args.train_time is not None:
            raise InputError(
                "--train-time is of fine-tuning; --from-scratch trains by --epochs and --samples."
            )
        from pytracking.demo.scratch import DemoOptions, run_demo

        options = DemoOptions(
            workspace=place,
            scale=args.scale or "demo",
            epochs=args.epochs,
            samples=args.samples,
            workers=workers,
            device=args.device,
        )
        return run_demo(options)
    if args.epochs is not None:
        raise InputError("--epochs goes with --from-scratch; fine-tuning takes --train-time or --samples.")
    from pytracking.demo.short import ShortOptions, run_short_demo

    return run_short_demo(
        ShortOptions(
            workspace=place / "demo",  # apart: it trains a setting that may have been trained in earnest
            scale=args.scale or "short",
            samples=args.samples,
            train_time=args.train_time or "60s",
            workers=workers,
            device=args.device,
        )
    )
