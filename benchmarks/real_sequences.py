"""Trackers on real sequences beside the first box and OpenCV's CSRT and KCF: AUC of each, frames per second.

    python benchmarks/real_sequences.py --otb DIR --vot DIR --out runs/real --opencv PYTHON \\
        --tracker "light=atom/nce_plus_lite:FILE" --tracker "demo=dimp/nce_plus_small:FILE"
    python benchmarks/real_sequences.py --videos DIR --held-out --out runs/held --tracker ...

A tracker is LABEL=TRACKER/PARAMETER[:CHECKPOINT]. ``--opencv`` names a Python that has
opencv-contrib-python (a virtual environment of its own, since it replaces opencv-python). ``--held-out``:
the videos that the light settings keep out of training by name. Everything runs on one thread, one sequence
after another; frames per second are of processor time, so that other work on the machine does not count, and
include decoding. Results that are there are kept. Writes ``sequences.csv`` into the folder.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from ebm.exceptions import EBMError, InputError
from ebm.images.listing import image_names
from ltr.dataset.own_folders import find_image_folder
from ltr.train_settings.real_data import HELD_OUT
from pytracking.analysis.extract import evaluate
from pytracking.analysis.sources import BoxSource, FirstBoxSource, FolderSource
from pytracking.evaluation.data import Sequence as Video
from pytracking.evaluation.datasets import open_dataset
from pytracking.evaluation.results import ResultFolder
from pytracking.evaluation.running import run_dataset
from pytracking.evaluation.spec import make_spec

OPENCV = ("CSRT", "KCF")
RATES = ("auc", "op50", "precision")
SPEED = "processor_seconds.json"


class Asked(NamedTuple):
    """A tracker to run."""

    label: str
    tracker: str
    parameter: str
    checkpoint: Path | None

    @classmethod
    def parse(cls, text: str) -> "Asked":
        """From ``LABEL=TRACKER/PARAMETER[:CHECKPOINT]``."""
        label, _, rest = text.partition("=")
        name, _, file = rest.partition(":")
        tracker, _, parameter = name.partition("/")
        if not (label and tracker and parameter):
            raise InputError(f"--tracker reads LABEL=TRACKER/PARAMETER[:CHECKPOINT], got {text!r}.")
        return cls(label, tracker, parameter, Path(file) if file else None)


class Row(NamedTuple):
    """One tracker on one sequence; rates in percent."""

    sequence: str
    tracker: str
    frames: int
    auc: float
    op50: float
    precision: float


def vot_video(folder: Path) -> Video:
    """A sequence in the layout of VOT; a polygon counts as the box around it."""
    rows = np.loadtxt(folder / "groundtruth.txt", delimiter=",", ndmin=2)
    if rows.shape[1] == 8:
        x, y = rows[:, 0::2], rows[:, 1::2]
        rows = np.stack([x.min(1), y.min(1), np.ptp(x, axis=1), np.ptp(y, axis=1)], axis=1)
    images = find_vot_images(folder)
    return Video(folder.name, "otb", tuple(images[: len(rows)]), rows.astype(np.float64))


def find_vot_images(folder: Path) -> list[Path]:
    """Frames of a sequence in one of VOT's layouts."""
    places = [p for p in (folder / "color", folder / "sequence", folder) if p.is_dir() and image_names(p)]
    if not places:
        raise InputError(f"{folder} holds no frames of a VOT sequence.")
    return [places[0] / name for name in image_names(places[0])]


def own_video(folder: Path) -> Video:
    """A folder of images with ``groundtruth_rect.txt``."""
    place = find_image_folder(folder)
    boxes = np.loadtxt(folder / "groundtruth_rect.txt", delimiter=",", ndmin=2)
    return Video(folder.name, "otb", tuple(place / name for name in image_names(place)), boxes)


def videos_of(args: argparse.Namespace) -> list[Video]:
    """What to track.

    Raises:
        InputError: if nothing was named, or something is not there.
    """
    found: list[Video] = []
    if args.otb is not None:
        found += open_dataset("otb", args.otb, allow_missing=True)
    if args.vot is not None:
        found += [vot_video(file.parent) for file in sorted(args.vot.glob("*/groundtruth.txt"))]
    if args.videos is not None:
        names = HELD_OUT if args.held_out else sorted(p.name for p in args.videos.iterdir())
        found += [own_video(args.videos / name) for name in names]
    if not found:
        raise InputError("name sequences: --otb DIR, --vot DIR or --videos DIR.")
    return found


def tracked(asked: Asked, videos: list[Video], out: Path) -> FolderSource:
    """Track on one thread.

    Raises:
        InputError: if a sequence cannot be tracked.
    """
    print(f"{asked.label}: {asked.tracker}/{asked.parameter}", flush=True)
    spec = make_spec(asked.tracker, asked.parameter, checkpoint=asked.checkpoint, device="cpu")
    began = time.process_time()
    report = run_dataset(videos, spec, results_root=out / "results", workers=1)
    if report.failed:
        raise InputError(f"{asked.label}: {next(iter(report.failed.values()))}")
    note_speed(report.folder, time.process_time() - began, sum(o.frames for o in report.outcomes))
    return FolderSource(asked.label, ResultFolder(report.folder))


def note_speed(folder: Path, seconds: float, frames: int) -> None:
    """Keep what frames took, if any were tracked now."""
    if frames:
        (folder / SPEED).write_text(json.dumps({"seconds": seconds, "frames": frames}), encoding="utf-8")


def opencv_tracked(python: Path, name: str, videos: list[Video], out: Path) -> FolderSource:
    """OpenCV's tracker of that name, in the Python that has it.

    Raises:
        InputError: if that Python has no such tracker.
    """
    print(f"OpenCV {name}", flush=True)
    folder = out / "results" / f"opencv_{name}"
    folder.mkdir(parents=True, exist_ok=True)
    todo = [
        {"name": video.name, "frames": [str(f) for f in video.frames], "box": video.init_box.tolist()}
        for video in videos
        if not (folder / f"{video.name}.txt").is_file()
    ]
    script = Path(__file__).with_name("opencv_tracker.py")
    job = json.dumps({"tracker": name, "folder": str(folder), "videos": todo})
    done = subprocess.run([str(python), str(script)], input=job, text=True, check=False, capture_output=True)
    if done.returncode:
        raise InputError(f"{python} cannot run OpenCV's {name}: {done.stderr.strip()[-300:]}")
    note_speed(folder, float(done.stdout or 0), sum(len(video["frames"]) for video in todo))
    return FolderSource(name, ResultFolder(folder))


def rows_of(videos: Sequence[Video], sources: list[BoxSource]) -> Iterator[Row]:
    """What each tracker got on each sequence."""
    for video in videos:
        for tracker in evaluate([video], sources).trackers:
            yield Row(video.name, tracker.label, len(video), *(tracker.score(rate).mean for rate in RATES))


def table(rows: Sequence[Row], speeds: Mapping[str, float]) -> Iterator[str]:
    """AUC by sequence and tracker in Markdown, with means and frames per second."""
    labels = list(dict.fromkeys(row.tracker for row in rows))
    cell = {(row.sequence, row.tracker): row for row in rows}
    names = list(dict.fromkeys(row.sequence for row in rows))
    yield "| AUC, percent | frames | " + " | ".join(labels) + " |"
    yield "|---|---:" + "|---:" * len(labels) + "|"
    for name in names:
        values = " | ".join(f"{cell[name, label].auc:.1f}" for label in labels)
        yield f"| {name} | {cell[name, labels[0]].frames} | {values} |"
    for title, rate in (("mean AUC", "auc"), ("mean OP50", "op50"), ("mean precision, 20 px", "precision")):
        means = [fmean(getattr(cell[name, label], rate) for name in names) for label in labels]
        yield f"| {title} | | " + " | ".join(f"{value:.1f}" for value in means) + " |"
    shown = [f"{speeds[label]:.0f}" if label in speeds else "-" for label in labels]
    yield "| frames/s of processor time | | " + " | ".join(shown) + " |"


def speeds_of(sources: Sequence[BoxSource]) -> dict[str, float]:
    """Frames per second of processor time, images decoded, by label."""
    found = {}
    for source in sources:
        file = source.folder.path / SPEED if isinstance(source, FolderSource) else None
        if file is not None and file.is_file():
            noted = json.loads(file.read_text(encoding="utf-8"))
            found[source.label] = noted["frames"] / noted["seconds"]
    return found


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracker", action="append", default=[], help="LABEL=TRACKER/PARAMETER[:CHECKPOINT]")
    parser.add_argument("--otb", type=Path, help="sequences in the layout of OTB")
    parser.add_argument("--vot", type=Path, help="folder of sequences in the layout of VOT")
    parser.add_argument("--videos", type=Path, help="folder of videos of one's own")
    parser.add_argument("--held-out", action="store_true", help="of --videos those that train nothing")
    parser.add_argument("--opencv", type=Path, help="a Python with opencv-contrib-python")
    parser.add_argument("--out", type=Path, required=True, help="folder of results and sequences.csv")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Track, evaluate, print; 2 for bad input."""
    args = build_parser().parse_args(argv)
    try:
        videos = videos_of(args)
        sources: list[BoxSource] = [tracked(Asked.parse(text), videos, args.out) for text in args.tracker]
        if args.opencv is not None:
            sources += [opencv_tracked(args.opencv, name, videos, args.out) for name in OPENCV]
        sources.append(FirstBoxSource("first box"))
        rows = list(rows_of(videos, sources))
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with (args.out / "sequences.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows([f"{v:.2f}" if isinstance(v, float) else v for v in row] for row in rows)
    print("\n".join(table(rows, speeds_of(sources))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
