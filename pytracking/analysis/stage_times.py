"""Where a frame's time goes: decode, crop, backbone, classify, refine, update."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from ltr.data.image_loader import read_image
from pytracking.evaluation import data
from pytracking.evaluation.spec import TrackerSpec

__all__ = ["STAGES", "StageTimes", "load_of_others", "measure_stages"]

STAGES = ("decode", "crop", "backbone", "classify", "refine", "update", "other")


@dataclass
class StageTimes:
    """Seconds of every frame after the warm-up, by stage.

    Args:
        frames: stage -> seconds a frame, ``[N]``; a frame is the sum over the stages.
        first: seconds of every initialisation.
    """

    frames: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    first: list[float] = field(default_factory=list)

    @property
    def whole(self) -> np.ndarray:
        """Seconds a frame of the tracker, decoding aside, ``[N]``."""
        return np.sum([self.frames[stage] for stage in STAGES if stage != "decode"], axis=0)

    def quantiles(self, stage: str) -> tuple[float, float]:
        """p50 and p95 of a stage, ms."""
        low, high = np.quantile(self.frames[stage], (0.5, 0.95)) * 1e3
        return float(low), float(high)


class _Watch:
    """Adds up the time of stages within a frame; the device's queue is empty before and after each."""

    def __init__(self, device: str) -> None:
        self._cuda = device if device.startswith("cuda") else None
        self.sums: dict[str, float] = defaultdict(float)

    def now(self) -> float:
        """The time, after all work of the device is done."""
        if self._cuda is not None:
            import torch

            torch.cuda.synchronize(self._cuda)
        return perf_counter()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time added to a stage."""

        def run(*args: Any, **options: Any) -> Any:
            start = self.now()
            try:
                return function(*args, **options)
            finally:
                self.sums[stage] += self.now() - start

        return run


@contextmanager
def _watched(tracker: Any, watch: _Watch) -> Iterator[None]:
    """A tracker whose parts are timed; those of its classes are put back afterwards."""
    parts: list[tuple[Any, str, str]] = []
    if hasattr(tracker, "classifier"):
        classifier = type(tracker.classifier)
        parts = [
            (type(tracker.cropper), "around", "crop"),
            (type(tracker.network), "extract_backbone_features", "backbone"),
            (classifier, "features", "classify"),
            (classifier, "score", "classify"),
            (type(tracker.network), "get_backbone_bbreg_feat", "refine"),
            (type(tracker), "_refine", "refine"),
            (classifier, "update", "update"),
        ]
    with ExitStack() as stack:
        for owner, name, stage in parts:
            original = getattr(owner, name)
            inherited = name not in vars(owner)
            setattr(owner, name, watch.timed(stage, original))
            stack.callback(_put_back, owner, name, original, inherited)
        yield


def _put_back(owner: Any, name: str, original: Any, inherited: bool) -> None:
    if inherited:
        delattr(owner, name)
    else:
        setattr(owner, name, original)


def measure_stages(
    sequences: Sequence[data.Sequence],
    spec: TrackerSpec,
    device: str,
    *,
    frames: int = 200,
    warm_up: int = 10,
    on_frame: Callable[[], None] = lambda: None,
) -> StageTimes:
    """Track, one sequence after another, and time the stages.

    Args:
        sequences: of which `frames` frames are taken in all, as evenly as they are long enough for.
        spec: the configuration.
        device: where to run, resolved.
        frames: to time.
        warm_up: frames of every sequence that are tracked before, and not counted.
        on_frame: called after every frame.
    """
    from pytracking.evaluation.runner import SequenceRunner

    runner, times = SequenceRunner(spec, device), StageTimes()
    share = -(-frames // len(sequences))
    for sequence in sequences:
        watch = _Watch(device)
        tracker = runner.tracker(sequence)
        with _watched(tracker, watch):
            for index in range(min(len(sequence), 1 + warm_up + share)):
                _one(tracker, sequence, index, watch, times if index == 0 or index > warm_up else None)
                on_frame()
    return times


def _one(tracker: Any, sequence: data.Sequence, index: int, watch: _Watch, times: StageTimes | None) -> None:
    """Track a frame; its times are kept where `times` is given."""
    watch.sums.clear()
    read = watch.timed("decode", read_image)
    image = read(sequence.frames[index], sequence=sequence.name, frame=index)
    start = watch.now()
    if index == 0:
        tracker.initialize(image, sequence.init_box)
    else:
        tracker.track(image)
    whole = watch.now() - start
    if times is None:
        return
    if index == 0:
        times.first.append(whole)
        return
    known: Mapping[str, float] = watch.sums
    parts = {stage: known.get(stage, 0.0) for stage in STAGES[:-1]}
    parts["other"] = max(0.0, whole - sum(v for stage, v in parts.items() if stage != "decode"))
    for stage, seconds in parts.items():
        times.frames[stage].append(seconds)


def load_of_others() -> float | None:
    """Processes that want a core now, as a share of the cores; None where the system does not tell."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        return None
