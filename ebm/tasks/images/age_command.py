"""``ebmtrack age``: the age of a face, on UTKFace."""

import argparse
import sys
from collections.abc import Sequence

from ebm.tasks.images import arguments
from ebm.tasks.images.command import run
from ebm.tasks.images.words import AGE_WORDS

__all__ = ["build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return arguments.build_parser(AGE_WORDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    return run(AGE_WORDS, list(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    raise SystemExit(main())
