"""Milliseconds per frame of the DiMP tracker by stage, beside a straightforward variant that shares nothing.

The baseline tracks the same frames with the same weights: it converts whole frames to float, runs the
backbone once for the classifier and once for the box branch, stacks its memory anew for every stored sample,
and differentiates the box branch by autograd. Both end on the same boxes, which is checked.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ltr.models.tracking.dimpnet import dimpnet18, dimpnet_small
from pytracking.features.preprocessing import Pixels
from pytracking.inference.precision import prepared
from pytracking.parameter import find_parameters
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.conversation import ClassifierTracker
from pytracking.tracker.common.cropper import Cropper, Crops
from pytracking.tracker.common.geometry import TargetState
from pytracking.tracker.common.memory import SampleMemory
from pytracking.tracker.dimp.classifier import DiMPClassifier

STAGES = ("crop", "backbone", "classify", "refine", "update")
Times = dict[str, list[float]]


class WholeFrameCropper(Cropper):
    """Turns the whole frame into a float tensor before cutting, as trackers usually do."""

    def around(self, state: TargetState, image: Any) -> Crops:
        whole = torch.from_numpy(image).permute(2, 0, 1)[None].float()
        return super().around(state, whole[0].permute(1, 2, 0).byte().numpy())


class StackedMemory(SampleMemory):
    """Builds its feature tensor anew with every sample."""

    def add(self, features: Tensor, box: Any, *, hard_negative: bool = False) -> None:
        super().add(features, box, hard_negative=hard_negative)
        self._features = torch.cat([f[None].clone() for f in self._features])


class Unshared(ClassifierTracker):
    """The baseline tracker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cropper = WholeFrameCropper(self.params)

    def initialize(self, image: Any, box: Any) -> None:
        super().initialize(image, box)
        self.refiner.head = None  # autograd through the branch
        if self.classifier.memory is not None:
            self.classifier.memory.__class__ = StackedMemory

    def _backbone(self, images: list[Pixels]) -> dict[str, Tensor]:
        super()._backbone(images)  # once for each branch
        return super()._backbone(images)


def timed(owner: Any, name: str, stage: str, times: Times) -> None:
    """Let ``owner.name(...)`` add its seconds to `times`."""
    inner: Callable[..., Any] = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = inner(*args, **kwargs)
        times[stage][-1] += time.perf_counter() - start
        return result

    setattr(owner, name, call)


def instrument(tracker: ClassifierTracker) -> Times:
    """Stage name -> seconds of every frame, filled while the tracker runs; each frame begins with a zero."""
    times: Times = defaultdict(lambda: [0.0])
    for owner, name, stage in (
        (tracker.cropper, "around", "crop"),
        (tracker, "_backbone", "backbone"),
        (tracker.classifier, "features", "classify"),
        (tracker.classifier, "score", "classify"),
        (tracker, "_refine", "refine"),
        (tracker.classifier, "update", "update"),
        (tracker, "track", "frame"),
    ):
        timed(owner, name, stage, times)
    return times


def build(kind: type[ClassifierTracker], network: str) -> ClassifierTracker:
    """A tracker with random weights, equal for equal `network`."""
    torch.manual_seed(0)
    params = find_parameters("dimp", "nce_plus_small" if network == "small" else "dimp18")
    assert isinstance(params, DiMPParams)
    params = replace(
        params,
        target_not_found_threshold=-1e9,  # with random weights a score means nothing: take every frame
        box_refinement_space="relative",
        box_refinement_iter=10,
        box_refinement_step_length=1e-6,  # and so does a gradient: the work is done, the boxes hardly move
    )
    net = dimpnet_small() if network == "small" else dimpnet18(filter_size=4, backbone_pretrained=False)
    net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    if kind is not Unshared:
        net, _ = prepared(net, torch.device("cpu"))
    return kind(params, net, torch.device("cpu"), DiMPClassifier)


def read_sequence(folder: Path, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The first frames, RGB, and the first box of an OTB sequence."""
    files = sorted((folder / "img").glob("*.jpg"))[:count]
    if len(files) < 2:
        raise SystemExit(f"error: no frames in {folder}/img; set EBMTRACK_TEST_DATA or pass --sequence DIR.")
    frames = [cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in files]
    line = (folder / "groundtruth_rect.txt").read_text().splitlines()[0]
    return frames, np.array([float(v) for v in line.replace("\t", ",").split(",")])


def measure(frames: list[np.ndarray], box: np.ndarray, network: str) -> tuple[Times, Times, float]:
    """Stage times of both trackers, turn by turn on the same frames, and their largest difference in px."""
    ours, plain = build(ClassifierTracker, network), build(Unshared, network)
    for tracker in (ours, plain):
        tracker.initialize(frames[0], box)
    logs = [instrument(ours), instrument(plain)]
    difference = 0.0
    for number, frame in enumerate(frames[1:]):
        results = []
        for tracker, log in zip((ours, plain), logs):
            for stage in (*STAGES, "frame"):
                log[stage].append(0.0)
            results.append(tracker.track(frame))
        assert all(r.flag is not Flag.NOT_FOUND for r in results)
        difference = max(difference, float(np.abs(results[0].box - results[1].box).max()))
        if number == 1:  # the first frames warm caches up
            for log in logs:
                log.clear()
    return logs[0], logs[1], difference


def report(ours: Times, plain: Times) -> None:
    """Print medians per stage; the stages' rest is what the frame takes besides them."""
    print(f"{'stage':<10}{'ours, ms':>10}{'plain, ms':>11}{'ratio':>8}")
    for stage in STAGES:
        values = [1e3 * float(np.median(log[stage][1:])) for log in (ours, plain)]
        means = [1e3 * float(np.mean(log[stage][1:])) for log in (ours, plain)]
        values = means if stage == "update" else values  # an optimiser step falls due every 20 frames
        print(f"{stage:<10}{values[0]:>10.2f}{values[1]:>11.2f}{values[1] / max(values[0], 1e-9):>8.2f}")
    totals = [1e3 * float(np.mean(log["frame"][1:])) for log in (ours, plain)]
    print(f"{'frame':<10}{totals[0]:>10.2f}{totals[1]:>11.2f}{totals[1] / totals[0]:>8.2f}")
    print(f"{1e3 / totals[0]:.1f} frames per second, {totals[1] / totals[0]:.2f} times the baseline's.")


def main(argv: list[str] | None = None) -> None:
    """Read frames, track them twice, print the table."""
    data = Path(os.environ.get("EBMTRACK_TEST_DATA", "."))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequence", type=Path, default=data / "otb" / "Crossing", help="OTB folder")
    parser.add_argument("--network", choices=("small", "dimp18"), default="small")
    parser.add_argument("--frames", type=int, default=42)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    frames, box = read_sequence(args.sequence, args.frames)
    ours, plain, difference = measure(frames, box, args.network)
    print(f"{args.network} network, random weights, {len(frames)} frames, {args.threads} CPU thread(s)")
    report(ours, plain)
    print(f"Largest difference between the two tracks: {difference:.4f} px.")
    if difference > 0.1:
        raise SystemExit("error: the two variants disagree, so their times cannot be compared.")


if __name__ == "__main__":
    main()
