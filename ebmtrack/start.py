"""The entry point of the command ``ebmtrack``."""

import importlib
import sys
from collections.abc import Sequence

from ebmtrack.provenance import faults, inspect

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with EBMTrack's own files, or say whose files are in their place.

    Args:
        argv: the command and its arguments; ``sys.argv[1:]`` where left out.

    Returns: the command's exit code; 2 where files of another project would be run.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    found = faults()
    fatal = [fault for fault in found if fault.fatal]
    if fatal and arguments[:1] == ["doctor"]:
        print("[files]", *inspect(), sep="\n")
        print("\nThe rest of the report needs EBMTrack's own files.")
        return 2
    for fault in fatal or found:
        print(f"{'error' if fault.fatal else 'warning'}: {fault}", file=sys.stderr)
    if fatal:
        print("'ebmtrack doctor' tells more.", file=sys.stderr)
        return 2
    code: int = importlib.import_module("pytracking.cli").main(arguments)
    return code
