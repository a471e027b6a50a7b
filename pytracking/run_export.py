"""Command: write a trained network as safetensors and JSON, or a whole tracker as ONNX graphs."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ebm.command import CommandParser, local_path, run_command
from ebm.outputs import Output, require_outputs

__all__ = ["main"]

EXAMPLES = """\
examples:
  ebmtrack export onnx atom nce_plus_lite --out tracker
      a folder with the graphs of a tracker and tracker.json, which says what they are; of installed weights
  ebmtrack export onnx dimp nce_plus_small --checkpoint DiMPnet_ep0050.pth.tar --out other
  ebmtrack video atom nce_plus_lite clip.mp4 --box 120,80,60,90 --engine onnx --checkpoint tracker
      run it in ONNX Runtime; torch is not loaded

Every graph is run by ONNX Runtime and compared with torch before the folder is written. A folder of the name
onnx that holds checkpoints is exported as ./onnx.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Export a checkpoint, or, if the first argument is ``onnx``, a tracker.

    Args:
        argv: the arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, or 2 if the checkpoint cannot be read or exported, or the files cannot be written.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["onnx"]:
        return run_command(_parser(), _export, arguments[1:])
    from ltr.export import main as export_network

    return export_network(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="ebmtrack export onnx",
        description="Write a tracker as ONNX graphs that ONNX Runtime tracks with, without torch.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tracker", help="name of the tracker: dimp or atom")
    parser.add_argument("parameter", help="name of its parameter set, e.g. nce_plus_lite")
    parser.add_argument(
        "--checkpoint",
        type=local_path,
        metavar="FILE",
        help="weights file, or a folder whose newest is taken; otherwise where a tracker finds its own",
    )
    parser.add_argument(
        "--weights",
        choices=("auto", "net", "net_ema"),
        default="auto",
        help="of the last training step (net), averaged over the run (net_ema), or averaged if there are any",
    )
    parser.add_argument(
        "--out", type=local_path, required=True, metavar="DIR", help="the folder that is written"
    )
    return parser


def _export(options: argparse.Namespace) -> int:
    from ebm.integrity.checksums import sha256_of
    from pytracking.exported.write import require_exportable, write_tracker
    from pytracking.parameter import find_parameters
    from pytracking.utils.loading import find_weights, load_tracking_network

    params = require_exportable(options.tracker, find_parameters(options.tracker, options.parameter))
    weights = find_weights(params, options.checkpoint, options.weights)
    require_outputs(
        [Output(name="the folder --out", path=options.out, folder=True)], {"the weights": weights.files}
    )
    print(weights, flush=True)
    network = load_tracking_network(weights, options.tracker)
    path = weights.path
    assert path is not None  # a set that can be exported needs a network
    source = {"source": path.name, "sha256": sha256_of(path), "weights": weights.weights}
    there = next(folder for folder in (options.out, *options.out.absolute().parents) if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix=".export-", dir=there) as part:
        made = write_tracker(
            Path(part),
            network,
            params,
            tracker=options.tracker,
            parameter=options.parameter,
            source=source,
            say=_tell,
        )
        _move(Path(part), options.out)
    print(
        f"{options.out}: {len(made)} graphs, {sum(w.size for w in made) / 2**20:.1f} MiB; largest difference "
        f"from torch {max(w.difference / (1 + w.largest) for w in made):.1e} of the largest value."
    )
    return 0


def _tell(written: object) -> None:
    print(written, flush=True)


def _move(made: Path, out: Path) -> None:
    """The files of a folder into another one, the description last: without it the graphs are no tracker."""
    from pytracking.exported.names import DESCRIPTION

    out.mkdir(parents=True, exist_ok=True)
    (out / DESCRIPTION).unlink(missing_ok=True)
    for file in sorted(made.iterdir(), key=lambda file: file.name == DESCRIPTION):
        file.replace(out / file.name)


if __name__ == "__main__":
    sys.exit(main())
