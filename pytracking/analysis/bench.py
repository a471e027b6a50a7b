"""The trials of a network's step lengths and thresholds, on sequences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ebm.bars import progress_bar
from ebm.devices import resolve_device
from pytracking.analysis.step_lengths import Steps, record_tasks, study_steps
from pytracking.analysis.thresholds import Track, study_thresholds, track
from pytracking.analysis.trials import Study
from pytracking.evaluation import data
from pytracking.evaluation.spec import TrackerSpec
from pytracking.inference.precision import prepared
from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker import make_tracker

__all__ = ["Bench"]


class Bench:
    """Trackers of one network, on the same sequences.

    Args:
        spec: tracker, parameter set and device.
        network: on the CPU or the device.
        sequences: at least one.
        read: a sequence and the number of a frame to uint8 RGB ``[H, W, 3]``.

    Attributes:
        params: the set's, with what the network states of its crops.
    """

    def __init__(
        self,
        spec: TrackerSpec,
        network: Any,
        sequences: Sequence[data.Sequence],
        read: Callable[[data.Sequence, int], Any],
    ) -> None:
        # Prepared once: `make_tracker` would fold the batch norms anew for every sequence.
        made, _ = prepared(network, resolve_device(spec.device), spec.precision)
        self._spec, self._network, self._sequences, self._read = spec, made, sequences, read
        self.params: TrackingParams = self._make({})(sequences[0]).params

    def _make(self, changed: Mapping[str, Any]) -> Any:
        """A maker of trackers with some values of the set replaced."""
        params, spec = replace(self._spec.params, **changed), self._spec

        def make(sequence: data.Sequence) -> Any:
            seed = spec.sequence_seed(sequence.name)
            return make_tracker(spec.tracker, params, network=self._network, device=spec.device, seed=seed)

        return make

    def take(self, steps: Steps) -> None:
        """Track with these step lengths from now on."""
        params: Any = self._spec.params
        self._spec = replace(self._spec, params=replace(params, box_refinement_step_length=steps))

    def steps(self, stride: int) -> Study[Steps]:
        """Mean IoU of refined boxes by step lengths."""
        total = sum((len(s) - 1) // stride for s in self._sequences)
        with progress_bar(total=total, unit=" boxes", mininterval=1.0) as bar:
            tasks = record_tasks(
                self._make({}),
                self._sequences,
                self._read,
                stride=stride,
                on_frame=lambda: bar.update() and None,
            )
        before = sum(task.overlap_before for task in tasks) / len(tasks)
        print(f"\n{len(tasks)} boxes; IoU before refinement {100 * before:.1f} %")
        return study_steps(tasks, self.params)

    def threshold(self) -> Study[float]:
        """Quality of tracks by threshold."""

        def run(threshold: float) -> list[Track]:
            make = self._make({"target_not_found_threshold": threshold})
            total = sum(map(len, self._sequences)) - len(self._sequences)
            with progress_bar(total=total, unit=" frames", mininterval=1.0, desc=f"{threshold:g}") as bar:
                return [
                    track(make(sequence), sequence, self._read, lambda: bar.update() and None)
                    for sequence in self._sequences
                ]

        return study_thresholds(run, self.params.target_not_found_threshold)
