"""Command: write the network of a checkpoint as safetensors and JSON, without the state of its training."""

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
  ebmtrack export runs/checkpoints/ltr/dimp/dimp_nce_plus --out exported
      the newest checkpoint in the folder
  ebmtrack export DiMPnet_ep0050.pth.tar --out exported --weights net
      the weights of the last step, where averaged ones are stored as well
  ebmtrack export onnx --help
      a whole tracker for ONNX Runtime, which then needs no torch

The two files are read wherever a checkpoint is, e.g. with --checkpoint exported/DiMPnet_ep0050.safetensors.
"""


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="ebmtrack export",
        description="Write the network of a checkpoint as .safetensors (weights) and .json (what they are).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=local_path, help="a checkpoint, or a folder of them")
    parser.add_argument("--out", type=local_path, required=True, metavar="DIR", help="where the two files go")
    parser.add_argument(
        "--weights",
        choices=("auto", "net", "net_ema"),
        default="auto",
        help="of the last step (net), averaged over the run (net_ema), or averaged if there are any (auto)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Export one checkpoint.

    Args:
        argv: the arguments; ``sys.argv[1:]`` where left out.

    Returns: 0, or 2 if the checkpoint cannot be read or the files cannot be written.
    """
    return run_command(_parser(), _export, argv)


def _export(options: argparse.Namespace) -> int:
    from ltr.admin.exported import export_files, write_export
    from ltr.admin.loading import latest_checkpoint, load_network, read_checkpoint

    given = options.checkpoint
    path = latest_checkpoint(given) if given.is_dir() else given
    fields = read_checkpoint(path)
    require_outputs(
        [Output(name="the export --out", path=file) for file in export_files(options.out, fields)],
        {"the checkpoint": (path, path.with_suffix(".json"))},
    )
    there = next(folder for folder in (options.out, *options.out.absolute().parents) if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix=".export-", dir=there) as part:
        made = write_export(Path(part), fields, path.name, options.weights)
        net, fields = load_network(made)  # an export that does not load must not replace one that does
        written = options.out / made.name
        options.out.mkdir(parents=True, exist_ok=True)
        made.with_suffix(".json").replace(written.with_suffix(".json"))
        made.replace(written)
    size = written.stat().st_size / 2**20
    count = sum(p.numel() for p in net.parameters()) / 1e6
    print(
        f"{written} ({size:.1f} MiB, {count:.2f} M parameters, epoch {fields['epoch']}, {fields['weights']})"
    )
    print(written.with_suffix(".json"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
