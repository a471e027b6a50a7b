"""A results file of a million detections: read row by row and scored, beside ``json.load`` of the same file.

Run: ``python benchmarks/detection_results.py``; needs the extra ``detection``. Prints processor seconds and
the most memory of a fresh process for each, above what the imports take, and the ratios to ``json.load``. The
detections are objects of 5000 drawn pictures, shifted by lot, as many as a detector gives on COCO's val2017.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ebm.tasks.detection.data.records import Category, DetectionImage, DetectionSet
from ebm.tasks.detection.results_file import read_detections
from ebm.tasks.detection.scoring import score_detections

PICTURES, CATEGORIES, OBJECTS = 5000, 80, 7


def drawn_set() -> DetectionSet:
    """Pictures of 640 x 480 px with seven objects each."""
    rng = np.random.default_rng(0)
    images = []
    for number in range(PICTURES):
        corner = rng.uniform(0, 400, (OBJECTS, 2))
        boxes = np.concatenate((corner, corner + rng.uniform(5, 100, (OBJECTS, 2))), axis=1).astype(
            np.float32
        )
        labels, crowd = rng.integers(0, CATEGORIES, OBJECTS), np.zeros(OBJECTS, dtype=bool)
        images.append(DetectionImage(number + 1, Path("none"), boxes, labels, crowd, 640, 480))
    return DetectionSet(tuple(images), tuple(Category(k + 1, str(k)) for k in range(CATEGORIES)))


def write_results(file: Path, detection_set: DetectionSet, count: int) -> None:
    """A results file of detections near objects."""
    rng = np.random.default_rng(1)
    with file.open("w") as stream:
        for row in range(count):
            image = detection_set.images[rng.integers(PICTURES)]
            place = rng.integers(OBJECTS)
            x, y, right, bottom = (image.boxes[place] + rng.normal(0, 3, 4)).tolist()
            bbox = [round(value, 2) for value in (x, y, max(right - x, 1), max(bottom - y, 1))]
            entry = {"image_id": image.image_id, "category_id": int(image.labels[place]) + 1, "bbox": bbox}
            stream.write(
                ("," if row else "[") + json.dumps({**entry, "score": round(float(rng.random()), 5)})
            )
        stream.write("]")


def loaded(file: Path) -> None:
    """The baseline."""
    with file.open() as stream:
        json.load(stream)


def read(file: Path) -> None:
    """Every row checked and grouped by picture."""
    read_detections(file, drawn_set())


def scored(file: Path) -> None:
    """Read, and COCO's average precision."""
    detection_set = drawn_set()
    score_detections(read_detections(file, detection_set)[0], detection_set)


def _measured(what: Callable[[Path], None], file: Path) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    what(file)
    return time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="default: %(default)s")
    count = parser.parse_args().rows
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        write_results(file, drawn_set(), count)
        print(f"{count} detections, {file.stat().st_size / 1e6:.0f} MB")
        found = {}
        for what in (loaded, read, scored):
            with context.Pool(1) as pool:
                found[what.__name__] = pool.apply(_measured, (what, file))
    base = found["loaded"]
    for name, (seconds, memory) in found.items():
        ratios = f"{seconds / base[0]:.2f} and {memory / base[1]:.2f} of json.load"
        print(f"{name:7} {seconds:6.1f} s  {memory:6.0f} MiB  {ratios}")


if __name__ == "__main__":
    main()
