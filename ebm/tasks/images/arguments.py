"""The arguments of ``ebmtrack age`` and ``ebmtrack pose``."""

import argparse
from pathlib import Path

from ebm.command import CommandParser, local_path
from ebm.tasks.images.words import Words

__all__ = ["build_parser"]


def build_parser(words: Words) -> argparse.ArgumentParser:
    """The parser of a task's command."""
    parser = CommandParser(
        prog=f"ebmtrack {words.name}",
        description=f"Densities of {', '.join(words.targets)} ({words.unit}) given a picture of a face.",
        epilog=f"FOLDER is {words.layouts}.\n\nexamples:\n"
        f"  ebmtrack {words.name} train FOLDER --out runs/{words.name}\n"
        f"  ebmtrack {words.name} evaluate FOLDER --model runs/{words.name}/{words.name}.ebm\n"
        f"  ebmtrack {words.name} table FOLDER --seeds 5\n"
        f"  ebmtrack {words.name} show FOLDER --model runs/{words.name}/{words.name}.ebm",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, told in {
        "train": "fit a density to the training pictures, and write it to a file",
        "evaluate": "errors, likelihood, CRPS and coverage of a density on the test pictures",
        "table": "the paper's table: six baselines, before and after refinement by energies, several seeds",
        "show": "pictures: faces with their densities, the surest and the least sure",
    }.items():
        _add_arguments(verbs.add_parser(verb, help=told, description=told), words, verb)
    return parser


def _add_arguments(parser: argparse.ArgumentParser, words: Words, verb: str) -> None:
    parser.add_argument("folder", type=local_path, metavar="FOLDER", help=words.layouts)
    out = Path("runs") / words.name
    parser.add_argument("--out", type=local_path, default=out, metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--cache", type=local_path, metavar="DIR", help="of features (default: the user's cache)"
    )
    parser.add_argument("--no-cache", action="store_true", help="keep no features")
    parser.add_argument("--skip-broken", action="store_true", help="leave out, by name, what cannot be used")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N pictures of every part")
    _add_own(parser, words, verb)


def _add_own(parser: argparse.ArgumentParser, words: Words, verb: str) -> None:
    """What not all verbs have."""
    if verb in ("evaluate", "show"):
        parser.add_argument(
            "--model", type=local_path, required=True, metavar="FILE", help="what train wrote"
        )
    else:
        parser.add_argument("--backbone", default="efficientnet_lite0", metavar="NAME")
        parser.add_argument(
            "--weights",
            type=str,
            metavar="FILE",
            help="state dict of the backbone, or for features an .ebm file that --fine-tune wrote",
        )
        parser.add_argument("--size", type=int, metavar="PX", help="side that pictures are squeezed to")
        parser.add_argument("--epochs", type=int, metavar="N", help="most passes over the pictures")
    if verb == "train":
        _add_train(parser, words)
    if verb == "table":
        _add_table(parser, words)
    if verb == "show":
        parser.add_argument(
            "--pictures", nargs="+", metavar="NAME", help="names of test pictures (default: six)"
        )
        parser.add_argument(
            "--no-faces",
            action="store_true",
            help="densities alone, where the data's terms forbid showing faces",
        )


def _add_train(parser: argparse.ArgumentParser, words: Words) -> None:
    """What training alone has."""
    parser.add_argument("--loss", default="nce+", metavar="NAME", help="of the energy (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--fine-tune",
        choices=("light", "paper"),
        help="train the backbone too: from the light one's ImageNet weights, or by the papers' recipe "
        f"(ResNet-50, {words.full_size} px, batches of 32, M = 1024, 75 epochs)",
    )
    parser.add_argument("--samples", type=int, metavar="M", help="of the noise, with --fine-tune")
    parser.add_argument(
        "--freeze",
        nargs="*",
        metavar="PART",
        help="parts of the backbone that --fine-tune leaves as they are (default: the early ones of the "
        "light one)",
    )


def _add_table(parser: argparse.ArgumentParser, words: Words) -> None:
    """What a table alone has."""
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--energies", nargs="+", default=["nce+", "ml-is"], metavar="LOSS")
    if words.angles:
        parser.add_argument(
            "--circle", action="store_true", help="also energies whose noise goes around the circle"
        )
    parser.add_argument("--no-ablation", action="store_true", help="leave out the comparison of sigmas")
