"""Time a tracker on this machine, stage by stage: decode, crop, backbone, classify, refine, update."""

import argparse
import sys
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import CommandParser, local_path, run_command, script_imports

with script_imports(__name__):
    from pytracking.evaluation.asked_tracker import asked_spec
    from pytracking.evaluation.command import (
        add_dataset_options,
        add_tracker_options,
        counting_number,
        open_by_options,
        read_by_dataset,
        tell,
        whole_number,
    )

if TYPE_CHECKING:
    from pytracking.analysis.stage_times import StageTimes
    from pytracking.evaluation.spec import TrackerSpec

__all__ = ["build_parser", "main"]

_BUSY = 0.3  # of the cores, by others
_KEPT = (
    "tracker",
    "parameter",
    "config_hash",
    "precision",
    "decoder",
    "versions",
    "git_commit",
    "written",
)

_EXAMPLES = """examples:
  ebmtrack benchmark dimp nce_plus
  ebmtrack benchmark dimp nce_plus --dataset otb --sequence Crossing,Deer --frames 300 --json speed.json
  ebmtrack benchmark dimp nce_plus --device cuda --precision bf16

The device's queue is empty before and after every stage, so that the sum is a little more than a frame takes
without looking. Frames of the warm-up and initialisations are told apart. Run nothing beside it."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(
        prog="ebmtrack benchmark",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_tracker_options(parser)
    parser.add_argument(
        "--frames", type=counting_number, default=200, metavar="N", help="to time (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up",
        type=whole_number,
        default=10,
        metavar="N",
        help="of each sequence, before (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=whole_number, default=0, metavar="N", help="CPU threads (default: those it can use)"
    )
    parser.add_argument("--json", type=local_path, metavar="FILE", help="also write the figures there")
    add_dataset_options(parser)
    return parser


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, 2 for unusable input, 130 after Ctrl-C.
    """
    return run_command(build_parser(), _run, argv, interrupted="nothing was measured.")


def _run(args: argparse.Namespace) -> int:
    from ebm.devices import resolve_device
    from ebm.exceptions import InputError
    from ebm.outputs import Output, require_outputs
    from ebm.threads import core_limit, using_threads
    from pytracking.analysis.stage_times import load_of_others, measure_stages
    from pytracking.evaluation.results import write_json

    dataset, sequences = open_by_options(args, print)
    spec = asked_spec(args)
    if args.json is not None:
        output = Output(name="--json", path=args.json)
        require_outputs([output], {**read_by_dataset(args, dataset), "the weights": spec.weights.files})
    print(spec.weights, *spec.notes, sep="\n")
    device, threads, load = str(resolve_device(args.device)), args.threads or core_limit(), load_of_others()
    busy = load is not None and load > _BUSY
    with using_threads(threads):
        times = measure_stages(sequences, spec, device, frames=args.frames, warm_up=args.warm_up)
    if not times.frames:
        raise InputError("No sequence is longer than the warm-up; give longer ones, or a smaller --warm-up.")
    facts = _facts(spec, device, threads, load)
    print(_table(times, facts))
    if busy:
        tell(f"Others keep {load:.0%} of the cores busy: these are not the figures of an unshared run.")
    if args.json is not None:
        write_json(args.json, facts | {"shared": busy, "stages": _stages(times)})
    return 0


def _facts(spec: "TrackerSpec", device: str, threads: int, load: float | None) -> dict[str, Any]:
    """What a figure of speed is worth nothing without."""
    manifest = spec.manifest(device)
    return {key: manifest[key] for key in _KEPT} | {"device": device, "threads": threads, "load": load}


def _stages(times: "StageTimes") -> dict[str, Any]:
    from pytracking.analysis.stage_times import STAGES

    found = {stage: dict(zip(("p50_ms", "p95_ms"), times.quantiles(stage), strict=True)) for stage in STAGES}
    return found | {"frames": len(times.whole), "initialisations_s": times.first}


def _table(times: "StageTimes", facts: dict[str, Any]) -> str:
    """Milliseconds by stage, and frames per second of the median frame."""
    import numpy as np

    from pytracking.analysis.stage_times import STAGES
    from pytracking.analysis.tables import Table, format_table

    whole = times.whole * 1e3
    rows = [(stage, *(f"{value:.2f}" for value in times.quantiles(stage))) for stage in STAGES]
    low, high = np.quantile(whole, (0.5, 0.95))
    rows.append(("frame, without decode", f"{low:.2f}", f"{high:.2f}"))
    notes = (
        f"{len(whole)} frames, {1e3 / low:.1f} per second at p50; initialisation "
        f"{1e3 * float(np.median(times.first)):.1f} ms.",
        f"{facts['device']}, {facts['threads']} thread(s), {facts['precision']}, {facts['decoder']}.",
    )
    title = f"{facts['tracker']}/{facts['parameter']}: milliseconds a frame"
    return "\n" + format_table(Table(title, ("Stage", "p50", "p95"), tuple(rows), notes))


if __name__ == "__main__":
    sys.exit(main())
