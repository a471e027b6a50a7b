"""An exported tracker beside the same one on torch: boxes, milliseconds per frame, size on disk.

Both track in the same run, frame by frame in turn, each with its own memory and filter. A tracker cuts whole
pixels and chooses among peaks and boxes, so that a rounding error may become a different crop, and two tracks
part. A third tracker, exported, is therefore led: it begins every frame with the box, filter and memory that
torch's ended the last one with, and its differences are those of single frames.
"""

import argparse
import copy
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tracking import read_sequence

from pytracking.exported.folder import read_folder
from pytracking.exported.tracker import exported_tracker
from pytracking.tracker import make_tracker


def follow(led: Any, on_torch: Any) -> None:
    """Give one tracker what the other knows: where the target is, the filter, and the memory."""
    led._state = on_torch._state
    led.classifier._filter = on_torch.classifier._filter.numpy().copy()
    if getattr(on_torch.classifier, "_projection", None) is not None:  # atom's
        led.classifier._projection = on_torch.classifier._projection.numpy().copy()
    memory, known = led.classifier.memory, on_torch.classifier.memory
    memory.weights = copy.deepcopy(known.weights)
    memory._features[:], memory._boxes[:] = known._features.numpy(), known._boxes.numpy()


def measure(
    free: Any, on_torch: Any, led: Any, frames: list[np.ndarray], box: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Counter[str]]:
    """Three trackers, two of them exported, over some frames.

    Returns:
        Seconds of the first two ``[T, 2]``; largest difference of the first and of the led one from torch's
        boxes, px, ``[T, 2]``; states of the led one, ``differ`` where torch's flag is another.
    """
    times, apart, states = np.empty((len(frames), 2)), np.empty((len(frames), 2)), Counter[str]()
    for number, frame in enumerate(frames):
        found = []
        for k, tracker in enumerate((free, on_torch, led)):
            start = time.process_time()
            found.append(tracker.track(frame) if number else tracker.initialize(frame, box))
            times[number, k : k + 1] = time.process_time() - start
        apart[number] = [np.abs(found[k].box - found[1].box).max() for k in (0, 2)]
        states[found[2].state if found[2].flag is found[1].flag else "differ"] += 1
        follow(led, on_torch)
    return times, apart, states


def main(argv: list[str] | None = None) -> None:
    """Track, compare, print."""
    data = Path(os.environ.get("EBMTRACK_TEST_DATA", "."))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="what was exported")
    parser.add_argument("folder", type=Path, help="what 'ebmtrack export onnx' made of it")
    parser.add_argument("--sequence", type=Path, default=data / "otb" / "Crossing", help="OTB folder")
    parser.add_argument("--frames", type=int, default=61)
    parser.add_argument(
        "--threshold",
        type=float,
        help="score under which the target is lost, in place of the set's; weights by formula score low",
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    folder = read_folder(args.folder)
    if args.threshold is not None:
        params = replace(folder.params, target_not_found_threshold=args.threshold)
        folder = replace(folder, params=params)
    on_torch = make_tracker(folder.tracker, folder.params, checkpoint=args.checkpoint, device="cpu")
    free, led = (exported_tracker(folder, threads=1) for _ in range(2))
    frames, box = read_sequence(args.sequence, args.frames)
    times, apart, states = measure(free, on_torch, led, frames, box)
    ours, torchs = 1e3 * np.median(times[1:], axis=0)
    size = sum(file.stat().st_size for file in args.folder.iterdir()) / 2**20
    what = f"{folder.tracker} {folder.parameter}, {len(frames)} frames of {args.sequence.name}"
    print(f"{what}, 1 CPU thread, in turn")
    for name, column in zip(("each on its own", "led by torch, frame by frame"), apart.T):
        far = np.flatnonzero(column > 0.1)
        print(
            f"{name}: largest difference {column.max():.5f} px, median {np.median(column):.6f}; "
            f"over 0.1 px in {len(far)} frames" + (f", first in {far[0]}" if len(far) else "")
        )
    print(f"states where led: {dict(states)}")
    print(f"frame: ONNX Runtime {ours:.1f} ms, torch {torchs:.1f} ms, ratio {ours / torchs:.2f}")
    print(f"first frame: {1e3 * times[0, 0]:.0f} and {1e3 * times[0, 1]:.0f} ms")
    print(f"on disk: {size:.1f} MiB, checkpoint {args.checkpoint.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
