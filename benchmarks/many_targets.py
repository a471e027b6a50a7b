"""Milliseconds per frame of one target and of several, in the same run, frame by frame in turn.

Beside them a loop: as many single trackers, one after the other, as people do who have a tracker of one
target. Weights are random and every target counts as found, so that all boxes are refined in every frame. The
boxes of the batch and of the loop are compared. With one thread the times are those that it had a core.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from tracking import build, read_sequence

from pytracking.tracker.common.conversation import ClassifierTracker


def places(box: np.ndarray, frame: np.ndarray, count: int) -> dict[int, np.ndarray]:
    """Boxes of the first one's size: itself, and others spread over the frame."""
    height, width = frame.shape[:2]
    found = {0: box}
    for number in range(1, count):
        corner = (width * number / (count + 1), height * (0.3 + 0.4 * (number % 2)))
        found[number] = np.array([*corner, *box[2:]])
    return found


def measure(
    frames: list[np.ndarray], box: np.ndarray, network: str, count: int, clock: Callable[[], float]
) -> tuple[np.ndarray, float, float]:
    """Seconds of one, all together and all in a loop, ``[T, 3]``; largest difference, px; the first frame."""
    one, several = (build(ClassifierTracker, network) for _ in range(2))
    loop = [build(ClassifierTracker, network) for _ in range(count)]
    boxes = places(box, frames[0], count)
    one.initialize(frames[0], boxes[0])
    start = clock()
    several.initialize(frames[0], boxes)
    first = clock() - start
    for tracker, place in zip(loop, boxes.values()):
        tracker.initialize(frames[0], place)
    times, difference = np.empty((len(frames) - 1, 3)), 0.0
    for row, frame in zip(times, frames[1:]):
        ticks = [clock()]
        one.track(frame)
        ticks.append(clock())
        together = several.track(frame)
        ticks.append(clock())
        alone = [tracker.track(frame) for tracker in loop]
        ticks.append(clock())
        row[:] = np.diff(ticks)
        for a, b in zip(together.values(), alone):
            difference = max(difference, float(np.abs(a.box - b.box).max()))
    return times, difference, first


def main(argv: list[str] | None = None) -> None:
    """Read frames, track, print the table."""
    data = Path(os.environ.get("EBMTRACK_TEST_DATA", "."))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequence", type=Path, default=data / "otb" / "Crossing", help="OTB folder")
    parser.add_argument("--network", choices=("small", "dimp18"), default="small")
    parser.add_argument("--targets", type=int, default=4)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    frames, box = read_sequence(args.sequence, args.frames)
    clock = time.thread_time if args.threads == 1 else time.perf_counter
    times, difference, first = measure(frames, box, args.network, args.targets, clock)
    one, together, loop = 1e3 * np.median(times[min(3, len(times) - 1) :], axis=0)
    print(f"{args.network} network, random weights, {len(frames)} frames, {args.threads} CPU thread(s)")
    print(f"{'':<26}{'ms a frame':>11}{'times one':>11}")
    for name, value in (
        ("one target", one),
        (f"{args.targets} together", together),
        ("a loop of them", loop),
    ):
        print(f"{name:<26}{value:>11.1f}{value / one:>11.2f}")
    print(
        f"{args.targets} targets cost {together / one:.2f} times one; "
        f"the first frame took {1e3 * first:.0f} ms."
    )
    print(f"Largest difference between batch and loop: {difference:.6f} px.")
    if difference > 1e-3:
        raise SystemExit("error: batch and loop disagree.")


if __name__ == "__main__":
    main()
