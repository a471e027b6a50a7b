"""What a run over a dataset prints: how it went, how good it is, and what failed."""

import sys
from collections.abc import Sequence as List
from pathlib import Path

from pytracking.analysis.extract import evaluate
from pytracking.analysis.gathering import gather_sources
from pytracking.analysis.sources import FirstBoxSource, FolderSource
from pytracking.analysis.tables import format_table, per_sequence_table, score_table
from pytracking.analysis.truths import has_ground_truth
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.running import RunReport

__all__ = ["count", "print_failures", "print_report", "print_scores"]

Labelled = tuple[str, RunReport]  # a tracker's name in tables, and one run of it


def print_report(report: RunReport) -> None:
    """How many sequences were run, how fast, and how many were kept."""
    ran = [outcome for outcome in report.outcomes if outcome.error is None]
    if report.reused:
        print(f"{count(len(report.reused))} finished before and kept (--rerun runs them again).")
    if ran:
        frames = sum(outcome.frames for outcome in ran)
        speed = f" at {report.fps:.1f} frames per second (tracker alone)" if report.fps else ", not timed"
        print(f"{count(len(ran))} run, {frames} frames{speed}.")


def count(sequences: int) -> str:
    """In words."""
    return f"{sequences} sequence{'' if sequences == 1 else 's'}"


def print_scores(
    sequences: List[Sequence],
    runs: List[Labelled],
    root: Path,
    *,
    compare: List[str] = (),
    protocol: str = "pytracking",
    allow_missing: bool = False,
    per_sequence: bool = False,
) -> None:
    """A table of runs, those compared with, and the first box; over the sequences that all runs finished.

    Args:
        sequences: of one dataset.
        runs: label and report; runs of one label are averaged.
        root: where result folders are.
        compare: further results, as `gather_sources` takes them.
        protocol: rule of the evaluation.
        allow_missing: leave out sequences that one of `compare` lacks.
        per_sequence: also print the scores of each sequence.
    """
    finished = set.intersection(*(set(report.finished) for _, report in runs))
    done = [sequence for sequence in sequences if sequence.name in finished]
    if not done:
        return
    if not all(has_ground_truth(sequence.ground_truth) for sequence in done):
        print("Only the first frames are annotated: the benchmark's server scores these results.")
        return
    own = [FolderSource(label, ResultFolder(report.folder)) for label, report in runs]
    sources = gather_sources(compare, root, own)
    first_box = "first_box/default"
    if first_box not in {label for label, _ in runs} and all(
        not isinstance(source, FirstBoxSource) for source in sources
    ):
        sources.append(FirstBoxSource())
    evaluation = evaluate(done, sources, rule=protocol, allow_missing=allow_missing)
    print(f"\n{format_table(score_table(evaluation))}")
    if per_sequence:
        print(f"\n{format_table(per_sequence_table(evaluation))}")


def print_failures(reports: List[RunReport]) -> int:
    """The sequences that failed, on standard error; the exit code, 1 if there are any."""
    failed = [error for report in reports for error in report.failed.values()]
    if not failed:
        return 0
    total = sum(len(report.outcomes) + len(report.reused) for report in reports)
    print(f"\n{len(failed)} of {count(total)} failed:", file=sys.stderr)
    for error in failed:
        print(f"  error: {error}", file=sys.stderr)
    print("Results of the others are kept; the same command runs the failed ones again.", file=sys.stderr)
    return 1
