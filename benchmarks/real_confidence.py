"""Fit and measure what a light tracker says of itself: confidence, ``lost``, and the regions of its boxes.

    python benchmarks/real_confidence.py --videos DIR --out runs/confidence [--checkpoint FILE]

Tracks the videos that train nothing, each twice: as it is, and with its target out of sight for the middle
quarter. There a frame is what lies beside the target in the same frame, the largest of the four strips
around its box, continued by reflection to the size of the frame: the same scene and light, no target.

Fitted on all of them are the weights of the confidence and the temperature of the box density, which are
printed as a model card states them. What is reported of them is cross-validated: each video is judged by
numbers that were fitted on the others. The tracks themselves are made with what the weights carry; so fit,
store, and run again. Every frame is a row of ``frames.csv``.
"""

import argparse
import csv
import json
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from confidence_report import GONE, Row, columns, figure_of, report
from numpy.typing import NDArray
from real_sequences import own_video

from ebm.exceptions import EBMError, EffectiveSampleSizeWarning
from ebm.files import write_atomic
from ebm.pictures.style import rendered
from ltr.data.image_loader import read_image
from ltr.train_settings.real_data import HELD_OUT
from pytracking.analysis.box_calibration import BoxRecords, record_densities
from pytracking.analysis.confidence import fit_confidence
from pytracking.evaluation import data
from pytracking.evaluation.spec import make_spec
from pytracking.parameter.state_params import StateParams
from pytracking.tracker import make_tracker
from pytracking.tracker.base import Tracked
from pytracking.utils.loading import load_tracking_network

Array = NDArray[np.float64]


@dataclass(eq=False)
class Noted:
    """A tracker that writes down what it says.

    Attributes:
        tracker: it.
        sequence: what it tracks.
        rows: one for each frame but the first.
    """

    tracker: Any
    sequence: data.Sequence
    rows: list[Row]
    number: int = 0

    def initialize(self, image: Any, box: Any) -> Any:
        """See `pytracking.tracker.base.Tracker`."""
        return self.tracker.initialize(image, box)

    def track(self, image: Any) -> Tracked:
        """See `pytracking.tracker.base.Tracker`."""
        found: Tracked = self.tracker.track(image)
        self.number += 1
        truth = data.true_box(self.sequence, self.number)
        iou = 0.0 if truth is None else overlap(found.box, truth)
        told = (found.score, found.energy, found.state)
        self.rows.append(Row(self.sequence.name, self.number, truth is not None, iou, *told))
        return found


def overlap(one: Array, other: Array) -> float:
    """IoU of two boxes x, y, w, h."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    both = float(np.maximum(high - low, 0).prod())
    return both / float(one[2:].prod() + other[2:].prod() - both)


def first_frames(video: data.Sequence, count: int | None) -> data.Sequence:
    """So many frames of a video, or all."""
    return replace(video, frames=video.frames[:count], ground_truth=video.ground_truth[:count])


def without_target(video: data.Sequence) -> data.Sequence:
    """The same video, the target out of sight in the middle quarter; its boxes stay, to hide it by."""
    count = len(video)
    visible = np.ones(count, dtype=bool)
    visible[count * 3 // 8 : count * 5 // 8] = False
    return replace(video, name=video.name + GONE, target_visible=visible)


def beside(image: NDArray[np.uint8], box: Array) -> NDArray[np.uint8]:
    """What lies beside a box, the largest of four strips, continued by reflection to the image's size.

    Args:
        image: ``[H, W, 3]``.
        box: x, y, w, h, px; it is made a tenth larger.
    """
    height, width = image.shape[:2]
    margin = 0.05 * box[2:]
    left, top = np.clip(np.floor(box[:2] - margin).astype(int), 0, (width, height))
    right, bottom = np.clip(np.ceil(box[:2] + box[2:] + margin).astype(int), 0, (width, height))
    strips = (image[:top], image[bottom:], image[:, :left], image[:, right:])
    strip = max(strips, key=lambda part: part.shape[0] * part.shape[1])
    rows, columns = (np.arange(n) % max(2 * k, 1) for n, k in zip((height, width), strip.shape))
    rows, columns = (np.minimum(i, 2 * k - 1 - i) for i, k in zip((rows, columns), strip.shape))
    return np.ascontiguousarray(strip[rows[:, None], columns[None]])


def read(sequence: data.Sequence, number: int) -> NDArray[np.uint8]:
    """A frame, without the target where it is out of sight."""
    image = read_image(sequence.frames[number], sequence=sequence.name, frame=number)
    visible = sequence.target_visible is None or sequence.target_visible[number]
    return image if visible else beside(image, sequence.ground_truth[number])


def recorded(args: argparse.Namespace) -> tuple[list[Row], BoxRecords, StateParams]:
    """Track everything; the rows, the densities of every few frames, and the parameters in force."""
    spec = make_spec(args.tracker, args.parameter, checkpoint=args.checkpoint, device="cpu")
    network = load_tracking_network(spec.weights, tracker=spec.tracker)
    names = args.only or HELD_OUT
    plain = [first_frames(own_video(args.videos / name), args.frames) for name in names]
    rows: list[Row] = []

    def make(sequence: data.Sequence) -> Noted:
        print(f"{sequence.name}", flush=True)
        seed = spec.sequence_seed(sequence.name)
        made = make_tracker(spec.tracker, spec.params, network=network, device="cpu", seed=seed)
        return Noted(made, sequence, rows)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        sequences = [video for each in plain for video in (each, without_target(each))]
        records = record_densities(make, sequences, read, stride=args.stride)
    params = make(plain[0]).tracker.params
    return rows, records, params


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, required=True, help="folder that has the held-out videos")
    parser.add_argument("--only", action="append", metavar="NAME", help="these videos (default: held out)")
    parser.add_argument("--frames", type=int, help="only so many of each (default: all)")
    parser.add_argument("--tracker", default="atom")
    parser.add_argument("--parameter", default="nce_plus_lite")
    parser.add_argument("--checkpoint", type=Path, help="weights (default: the installed ones)")
    parser.add_argument("--stride", type=int, default=5, help="frames from one density to the next")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of frames.csv, calibration.json, .png"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Track, fit, print; 2 for bad input."""
    args = build_parser().parse_args(argv)
    cv2.setNumThreads(1)
    try:
        rows, records, params = recorded(args)
        score, energy, good, _ = columns(rows)
        weights = fit_confidence(score, energy, good)
        plot, lines = rendered(figure_of(rows, records), "png"), list(report(rows, records))
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "frames.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows([f"{v:.4f}" if isinstance(v, float) else v for v in row] for row in rows)
    temperature = records.best_temperature() * getattr(params, "density_temperature", 1.0)
    stated = {
        "confidence_weights": [round(w, 3) for w in weights],
        "density_temperature": round(temperature, 3),
    }
    write_atomic(args.out / "calibration.json", json.dumps(stated).encode())
    write_atomic(args.out / "calibration.png", plot)
    print("\n".join(lines))
    print(f"in force: {params.confidence_weights}; fitted: {json.dumps(stated)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
