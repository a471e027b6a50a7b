"""The end of a run over data sets: an error where a sequence has no result."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

__all__ = ["require_results"]

NAMED = 10


def require_results(run_dataset: Callable[..., Any]) -> Callable[..., Any]:
    """`run_dataset`, which prints errors and goes on, followed by a look at what it left."""
    signature = inspect.signature(run_dataset)

    @functools.wraps(run_dataset)
    def run(*arguments: Any, **options: Any) -> Any:
        asked = signature.bind(*arguments, **options).arguments
        outcome = run_dataset(*arguments, **options)
        if not asked.get("debug"):  # results are written without it alone, and errors end the run with it
            _require(asked["dataset"], asked["trackers"])
        return outcome

    return run


def _require(dataset: Any, trackers: Any) -> None:
    pairs = [(sequence, tracker) for sequence in dataset for tracker in trackers]
    missing = [_name(sequence, tracker) for sequence, tracker in pairs if not _has_result(sequence, tracker)]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise RuntimeError(
            f"{len(missing)} of {len(pairs)} results are missing, for the reasons printed above: "
            f"{', '.join(missing[:NAMED])}{more}. The same command runs these again."
        )


def _name(sequence: Any, tracker: Any) -> str:
    return f"{sequence.name} with {tracker.name} {tracker.parameter_name}"


def _has_result(sequence: Any, tracker: Any) -> bool:
    """Whether boxes or masks were written; True where PyTracking's layout of the data set is its own."""
    if sequence.dataset == "oxuva":
        return True
    objects = getattr(sequence, "object_ids", None) or []
    files = [f"{sequence.name}_{number}.txt" for number in objects]
    boxes = [os.path.isfile(os.path.join(tracker.results_dir, file)) for file in files]
    whole = os.path.isfile(os.path.join(tracker.results_dir, f"{sequence.name}.txt"))
    masks = os.path.join(str(getattr(tracker, "segmentation_dir", "")), sequence.name)
    return whole or (bool(boxes) and all(boxes)) or (os.path.isdir(masks) and bool(os.listdir(masks)))
