"""What the command lines share: errors to exit codes, and options that several of them have."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ebm.exceptions import EBMError

__all__ = [
    "add_dataset_options",
    "add_tracker_options",
    "guarded",
    "names_of",
    "results_root",
    "whole_number",
]

_OWN_PACKAGES = ("ebm", "ltr", "pytracking")


def guarded(body: Callable[[], int], interrupted: str) -> int:
    """Run a command's body and turn what ends it into an exit code.

    Args:
        body: returns the exit code.
        interrupted: what Ctrl-C leaves behind, told to the user.

    Returns: the body's code; 2 after an error of the input or the installation, 130 after Ctrl-C.
    """
    try:
        return body()
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in _OWN_PACKAGES:
            raise
        print(
            f"error: this Python ({sys.executable}) lacks the module {error.name}. Run 'bash install.sh' "
            "once and use .venv/bin/python.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(f"interrupted: {interrupted}", file=sys.stderr)
        return 130


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """``--dataset`` and what narrows it down."""
    group = parser.add_argument_group("dataset")
    group.add_argument(
        "--dataset",
        "--dataset_name",
        dest="dataset",
        metavar="NAME",
        help="otb, lasot, generated or generated_lasot; with no dataset configured, generated is taken",
    )
    group.add_argument("--root", type=Path, metavar="DIR", help="folder of the dataset")
    group.add_argument(
        "--sequence",
        action="append",
        metavar="S",
        help="only this sequence: a name or a position, several with commas; may be repeated",
    )
    group.add_argument(
        "--allow-missing",
        action="store_true",
        help="use what there is although sequences of the benchmark, or results of them, are missing",
    )
    group.add_argument(
        "--scale",
        default="demo",
        choices=("tiny", "demo", "full"),
        help="size of a generated test set (default: %(default)s)",
    )


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    """Tracker, parameter set, weights and which of them, device and seed."""
    parser.add_argument("tracker", help="name of the tracker, e.g. dimp")
    parser.add_argument("parameter", help="name of its parameter set, e.g. nce_plus")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="weights file, or a folder whose newest is taken; otherwise the networks folder, then the "
        "newest checkpoint of the train setting",
    )
    parser.add_argument(
        "--weights",
        choices=("auto", "net", "net_ema"),
        default="auto",
        help="of the last training step (net), averaged over the run (net_ema), or averaged ones if the file "
        "has any (default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=0, help="of everything drawn (default: %(default)s)"
    )


def whole_number(text: str) -> int:
    """A number of at least 0, for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {value}")
    return value


def names_of(options: list[str] | None) -> list[str] | None:
    """Names of a repeatable option whose values may hold several with commas; None without any."""
    names = [name.strip() for option in options or [] for name in option.split(",")]
    return [name for name in names if name] or None


def results_root(given: Path | None) -> Path:
    """Where result folders are: the option, else ``tracking_results`` in the workspace."""
    if given is not None:
        return given
    from ltr.admin.environment import workspace

    return workspace() / "tracking_results"
