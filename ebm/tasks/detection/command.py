"""``ebmtrack detect``: the verbs of the task, each a module that is imported once it is asked for."""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ebm.command import run_guarded
from ebm.lookup import lookup

__all__ = ["VERBS", "Verb", "main"]


@dataclass(frozen=True)
class Verb:
    """A verb: the module whose ``main(argv) -> int`` runs it, and one line on what it does."""

    module: str
    summary: str


VERBS: dict[str, Verb] = {
    "train-detector": Verb(
        "ebm.tasks.detection.detector_command", "train a light detector, on a few CPU cores"
    ),
    "train": Verb("ebm.tasks.detection.train_command", "train a branch on a frozen detector's features"),
    "refine": Verb(
        "ebm.tasks.detection.refine_command", "detect and refine, or refine another detector's results"
    ),
    "show": Verb(
        "ebm.tasks.detection.show_command",
        "draw what a branch does to the boxes of one picture",
    ),
    "table": Verb(
        "ebm.tasks.detection.table_command", "the papers' table: every method, tuned, over several seeds"
    ),
    "sweep": Verb("ebm.tasks.detection.sweep_command", "one setting of a method over several values"),
    "evaluate": Verb(
        "ebm.tasks.detection.evaluate_command", "score a results file in COCO's form, or two side by side"
    ),
}
_EXAMPLES = """\
examples:
  ebmtrack detect train-detector photos/voc2007_5cls
  ebmtrack detect train nce+ photos/voc2007_5cls --detector runs/detect/detector.pt
  ebmtrack detect refine photos/voc2007_5cls --branch runs/detect/nce+.pt --detector runs/detect/detector.pt
  ebmtrack detect show photos/voc2007_5cls --branch runs/detect/nce+.pt --detector runs/detect/detector.pt
  ebmtrack detect evaluate refined.json --annotations instances_val2017.json
  ebmtrack detect evaluate refined.json --before results.json --annotations instances_val2017.json

'ebmtrack detect VERB --help' describes one verb."""


def _usage() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: ebmtrack detect VERB [arguments]",
            "",
            "Energies refine the boxes of a detector.",
            "",
            "verbs:",
            *lines,
            "",
            _EXAMPLES,
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` are its arguments, ``sys.argv[1:]`` where left out.

    Returns: 0; 1 where input was used in part; 2 for an input that cannot be used; 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    return run_guarded(lambda: _chosen(given))


def _chosen(given: list[str]) -> int:
    if not given or given[0] in {"-h", "--help", "help"}:
        print(_usage())
        raise SystemExit(0 if given else 2)  # as argparse ends every other command's help
    verb = lookup("verb of 'ebmtrack detect'", given[0], VERBS)
    code: int = importlib.import_module(verb.module).main(given[1:])
    return code


if __name__ == "__main__":
    raise SystemExit(main())
