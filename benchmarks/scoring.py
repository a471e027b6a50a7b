"""Scoring five trackers on LaSOT test against a plain loop over frames, and finding 100,000 results.

Annotations and the results of two trackers are those of EBMTRACK_TEST_DATA; three more are the annotation
with noise. Cold: every text file is read, parsed and kept in an empty cache. Parsed before: from that cache.
Warm: the parsed arrays are in memory. The loop computes the same three measures and their rates frame by
frame, in pure Python, on every tenth sequence of one tracker; it must give the same figures there, and its
time is scaled by the frames. Processor time.

    EBMTRACK_TEST_DATA=.../data python benchmarks/scoring.py
"""

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from pytracking.analysis.extract import Evaluation, evaluate
from pytracking.analysis.metrics import CENTRE_THRESHOLDS, NORMALISED_THRESHOLDS, OVERLAP_THRESHOLDS
from pytracking.analysis.sources import BoxSource, find_sources
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.datasets import open_dataset
from pytracking.evaluation.places import official_table

T = TypeVar("T")
_FILES = 100_000


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds and the result."""
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def write_noisy(folder: Path, sequences: list[Sequence], seed: int) -> None:
    """The annotation with a random walk added, to two decimals."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for sequence in sequences:
        boxes = np.nan_to_num(sequence.ground_truth)
        drift = np.cumsum(random.normal(0, 0.3, boxes.shape), axis=0) * (1, 1, 0.1, 0.1)
        boxes = boxes + drift
        boxes[:, 2:] = np.maximum(boxes[:, 2:], 1)
        np.savetxt(folder / f"{sequence.name}.txt", boxes, fmt="%.2f", delimiter=",")


def loop_rates(boxes: np.ndarray, sequence: Sequence) -> tuple[list[float], list[float], list[float]]:
    """Success, precision and normalised precision of one sequence by LaSOT's rule, frame by frame."""
    visible = sequence.target_visible
    track, truth = boxes.tolist(), sequence.ground_truth.tolist()
    frames = len(truth)
    success, precision, normalised = [0] * 21, [0] * 51, [0] * 51
    for number in range(frames):
        x, y, w, h = truth[number]
        px, py, pw, ph = track[number] if number else truth[0]
        if number and 0 in (pw, ph):
            track[number] = track[number - 1]
            px, py, pw, ph = track[number]
        if visible is not None and not visible[number]:
            continue
        if min(x, y, w, h) > 0:
            across = px + (pw - 1) / 2 - x - (w - 1) / 2
            down = py + (ph - 1) / 2 - y - (h - 1) / 2
            distance, share = math.hypot(across, down), math.hypot(across / w, down / h)
            wide = max(0.0, min(px + pw, x + w) - max(px, x))
            high = max(0.0, min(py + ph, y + h) - max(py, y))
            overlap = wide * high / (pw * ph + w * h - wide * high)
        else:
            distance, share, overlap = -1.0, -1.0, -1.0
        for k, threshold in enumerate(OVERLAP_THRESHOLDS):
            success[k] += overlap > threshold
        for k, threshold in enumerate(CENTRE_THRESHOLDS):
            precision[k] += distance <= threshold
        for k, threshold in enumerate(NORMALISED_THRESHOLDS):
            normalised[k] += share <= threshold
    return (
        [hits / frames for hits in success],
        [hits / frames for hits in precision],
        [hits / frames for hits in normalised],
    )


def loop(sequences: list[Sequence], source: BoxSource) -> list[float]:
    """AUC, precision and normalised precision in percent, by the plain loop."""
    rates = [loop_rates(source.boxes(sequence), sequence) for sequence in sequences]
    count = 100 / len(rates)
    return [
        count * sum(statistics.mean(success) for success, _, _ in rates),
        count * sum(precision[20] for _, precision, _ in rates),
        count * sum(normalised[20] for _, _, normalised in rates),
    ]


def scores(evaluation: Evaluation, tracker: int = 0) -> list[float]:
    """The same three of ours."""
    names = ("auc", "precision", "norm_precision")
    return [evaluation.trackers[tracker].score(name).mean for name in names]


def score_lasot(root: Path, scratch: Path, rounds: int) -> None:
    """Print the times of scoring, and of the loop in between."""
    lasot = root / "eval/lasot"
    for seed in range(3):
        write_noisy(scratch / f"noisy{seed}", open_dataset("lasot", lasot, images=False), seed)
    folders = [lasot / "results/ATOM", lasot / "results/SiamBAN", *sorted(scratch.glob("noisy*"))]
    cold, kept, warm, slow = [], [], [], []
    for number in range(rounds):
        os.environ["EBMTRACK_CACHE"] = str(scratch.parent / f"cache{number}")

        def whole() -> tuple[list[Sequence], list[BoxSource], Evaluation]:
            sequences = open_dataset("lasot", lasot, images=False)
            sources = [source for folder in folders for source in find_sources(str(folder), scratch)]
            return sequences, sources, evaluate(sequences, sources, rule="lasot")

        seconds, (sequences, sources, _) = timed(whole)
        cold.append(seconds)
        kept.append(timed(whole)[0])
        warm.append(timed(lambda seq=sequences, src=sources: evaluate(seq, src, rule="lasot"))[0])
        few = sequences[::10]
        seconds, found = timed(lambda some=few, src=sources: loop(some, src[0]))
        frames, all_frames = sum(map(len, few)), sum(map(len, sequences))
        slow.append(seconds / frames * all_frames * len(folders))
        ours = scores(evaluate(few, sources[:1], rule="lasot"))
        assert np.allclose(found, ours, atol=1e-3), (found, ours)
    print(f"{len(sequences)} sequences, {all_frames} frames, {len(folders)} trackers, {rounds} rounds, CPU s")
    for name, values in (
        ("cold, files read", cold),
        ("parsed before, cache", kept),
        ("warm, arrays in memory", warm),
        ("plain loop", slow),
    ):
        print(f"{name:24} median {statistics.median(values):8.2f}  {', '.join(f'{v:.2f}' for v in values)}")
    print(f"loop : warm {statistics.median(slow) / statistics.median(warm):.0f} : 1")


def find_many(scratch: Path) -> None:
    """Print the time of listing and matching 100,000 results: runs of one tracker, and one large folder."""
    names = list(official_table("lasot"))
    frames, box = 2, np.ones((2, 4))
    sequences = [Sequence(name, "lasot", (Path("a"),) * frames, box) for name in names]
    runs = math.ceil(_FILES / len(names))
    for run in range(runs):
        folder = scratch / "tree/tracker" / f"default_{run:03d}"
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.txt").touch()
    seconds, found = timed(
        lambda: sum(s.has(q) for s in find_sources(str(scratch / "tree"), scratch) for q in sequences)
    )
    print(f"{found} results of {runs} runs listed and matched: {seconds:.2f} CPU s")
    large = scratch / "large"
    large.mkdir()
    for number in range(_FILES):
        (large / f"video-{number}.txt").touch()
    many = [Sequence(f"Video_{number}", "lasot", (Path("a"),) * frames, box) for number in range(_FILES)]
    seconds, found = timed(lambda: sum(s.has(q) for s in find_sources(str(large), scratch) for q in many))
    print(f"{found} results of one folder, whose names are written otherwise: {seconds:.2f} CPU s")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EBMTRACK_TEST_DATA"))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.data is None:
            print("without EBMTRACK_TEST_DATA there are no annotations of LaSOT to score against")
        else:
            score_lasot(Path(args.data), Path(folder) / "results", args.rounds)
        find_many(Path(folder))


if __name__ == "__main__":
    main()
