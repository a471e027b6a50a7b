"""One tracker over one sequence: frames in, boxes, times, scores and states out."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from ebm.exceptions import EBMError, NumericalError
from ltr.data.image_loader import read_image
from pytracking.evaluation.data import Sequence, check_frames
from pytracking.evaluation.results import SequenceResult
from pytracking.evaluation.spec import TrackerSpec
from pytracking.evaluation.watching import Watcher, look
from pytracking.exported.folder import ExportedFolder
from pytracking.tracker import make_tracker
from pytracking.tracker.base import Tracked
from pytracking.tracker.common.several import SeveralTargets
from pytracking.utils.loading import load_tracking_network

__all__ = ["SequenceRunner", "checked_box", "track_sequence"]

OnFrame = Callable[[], None]


def _nothing() -> None:
    return None


class SequenceRunner:
    """Runs a configuration on one sequence after another; the network is read once."""

    def __init__(self, spec: TrackerSpec, device: str, *, timed: bool = True, threads: int = 0) -> None:
        """Read the network.

        Args:
            spec: the configuration.
            device: where to run, resolved: ``cpu``, ``cuda:0``...
            timed: whether nothing else runs beside it.
            threads: of ONNX Runtime, which takes them when it loads a network; 0: as many as that can use.

        Raises:
            InputError: if the weights cannot be used.
        """
        self.spec = spec
        self.device = device
        self.timed = timed
        self._network: Any = None
        if isinstance(spec.weights, ExportedFolder):
            from pytracking.exported.network import ExportedNetwork

            self._network = ExportedNetwork(spec.weights, threads)
        elif spec.weights.path is not None:
            import torch

            from pytracking.inference.precision import prepared

            loaded = load_tracking_network(spec.weights, spec.tracker)
            self._network, _ = prepared(loaded, torch.device(device), spec.precision)

    @property
    def parameters(self) -> int:
        """Numbers that the network has learned; 0 without a network."""
        if isinstance(self.spec.weights, ExportedFolder):
            return self.spec.weights.learned
        return 0 if self._network is None else sum(p.numel() for p in self._network.parameters())

    def run(
        self, sequence: Sequence, on_frame: OnFrame = _nothing, watcher: Watcher | None = None
    ) -> SequenceResult:
        """Track a sequence with a fresh tracker, seeded by run and sequence.

        Args:
            sequence: what to track.
            on_frame: called after every frame; an exception of its own ends the run.
            watcher: shown every frame; its time is not the tracker's.

        Raises:
            EBMError: naming sequence and frame.
        """
        return track_sequence(
            self.tracker(sequence),
            sequence,
            device=self.device,
            timed=self.timed,
            on_frame=on_frame,
            watcher=watcher,
        )

    def tracker(self, sequence: Sequence) -> SeveralTargets:
        """A fresh tracker for a sequence, seeded by run and sequence."""
        spec, seed = self.spec, self.spec.sequence_seed(sequence.name)
        if isinstance(spec.weights, ExportedFolder):
            from pytracking.exported.tracker import exported_tracker

            return exported_tracker(
                spec.weights, network=self._network, device=self.device, seed=seed, compat=spec.params.compat
            )
        return make_tracker(spec.tracker, spec.params, network=self._network, device=self.device, seed=seed)


def track_sequence(
    tracker: SeveralTargets,
    sequence: Sequence,
    *,
    device: str = "cpu",
    timed: bool = True,
    on_frame: OnFrame = _nothing,
    watcher: Watcher | None = None,
) -> SequenceResult:
    """Run a tracker through the frames of a sequence; only the tracker is timed, not the reading of images.

    Raises:
        InputError: if a frame is missing or cannot be read.
        EBMError: from the tracker, with sequence and frame added.
    """
    check_frames(sequence)
    count = len(sequence)
    boxes, times = np.empty((count, 4)), np.empty(count)
    scores, states = np.ones(count), ["ok"] * count
    boxes[0] = sequence.init_box
    tracker.watched = watcher is not None
    for index, path in enumerate(sequence.frames):
        image = read_image(path, sequence=sequence.name, frame=index)
        start = perf_counter()
        try:
            tracked = _step(tracker, image, sequence.init_box if index == 0 else None)
        except EBMError as error:
            raise type(error)(f"sequence {sequence.name}, frame {index} ({path.name}): {error}") from error
        _synchronise(device)
        times[index] = perf_counter() - start
        if watcher is not None:
            look(watcher, index, image, tracker, tracked)
        if index:
            boxes[index] = checked_box(tracked, sequence, index)
            scores[index], states[index] = tracked.score, tracked.state
        on_frame()
    return SequenceResult(boxes, times, scores, tuple(states), timed)


def _step(tracker: SeveralTargets, image: np.ndarray, init_box: np.ndarray | None) -> Tracked:
    answer: Tracked = tracker.track(image) if init_box is None else tracker.initialize(image, init_box)
    return answer


def _synchronise(device: str) -> None:
    """Wait for queued work, so that it is charged to the frame that caused it."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def checked_box(tracked: Tracked, sequence: Sequence, index: int) -> np.ndarray:
    """The box of a frame, float64 ``[4]``.

    Raises:
        NumericalError: if it is no box.
    """
    box = np.asarray(tracked.box, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] < 0).any():
        raise NumericalError(
            f"sequence {sequence.name}, frame {index} ({sequence.frames[index].name}): the tracker gave "
            f"the box {box.tolist()}; the weights may be damaged or may not belong to these parameters."
        )
    return box
