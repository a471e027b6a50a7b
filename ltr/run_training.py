"""Command: train a network by the name of its train setting."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # the packages beside this file, whatever else of these names is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ebm.command import (
    CommandParser,
    counting_number,
    local_path,
    run_command,
    script_imports,
    whole_number,
)

with script_imports(__name__):
    from ltr.admin.workspace_option import add_workspace_option

__all__ = ["build_parser", "main"]

EXAMPLES = """\
examples:
  python ltr/run_training.py dimp dimp_nce_plus
      the paper's DiMP-NCE+; on generated data where no data set is configured
  python ltr/run_training.py dimp dimp_nce_plus_small --epochs 3
      a small network that a CPU trains in minutes
  python ltr/run_training.py dimp dimp_nce_plus --datasets lasot,got10k --batch-size 10
      some of the data sets, smaller batches
  python ltr/run_training.py dimp dimp_nce_plus --set box.beta=0.2 --set box.num_samples=256 --show
      every field of the setting, what was changed marked; without --show, train so
  python ltr/run_training.py dimp dimp_nce_plus --epochs 1 --samples 40 --batch-size 2
      a quick look whether everything works
  python ltr/run_training.py dimp dimp_nce_plus --precision bf16 --dry-run
      three steps: memory and time that the run will need
  python ltr/run_training.py bbreg atom_nce_plus_lite --init-weights FILE --datasets folder:PATH \\
      --set network.still_norms=True
      fine-tune a network on videos of your own; its batch norms keep their statistics
  torchrun --nproc-per-node 4 ltr/run_training.py dimp dimp_nce_plus
      the same run on four GPUs of one machine; --nnodes and --rdzv-endpoint for more machines

Running the command again goes on from the newest checkpoint. Ctrl-C stops after a checkpoint.
"""


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known_settings() -> str:
    """The settings by module, read from file names alone, since the help must not load torch."""
    folder = Path(__file__).parent / "train_settings"
    names = [f"{file.parent.name} {file.stem}" for file in sorted(folder.glob("*/[!_]*.py"))]
    return "settings: " + ", ".join(names)


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments; importing nothing heavy."""
    parser = CommandParser(
        prog="run_training.py",
        description="Train a network by the name of its train setting.",
        epilog=f"{_known_settings()}\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("module", help="group of train settings, e.g. dimp")
    parser.add_argument("name", help="train setting, e.g. dimp_nce_plus")
    _add_recipe_options(parser.add_argument_group("what is trained (default: as the setting says)"))
    files = parser.add_argument_group("what it reads and writes")
    _add_start_options(files)
    _add_file_options(files)
    _add_run_options(parser.add_argument_group("how it runs"))
    _add_loading_options(parser.add_argument_group("how it loads data"))
    return parser


def _add_recipe_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epochs", type=counting_number, metavar="N", help="epochs of the run")
    group.add_argument("--samples", type=counting_number, metavar="N", help="samples an epoch")
    group.add_argument("--batch-size", type=counting_number, metavar="N", help="samples a step")
    group.add_argument(
        "--scale-lr", action="store_true", help="multiply learning rates by --batch-size / the setting's"
    )
    group.add_argument("--clip", type=float, metavar="NORM", help="clip the gradient at this norm")
    group.add_argument(
        "--precision", choices=("fp32", "bf16", "fp16"), help="of the network; fp16 is for GPUs"
    )
    group.add_argument("--seed", type=whole_number, metavar="N", help="seed of weights and data")
    group.add_argument(
        "--datasets",
        type=_names,
        metavar="LIST",
        help="train on these alone: lasot,got10k,trackingnet,coco,imagenetvid (NAME:partial: the sequences "
        "that are there), folder:PATH (your own videos, or packed data); or generated",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other field, as --show names it, e.g. box.beta=0.2, or @FILE with such lines, which --show "
        "prints; may be repeated",
    )
    group.add_argument("--show", action="store_true", help="print the resolved setting and stop")


def _add_run_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    group.add_argument(
        "--micro-batch",
        type=counting_number,
        metavar="N",
        help="samples computed at once, gradients added up to the batch (default: what memory allows)",
    )
    group.add_argument("--threads", type=counting_number, metavar="N", help="CPU threads of the network")
    group.add_argument(
        "--processes",
        type=counting_number,
        default=1,
        metavar="N",
        help="processes that share every batch; for a small network on a CPU, as many as cores (default: 1)",
    )
    group.add_argument(
        "--compile",
        nargs="?",
        const="inductor",
        metavar="BACKEND",
        help="compile the backbone with torch.compile (default backend: inductor)",
    )
    group.add_argument(
        "--max-time",
        metavar="TIME",
        help="end well after so long, e.g. 45m or 1.5h: learning rates fall to their last as the time ends",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="three steps: what memory and time they take; write nothing",
    )
    group.add_argument(
        "--validate", action=argparse.BooleanOptionalAction, default=True, help="run validation"
    )


def _add_loading_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--workers", type=whole_number, metavar="N", help="processes that load data")
    group.add_argument(
        "--decoder",
        default="auto",
        choices=("auto", "simplejpeg", "torchvision", "opencv", "jpeg4py"),
        help="library that decodes JPEGs (default: the fastest that works here)",
    )
    group.add_argument(
        "--skip-broken",
        action="store_true",
        help="leave out sequences with broken annotations, by name, instead of an error",
    )
    group.add_argument(
        "--unreadable",
        type=whole_number,
        default=0,
        metavar="N",
        help="go on past N images that are missing or corrupt, by name; another sequence takes the place of "
        "each (default: 0, the first one ends the run)",
    )


def _add_start_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--resume",
        default="auto",
        metavar="auto|match|none|PATH",
        help="go on from the newest checkpoint (default; match: if it is of the same recipe and data, else "
        "start anew), start anew, or go on from a file, or the newest in a folder",
    )
    group.add_argument(
        "--backbone-weights",
        type=local_path,
        metavar="FILE",
        help="ImageNet weights of the backbone (torchvision file)",
    )
    group.add_argument(
        "--init-weights",
        type=local_path,
        metavar="FILE",
        help="fine-tune: begin with a whole network's weights, of a checkpoint or an export",
    )


def _add_file_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--log-to",  # torchrun would take --log for an abbreviation of its own --log-dir
        type=_names,
        default=[],
        metavar="LIST",
        help="where the numbers of each epoch go as well: csv[=FILE], tensorboard[=DIR], "
        "trackio[=PROJECT], visdom[=HOST:PORT], wandb[=PROJECT]",
    )
    add_workspace_option(group)
    group.add_argument(
        "--scale",
        choices=("tiny", "short", "demo", "full"),
        default="demo",
        help="size of the generated data (default: demo)",
    )
    group.add_argument(
        "--keep",
        type=counting_number,
        default=3,
        metavar="K",
        help="checkpoints to keep, beside the best (default: 3)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, return the exit code: 0, 1 for a crash, 2 for bad input, 130 or 143 when stopped."""
    arguments = tuple(sys.argv[1:] if argv is None else argv)

    def body(options: argparse.Namespace) -> int:
        options.arguments = arguments
        code: int = importlib.import_module("ltr.cli_training").train_command(options)
        return code

    return run_command(build_parser(), body, arguments)


if __name__ == "__main__":
    sys.exit(main())
