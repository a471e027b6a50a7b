"""Milliseconds of the trackers beside the published order of operations, frame by frame in turn.

Both track the same frames from the same state with the same random weights. With one thread the times are
those that the thread had a core: what else a machine does is not in them. A part's limit is what its bare
convolutions take in oneDNN, one after the other, with weights laid out before.
"""

import argparse
import os
import platform
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from plain_trackers import TRACKERS, Kind, ours, plain
from torch import Tensor
from tracking import read_sequence

from pytracking.inference.layers import FusedConv
from pytracking.libs.box_maps import WindowedMap
from pytracking.parameter.lookup import find_parameters
from pytracking.tracker.base import Flag
from pytracking.tracker.common.conversation import ClassifierTracker
from pytracking.tracker.common.refiner import why_no_density

PARTS = ("crop", "backbone", "classifier features", "box features", "refine", "score", "update", "covariance")
FEATURES = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd")
REPEATS = 7


class Clock:
    """Seconds of the parts of one frame, each without the parts inside it."""

    now: Callable[[], float] = staticmethod(time.thread_time)

    def __init__(self) -> None:
        self.parts: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what is done here to a part."""
        self._inside.append(0.0)
        start = Clock.now()
        try:
            yield
        finally:
            taken, inner = Clock.now() - start, self._inside.pop()
            self.parts[name] += taken - inner
            if self._inside:
                self._inside[-1] += taken

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Count a method of an object."""
        inner = getattr(owner, method)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return inner(*args, **kwargs)

        setattr(owner, method, call)


class Watched:
    """A tracker whose parts are timed, and whose frames are normal or hard negatives as we want them."""

    def __init__(self, tracker: ClassifierTracker) -> None:
        self.tracker, self.clock, self.flag = tracker, Clock(), Flag.NORMAL

        network, classifier, refiner = tracker.network, tracker.classifier, tracker.refiner
        update = classifier.update
        # A regular update falls due in frame 1, 21, ..: none of the measured frames is one.
        classifier.update = lambda features, box, _, number, score: update(features, box, self.flag, 2, score)
        for owner, method, name in (
            (tracker.cropper, "around", "crop"),
            (network, "extract_backbone_features", "backbone"),
            (classifier, "features", "classifier features"),
            (classifier, "score", "score"),
            (classifier, "update", "update"),
            (tracker, "_refine", "refine"),
            (refiner, "covariance", "covariance"),
            (network.bb_regressor, "get_iou_feat", "box features"),
        ):
            self.clock.watch(owner, method, name)

    def initialize(self, frame: np.ndarray, box: np.ndarray) -> float:
        """Seconds of the first frame."""
        start = Clock.now()
        self.tracker.initialize(frame, box)
        return Clock.now() - start

    def track(self, frame: np.ndarray, flag: Flag) -> tuple[float, dict[str, float]]:
        """Seconds of a frame, and of its parts."""
        self.flag = flag
        self.clock.parts.clear()
        compute = WindowedMap._compute

        def counted(level: WindowedMap, *args: Any) -> Any:
            with self.clock.part("box features"):
                return compute(level, *args)

        WindowedMap._compute = counted  # type: ignore[method-assign]
        start = Clock.now()
        try:
            self.tracker.track(frame)
        finally:
            WindowedMap._compute = compute  # type: ignore[method-assign]
        return Clock.now() - start, dict(self.clock.parts)


def limits(watched: Watched, frame: np.ndarray) -> dict[str, float]:
    """Seconds of the bare convolutions of every part in one frame."""
    calls: list[tuple[str, FusedConv, tuple[int, ...]]] = []
    forward, part = FusedConv.forward, watched.clock.part
    names: list[str] = []

    @contextmanager
    def named(name: str) -> Iterator[None]:
        names.append(name)
        with part(name):
            yield
        names.pop()

    def noted(layer: FusedConv, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        calls.append((names[-1], layer, tuple(x.shape)))
        return forward(layer, x, shortcut)

    watched.clock.part = named  # type: ignore[method-assign]
    FusedConv.forward = noted  # type: ignore[method-assign]
    try:
        watched.track(frame, Flag.NORMAL)
    finally:
        watched.clock.part = part  # type: ignore[method-assign]
        FusedConv.forward = forward  # type: ignore[method-assign]
    total: dict[str, float] = defaultdict(float)
    for name, layer, shape in calls:
        total[name] += bare(layer, shape)
    return total


def bare(layer: FusedConv, shape: tuple[int, ...]) -> float:
    """Seconds of one convolution, the least of a few times."""
    x = torch.rand(shape).to(layer.weight.dtype, memory_format=torch.channels_last)
    form, times = layer.form((shape[2], shape[3])), []
    with torch.no_grad():
        for _ in range(REPEATS):
            start = Clock.now()
            form.on_cpu(x, layer.bias, None, "none")
            times.append(Clock.now() - start)
    return min(times)


def measure(kind: Kind, precisions: list[Any], frames: list[np.ndarray], box: np.ndarray) -> None:
    """Print the table of one tracker."""
    own = [Watched(ours(kind, precision)) for precision in precisions]
    baseline = Watched(plain(kind))
    lead = own[0].tracker
    has_density = not why_no_density(lead.params)
    first = np.array([[w.initialize(frames[0], box) for w in (*own, baseline)] for _ in range(2)])
    rows: dict[Flag, list[list[float]]] = {Flag.NORMAL: [], Flag.HARD_NEGATIVE: []}
    parts: list[list[dict[str, float]]] = []
    apart = []
    for number, frame in enumerate(frames[1:]):
        flag = Flag.HARD_NEGATIVE if number % 3 == 2 else Flag.NORMAL
        for each in own:
            each.tracker.with_covariance = has_density and number % 3 == 1
        found = [w.track(frame, flag) for w in (*own, baseline)]
        there = baseline.tracker.state.box
        apart.append([np.abs(each.tracker.state.box - there).max() for each in own])
        for other in (*own[1:], baseline):
            other.tracker._state = lead.state
        if number < 3:  # kernels are chosen and made
            continue
        rows[flag].append([seconds - each.get("covariance", 0.0) for seconds, each in found])
        if flag is Flag.NORMAL:
            parts.append([each for _, each in found])
    shown("first frame", first[1:])
    shown("normal frame", np.array(rows[Flag.NORMAL]))
    shown("hard negative", np.array(rows[Flag.HARD_NEGATIVE]))
    normal = np.median(np.array(rows[Flag.NORMAL]), axis=0)
    for k, (precision, each) in enumerate(zip(precisions, own)):
        print(f"  where a normal frame goes, {precision}")
        of_parts([[row[k], row[-1]] for row in parts], limits(each, frames[-1]), normal[k])
    usual = ", ".join(f"{median:.4f}" for median in np.median(apart, axis=0))
    print(f"  from equal states boxes differ by {usual} px (median), {np.max(apart):.4f} px at most")


def shown(name: str, seconds: np.ndarray) -> None:
    """A row: medians, and the ratios with their quartiles over the frames."""
    row = f"  {name:<22}" + "".join(f"{1e3 * value:>9.1f}" for value in np.median(seconds, axis=0))
    for column in seconds.T[:-1]:
        low, middle, high = np.quantile(column / seconds[:, -1], (0.25, 0.5, 0.75))
        row += f"{middle:>8.2f} ({low:.2f} .. {high:.2f})"
    print(row)


def of_parts(parts: list[list[dict[str, float]]], limit: dict[str, float], frame: float) -> None:
    """Rows of the parts of a normal frame, and what their bare convolutions take."""
    for name in PARTS:
        a, b = (1e3 * np.median([row[k][name] for row in parts if name in row[k]] or [0]) for k in (0, 1))
        if a == b == 0:
            continue
        rest = f"limit {1e3 * limit[name]:.1f}" if name in limit else ""
        if name == "covariance":
            rest = f"{a / (10 * frame):.1f} % of a frame"
        print(f"    {name:<20}{a:>9.1f}" + (f"{b:>9.1f}{a / b:>8.2f}" if b else " " * 17) + f"   {rest}")


def decoding(files: list[Path]) -> float:
    """Seconds of reading one frame."""
    times = []
    for file in files:
        start = Clock.now()
        cv2.imread(str(file))
        times.append(Clock.now() - start)
    return float(np.median(times))


def memory(frames: list[np.ndarray], box: np.ndarray, count: int) -> None:
    """Track the frames forth and back with the smallest network, and print the memory at a few places."""
    tracker = ours(TRACKERS["dimp_small"])
    tracker.initialize(frames[0], box)
    places = {count // 10, count // 4, count // 2, count}
    for number in range(1, count + 1):
        turn = number % (2 * len(frames) - 2)
        tracker.track(frames[min(turn, 2 * len(frames) - 2 - turn)])
        if number in places:
            print(f"  after {number:>5} frames: {resident():.1f} MB resident", flush=True)


def resident() -> float:
    """MB that this process holds now; the most it held where that is not told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def processor() -> str:
    """Name of the CPU, and those of its features that matter here."""
    name, flags = platform.processor(), set[str]()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() in ("flags", "Features"):
            flags = set(value.split())
    return f"{name}: {', '.join(f for f in FEATURES if f in flags) or 'features unknown'}"


def main(argv: list[str] | None = None) -> None:
    """Measure the trackers named."""
    data = Path(os.environ.get("EBMTRACK_TEST_DATA", "."))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trackers", nargs="*", help=f"of {', '.join(TRACKERS)}; default: all")
    parser.add_argument("--sequence", type=Path, default=data / "otb" / "Crossing", help="OTB folder")
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", nargs="+", choices=("fp32", "bf16", "auto"), default=["fp32"])
    parser.add_argument("--memory", type=int, metavar="N", help="track N frames and print the memory instead")
    args = parser.parse_args(argv)
    unknown = set(args.trackers) - set(TRACKERS)
    if unknown:
        parser.error(f"unknown trackers {', '.join(sorted(unknown))}; known: {', '.join(TRACKERS)}")
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    Clock.now = staticmethod(time.thread_time if args.threads == 1 else time.perf_counter)
    frames, box = read_sequence(args.sequence, args.frames)
    print(f"{processor()}; torch {torch.__version__}, {args.threads} thread(s), {len(frames)} frames")
    if args.memory:
        memory(frames, box, args.memory)
        return
    seconds = decoding(sorted((args.sequence / "img").glob("*.jpg"))[: args.frames])
    print(f"decoding a frame of {frames[0].shape[1]} x {frames[0].shape[0]} px: {1e3 * seconds:.1f} ms")
    for name in args.trackers or TRACKERS:
        kind = TRACKERS[name]
        side = find_parameters(kind.tracker, kind.parameters).crop_size[0]
        print(f"{name}, crops of {side} px, ours in {' and '.join(args.precision)}")
        heads = "".join(f"{each:>9}" for each in (*args.precision, "plain"))
        print(f"  {'ms':<22}{heads}   ratio (quartiles)", flush=True)
        measure(kind, args.precision, frames, box)


if __name__ == "__main__":
    main()
