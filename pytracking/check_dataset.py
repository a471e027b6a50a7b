"""``ebmtrack dataset``: the commands of `ltr.dataset.tools`, and the check of the tracking benchmarks."""

import argparse
import time
from collections.abc import Sequence as List
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.command import run_guarded
from ebm.exceptions import InputError
from ebm.outputs import Output, require_outputs

if TYPE_CHECKING:
    from ltr.dataset.tools.faults import Finding, Report
    from pytracking.evaluation.benchmarks import Layout
    from pytracking.evaluation.data import Sequence

__all__ = ["check_benchmark", "main"]


def check_benchmark(name: str, root: Path | None = None, deep: bool = False) -> "Report":
    """Check a benchmark for missing and broken sequences.

    Args:
        name: one of `BENCHMARKS`.
        root: its folder; None: the configured one.
        deep: decode every image; otherwise the ends of three of each sequence are looked at.

    Raises:
        InputError: if no root is set or there is none.
    """
    from ltr.dataset.tools.faults import Finding, Report
    from pytracking.evaluation.datasets import BENCHMARKS, find_root

    start = time.perf_counter()
    folder = find_root(name, root)
    layout = BENCHMARKS[name].open(name, folder)
    findings: list[Finding] = []
    sequences = frames = 0
    for wanted in layout.names():
        if not layout.has(wanted):
            findings.append(Finding(wanted, "missing sequence", f"no folder for it under {folder}"))
            continue
        found, count = _check_sequence(layout, wanted, deep)
        findings += found
        sequences, frames = sequences + 1, frames + count
    seconds = time.perf_counter() - start
    return Report(
        dataset=name,
        root=str(folder),
        deep=deep,
        sequences=sequences,
        frames=frames,
        seconds=seconds,
        findings=tuple(findings),
    )


def _check_sequence(layout: "Layout", name: str, deep: bool) -> "tuple[list[Finding], int]":
    from ltr.dataset.tools.faults import Finding

    try:
        sequence = layout.read(name)
    except InputError as error:
        return [Finding(name, "unusable sequence", str(error).removesuffix("."))], 0
    return [*_check_images(sequence, deep)], len(sequence)


def _check_images(sequence: "Sequence", deep: bool) -> "list[Finding]":
    from ltr.dataset.tools.faults import Finding, first_few
    from ltr.dataset.tools.sequences import check_image

    frames = sequence.frames
    looked = frames if deep else tuple(dict.fromkeys((frames[0], frames[len(frames) // 2], frames[-1])))
    problems: dict[str, list[str]] = {}
    for frame in looked:
        kind, detail = check_image(frame, deep)
        if kind:
            problems.setdefault(kind, []).append(detail)
    return [Finding(sequence.name, kind, first_few(details, 3)) for kind, details in problems.items()]


def main(argv: List[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; ``sys.argv[1:]`` where left out.

    Returns: 0; 1 if a check found faults, 2 for an input that cannot be used, 130 after Ctrl-C.
    """
    from ltr.dataset.tools.command import build_parser
    from ltr.dataset.tools.command import main as run

    options = build_parser().parse_args(argv)
    if not _tracked_on(getattr(options, "name", None)):
        return run(argv)
    return run_guarded(lambda: _check(options), "nothing was changed.")


def _tracked_on(name: str | None) -> bool:
    """Whether a name is a benchmark's and no training set's, which is checked whole, tests included."""
    from ltr.dataset.opening import KINDS
    from pytracking.evaluation.datasets import ALIASES, BENCHMARKS

    if name is None or name in KINDS:
        return False
    return name in ALIASES or (name in BENCHMARKS and BENCHMARKS[name].root_key is not None)


def _check(options: argparse.Namespace) -> int:
    from ltr.dataset.tools.command import show_report
    from pytracking.evaluation.datasets import benchmark_name, find_root

    options.name = benchmark_name(options.name)
    if options.action != "check" or options.split:
        raise InputError(
            f"{options.name} is tracked on, not trained on: it has no splits and is not packed. 'check' "
            "takes it."
        )
    if options.json is not None and str(options.json) != "-":
        output = Output(name="--json", path=options.json, stream=True)
        require_outputs([output], {"the data set": find_root(options.name, options.root)})
    return show_report(check_benchmark(options.name, options.root, options.deep), options)
