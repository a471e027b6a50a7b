"""Every parameter set of ATOM and DiMP over real frames, twice, with weights by formula: identical boxes?

Run: ``python benchmarks/same_tracks.py OTB_FOLDER [--frames 60] [--sets nce_plus default ...] [--out FILE]``.
The networks are those that the sets are made for, which takes about half an hour of one core for all of
them. The second run is in the same process with other global seeds. ``FILE`` gets a row for each set and
sequence as soon as it is done: the last box to two decimals, the states, milliseconds a frame, and whether
every box and score was the same to the last bit. Rows that it has are not done again. A set whose threshold
calls every frame lost, of random scores, is run without one. Exit code 1 if any differed.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ebm.exceptions import EBMError

ROOT = Path(__file__).resolve().parents[1]
SEQUENCES = ("Crossing", "Deer")


class Row(NamedTuple):
    """One set on one sequence."""

    tracker: str
    parameter: str
    sequence: str
    frames: int
    last_box: str
    threshold: str
    states: str
    milliseconds: int
    identical: str


def network_of(params: Any) -> Any:
    """The network of a set's train setting, with weights by formula."""
    from dataclasses import replace

    from ltr.train_settings.build import build_network
    from ltr.train_settings.recipe import find_recipe
    from tests.formula import fill

    recipe = find_recipe(*params.train_setting.split("/"))
    recipe = replace(recipe, network=replace(recipe.network, pretrained=False))
    net = build_network(recipe).net
    fill(net)
    return net.eval()


def tracked(
    tracker: str, params: Any, frames: list[np.ndarray], box: np.ndarray, seed: int
) -> tuple[np.ndarray, list[str]]:
    """Box and score of every frame but the first, ``[T, 5]``, and the states; `seed` is torch's own."""
    from pytracking.tracker import make_tracker

    torch.manual_seed(seed)
    made = make_tracker(tracker, params, network=network_of(params), device="cpu", seed=7)
    made.initialize(frames[0], box)
    results = [made.track(frame) for frame in frames[1:]]
    return np.array([[*r.box, r.score] for r in results]), [r.state for r in results]


def compared(tracker: str, name: str, folder: Path, count: int) -> Row:
    """Two tracks of a sequence."""
    from dataclasses import replace

    from ltr.data.image_loader import read_image
    from pytracking.evaluation.datasets import open_dataset
    from pytracking.parameter import find_parameters

    (sequence,) = open_dataset("otb", folder.parent, sequences=[folder.name], allow_missing=True)
    frames = [read_image(path) for path in sequence.frames[:count]]
    params: Any = find_parameters(tracker, name)
    threshold = "its own"
    start = time.perf_counter()
    first, states = tracked(tracker, params, frames, sequence.init_box, 1)
    if set(states) == {"lost"}:  # that would show nothing
        params, threshold = replace(params, target_not_found_threshold=-1e6), "none"
        start = time.perf_counter()
        first, states = tracked(tracker, params, frames, sequence.init_box, 1)
    second, _ = tracked(tracker, params, frames, sequence.init_box, 2)
    took = time.perf_counter() - start
    return Row(
        tracker=tracker,
        parameter=name,
        sequence=folder.name,
        frames=len(frames),
        last_box=" ".join(f"{value:.2f}" for value in first[-1, :4]),
        threshold=threshold,
        states=" ".join(f"{state} {states.count(state)}" for state in dict.fromkeys(states)),
        milliseconds=round(1000 * took / (2 * len(frames))),
        identical="yes" if np.array_equal(first, second) else "NO",
    )


def sets(wanted: list[str] | None) -> Iterator[tuple[str, str]]:
    """(tracker, parameter set) of all, or of those that are wanted."""
    from pytracking.parameter import parameter_names

    for tracker in ("atom", "dimp"):
        for name in parameter_names(tracker):
            if wanted is None or name in wanted:
                yield tracker, name


def known_rows(path: Path | None, frames: int) -> list[Row]:
    """What a file has of so many frames."""
    if path is None or not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        rows = [Row(*line.values()) for line in csv.DictReader(file)]
    rows = [row._replace(frames=int(row.frames), milliseconds=int(row.milliseconds)) for row in rows]
    return [row for row in rows if row.frames == frames]


def write(rows: list[Row], path: Path) -> None:
    """The rows as a csv table, sorted."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(sorted(rows))


def main() -> int:
    """Track, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="holds Crossing and Deer")
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="of each (default: 60)")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="these parameter sets (default: all)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="csv table")
    args = parser.parse_args()
    rows = known_rows(args.out, args.frames)
    done = {row[:3] for row in rows}
    try:
        for tracker, name in sets(args.sets):
            for sequence in SEQUENCES:
                if (tracker, name, sequence) in done:
                    continue
                row = compared(tracker, name, args.folder / sequence, args.frames)
                print(*row, sep="  ", flush=True)
                rows.append(row)
                if args.out is not None:
                    write(rows, args.out)
    except EBMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    same = sum(row.identical == "yes" for row in rows)
    print(f"{same} of {len(rows)} identical")
    return 0 if same == len(rows) else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # the formula is the tests'
    from ebm.threads import sleep_when_idle

    sleep_when_idle()
    raise SystemExit(main())
