"""What the actions of ``ebmtrack vot`` share: a tracker's options, and what the toolkit is told of them."""

import argparse

from pytracking.evaluation.command import add_weights_options, counting_number
from pytracking.evaluation.tracker_words import settle_tracker

__all__ = ["add_answer_options", "add_tracker", "tracker_options"]


def add_tracker(parser: argparse.ArgumentParser) -> None:
    """Weights of the tracker, and how VOT's questions are answered."""
    add_weights_options(parser)
    parser.add_argument(
        "--timeout",
        type=counting_number,
        default=600,
        metavar="S",
        help="seconds that the toolkit waits for an answer, loading included (default: %(default)s)",
    )
    add_answer_options(parser)


def add_answer_options(parser: argparse.ArgumentParser, *, when_lost: str | None = None) -> None:
    """How VOT's questions are answered; `when_lost` None: as the stack wants it."""
    parser.add_argument(
        "--polygon",
        choices=("preserve_area", "union"),
        default="preserve_area",
        help="box for four corners: of their area, or the smallest around them (default: %(default)s)",
    )
    parser.add_argument(
        "--when-lost",
        choices=("box", "empty"),
        default=when_lost,
        help="answer where the target is not seen: the last box, or no region (default: "
        + ("box; empty with a stack of VOTS)" if when_lost is None else f"{when_lost})"),
    )


def tracker_options(args: argparse.Namespace, when_lost: str) -> dict[str, str]:
    """The options of `VOTTracker` and run_vot.py that differ from their defaults; looks for the weights."""
    from pytracking.parameter import find_parameters
    from pytracking.utils.loading import find_weights

    line = settle_tracker(args)
    weights = find_weights(find_parameters(args.tracker, args.parameter), args.checkpoint, args.weights)
    print(line, weights, sep="\n")
    options = {} if weights.path is None else {"checkpoint": str(weights.path.resolve())}
    given = {
        "weights": (args.weights, "auto"),
        "device": (args.device, "auto"),
        "seed": (str(args.seed), "0"),
        "precision": (args.precision, "fp32"),
        "polygon": (args.polygon, "preserve_area"),
        "when_lost": (when_lost, "box"),
    }
    options |= {key: value for key, (value, default) in given.items() if value != default}
    return options | ({"compat": "true"} if args.compat else {})
