"""Milliseconds of ATOM's hard-negative frame, and of its first, beside a plain variant that shares nothing.

On a hard-negative frame the filter is fitted anew to all that is remembered, which is where ATOM's time goes.
The plain variant tracks the same frames with the same weights in the published order of operations: images
and features channels first, Jacobian products by differentiating twice, all slots of the memory whether in
use or not, the box branch by autograd. Both take every frame from the same state and usually end on the same
box to within rounding, which sixty conjugate-gradient steps on random features amplify; that is checked.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tracking import read_sequence

from ltr.models.bbreg.atom import atom_resnet18, atom_resnet_small
from pytracking.features.preprocessing import Pixels
from pytracking.inference.precision import prepared
from pytracking.libs.conjugate_gradient import Quadratic, conjugate_gradient
from pytracking.parameter import find_parameters
from pytracking.parameter.atom_params import ATOMParams
from pytracking.tracker.atom.classifier import ATOMClassifier, first_weights, gaussian_labels, label_sigma
from pytracking.tracker.base import Flag
from pytracking.tracker.common.conversation import ClassifierTracker
from pytracking.tracker.common.init_samples import with_dropout
from pytracking.tracker.common.memory import SampleMemory

Residuals = Callable[[Tensor], Tensor]


def bent(scores: Tensor, floor: float | None) -> Tensor:
    """ATOM's response activation."""
    return scores if floor is None else F.elu(F.leaky_relu(scores, 1 / floor), floor)


def autograd_step(
    residuals: Residuals, x: Tensor, steps: int, precondition: Callable[[Tensor], Tensor], polak: bool
) -> Tensor:
    """One Gauss-Newton step whose products differentiate the residuals once and twice."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = residuals(x)
        dual = torch.zeros_like(value).requires_grad_()
        transposed = torch.autograd.grad(value, x, dual, create_graph=True)[0]

        def pull(u: Tensor) -> Tensor:
            return torch.autograd.grad(value, x, u, retain_graph=True)[0]

        def product(v: Tensor) -> Tensor:
            return pull(torch.autograd.grad(transposed, dual, v, retain_graph=True)[0])

        rhs = -pull(value.detach())
        near = Quadratic(rhs=rhs, product=product, curvature=lambda v: v @ product(v))
        step = conjugate_gradient(near, steps, precondition, polak_ribiere=polak)
    return (x + step).detach()


class PlainClassifier(ATOMClassifier):
    """The baseline's classifier: residuals as the paper writes them, autograd, all slots of the memory."""

    def learn(self, features: Tensor, boxes: np.ndarray, generator: torch.Generator) -> None:
        params, dim = self.params, self.params.compressed_dim
        features, known = with_dropout(
            features.contiguous(), torch.from_numpy(boxes).to(features), params.augmentation, generator
        )
        size = (features.shape[-2], features.shape[-1])
        self._sigma = label_sigma(boxes[0], params, size)
        labels = gaussian_labels(known, params, size, self._sigma)
        weights = features.new_full((len(features),), 1 / len(features))
        drawn = first_weights(dim, features.shape[1], params.filter_size, generator)
        x = torch.from_numpy(drawn).to(features)
        count = dim * params.filter_size[0] * params.filter_size[1]

        def residuals(x: Tensor) -> Tensor:
            projected = F.conv2d(features, x[count:].reshape(dim, -1, 1, 1))
            data = self._data(projected, x[:count], labels, weights)
            return torch.cat(
                (data, params.filter_reg**0.5 * x[:count], params.projection_reg**0.5 * x[count:])
            )

        def precondition(v: Tensor) -> Tensor:
            return torch.cat((v[:count] / params.filter_reg, v[count:] / params.projection_reg))

        for _ in range(params.init_gn_iter):
            steps = params.init_cg_iter // params.init_gn_iter
            x = autograd_step(residuals, x, steps, precondition, polak=False)
        self._filter = x[:count].reshape(dim, *params.filter_size)
        self._projection = x[count:].reshape(dim, -1)
        self.memory = SampleMemory(self._project(features), known, params)

    def update(self, features: Tensor, box: np.ndarray, flag: Flag, frame_number: int, score: float) -> None:
        memory, params = self.memory, self.params
        assert memory is not None
        memory.remember(self._project(features), box, flag, frame_number)
        size = (features.shape[-2], features.shape[-1])
        labels = gaussian_labels(memory._boxes, params, size, self._sigma)
        weights = torch.from_numpy(memory.weights.values).to(features)

        def residuals(x: Tensor) -> Tensor:
            data = self._data(memory._features, x, labels, weights)
            return torch.cat((data, params.filter_reg**0.5 * x))

        steps = params.hard_negative_cg_iter if flag is Flag.HARD_NEGATIVE else params.cg_iter
        solved = autograd_step(residuals, self._filter.flatten(), steps, lambda v: v, polak=True)
        self._filter = solved.reshape(self._filter.shape)

    def _data(self, samples: Tensor, taps: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        kh, kw = self.params.filter_size
        height, width = samples.shape[-2:]
        scores = F.conv2d(samples, taps.reshape(1, -1, kh, kw), padding=(kh // 2, kw // 2))
        scores = bent(scores[:, 0, :height, :width], self.params.response_floor)
        return (weights.sqrt()[:, None, None] * (scores - labels)).flatten()


class Plain(ClassifierTracker):
    """The baseline tracker."""

    def initialize(self, image: Any, box: Any) -> None:
        super().initialize(image, box)
        self.refiner.head = None  # autograd through the branch

    def _backbone(self, images: list[Pixels]) -> dict[str, Tensor]:
        return {name: maps.contiguous() for name, maps in super()._backbone(images).items()}


def build(plain: bool, network: str) -> ClassifierTracker:
    """A tracker with random weights, equal for equal `network`, to which every frame is a hard negative."""
    torch.manual_seed(0)
    params = find_parameters("atom", "atom_nce_plus_small" if network == "small" else "default")
    assert isinstance(params, ATOMParams)
    params = replace(
        params,
        target_not_found_threshold=-1e9,
        hard_sample_threshold=1e9,
        box_refinement_space="relative",
        box_refinement_step_length=1e-6,  # with random weights a gradient means nothing: the work is done
    )
    net = atom_resnet_small() if network == "small" else atom_resnet18(backbone_pretrained=False)
    net = net.eval().requires_grad_(False)
    net = net if plain else prepared(net, torch.device("cpu"))[0]
    kind, classifier = (Plain, PlainClassifier) if plain else (ClassifierTracker, ATOMClassifier)
    return kind(params, net, torch.device("cpu"), classifier)


def fill(tracker: ClassifierTracker) -> None:
    """Bring the memory to where it is after a few hundred frames: every slot in use."""
    memory = tracker.classifier.memory
    assert memory is not None
    first = memory.weights.count
    for slot in range(first, tracker.params.sample_memory_size):
        memory.add(memory.features[slot % first, None].clone(), memory.boxes[slot % first].numpy())


def measure(
    frames: list[np.ndarray], box: np.ndarray, network: str, *, filled: bool
) -> tuple[np.ndarray, float, int]:
    """Seconds of each frame ``[T, 2]``, ours and plain in turn, their usual difference, slots in use."""
    trackers = [build(plain, network) for plain in (False, True)]
    rows, differences = [], []
    for number, frame in enumerate(frames):
        seconds, boxes = [], []
        for tracker in trackers:
            start = time.perf_counter()
            if number == 0:
                tracker.initialize(frame, box)
            else:
                result = tracker.track(frame)
                assert result.flag is Flag.HARD_NEGATIVE
                boxes.append(result.box)
            seconds.append(time.perf_counter() - start)
            if number == 0 and filled:
                fill(tracker)
        rows.append(seconds)
        if boxes:
            differences.append(np.abs(boxes[0] - boxes[1]).max())
            trackers[1]._state = trackers[0]._state
    memory = trackers[0].classifier.memory
    assert memory is not None
    return np.array(rows), float(np.median(differences)), memory.weights.count


def main(argv: list[str] | None = None) -> None:
    """Read frames, track them twice with an almost empty and with a full memory, print the ratios."""
    data = Path(os.environ.get("EBMTRACK_TEST_DATA", "."))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequence", type=Path, default=data / "otb" / "Crossing", help="OTB folder")
    parser.add_argument("--network", choices=("small", "resnet18"), default="resnet18")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    frames, box = read_sequence(args.sequence, args.frames)
    print(f"ATOM, {args.network} network, random weights, {len(frames)} frames, {args.threads} CPU thread(s)")
    print(f"{'frame':<34}{'ours, ms':>10}{'plain, ms':>11}{'ratio':>8}")
    for filled in (False, True):
        seconds, difference, slots = measure(frames, box, args.network, filled=filled)
        if not filled:
            show("first", seconds[0])
        show(f"hard negative, {slots} slots in use", np.median(seconds[2:], axis=0))
        if difference > 0.5:
            raise SystemExit(f"error: the two tracks differ by {difference:.3f} px; no time can be compared.")


def show(name: str, seconds: np.ndarray) -> None:
    """Print one row."""
    ours, plain = 1e3 * seconds
    print(f"{name:<34}{ours:>10.1f}{plain:>11.1f}{ours / plain:>8.2f}")


if __name__ == "__main__":
    main()
