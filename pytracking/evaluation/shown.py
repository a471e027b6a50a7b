"""Run sequences to look at the tracker: nothing is saved, and the first error ends it."""

from collections.abc import Sequence as List
from itertools import zip_longest

from ebm.threads import core_limit, threads_for, using_threads
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.debug_options import Debugging
from pytracking.evaluation.runner import SequenceRunner
from pytracking.evaluation.single import Progress
from pytracking.evaluation.spec import TrackerSpec

__all__ = ["show_sequences"]


def show_sequences(sequences: List[Sequence], spec: TrackerSpec, debugging: Debugging) -> int:
    """Run a tracker over sequences, watched.

    Args:
        sequences: of one data set.
        spec: the tracker's configuration.
        debugging: who watches.

    Returns:
        How many frames there were.

    Raises:
        EBMError: naming sequence and frame, from the first one that fails.
    """
    runner = SequenceRunner(spec, spec.resolved_device(), timed=False)
    pages = debugging.pages([sequence.name for sequence in sequences])
    bar = Progress(sum(map(len, sequences)), len(sequences))
    try:
        with using_threads(threads_for(runner.parameters, core_limit())):
            for sequence, page in zip_longest(sequences, pages):
                bar.start(sequence.name)
                title = f"{spec.label} on {sequence.name} ({sequence.dataset})"
                with debugging.watcher(title, page) as watcher:
                    runner.run(sequence, bar.advance, watcher)
                bar.done += 1
    finally:
        bar.close()
    return sum(map(len, sequences))
