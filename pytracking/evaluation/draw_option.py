"""``--draw``: what the mp4 of a tracked video shows of its targets."""

import argparse

from ebm.lookup import unknown_name

__all__ = ["DEFAULT_PARTS", "PARTS", "add_draw_option", "parse_parts"]

PARTS = {
    "box": "its outline, dashed where the tracker is not sure",
    "trace": "the way of its centre over the last 60 frames",
    "density": "ellipses that hold 90 % of where its corners and its centre may be",
    "state": "number of the frame, state and score",
}
DEFAULT_PARTS = ("box", "state")


def add_draw_option(parser: "argparse._ArgumentGroup") -> None:
    """``--draw``."""
    parser.add_argument(
        "--draw",
        type=parse_parts,
        default=DEFAULT_PARTS,
        metavar="PARTS",
        help="what the mp4 shows of a target, with commas: "
        + "; ".join(f"{name}, {what}" for name, what in PARTS.items()).replace("%", "%%")
        + f" (default: {','.join(DEFAULT_PARTS)})",
    )


def parse_parts(text: str) -> tuple[str, ...]:
    """Names of `PARTS` with commas, for argparse."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError(f"expected some of {','.join(PARTS)}, got {text!r}")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(str(unknown_name("part to draw", name, list(PARTS))))
    return tuple(name for name in PARTS if name in names)
