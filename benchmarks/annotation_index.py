"""Start-up on a tree as large as LaSOT: annotations parsed, against read from the index of an earlier run.

The text files are real ones of 1120 sequences of 2500 frames; the images are empty files, since start-up
counts them and does not open them.

    python benchmarks/annotation_index.py --sequences 280 1120 --frames 2500
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from ebm.integrity.json_files import write_sealed_json
from ltr.data.usable import usable_sequences
from ltr.dataset import LaSOT
from ltr.dataset.index import index_file
from ltr.dataset.tools.layouts import check_dataset


def write_tree(root: Path, sequences: int, frames: int) -> list[str]:
    """A LaSOT tree whose images are links to one file."""
    names = [f"cat-{k + 1}" for k in range(sequences)]
    rows = "".join(f"{300 + t % 400},{200 + t % 150},{150 + t % 40},{110 + t % 30}\n" for t in range(frames))
    flags = ",".join("0" * frames)
    for name in names:
        folder = root / "cat" / name
        (folder / "img").mkdir(parents=True)
        first = folder / "img" / "00000001.jpg"
        first.write_bytes(b"\xff\xd8\xff\xda\xff\xd9")
        for t in range(1, frames):
            os.link(first, folder / "img" / f"{t + 1:08d}.jpg")
        (folder / "groundtruth.txt").write_text(rows)
        for file in ("full_occlusion.txt", "out_of_view.txt"):
            (folder / file).write_text(flags)
    return names


def seconds(root: Path, names: list[str]) -> float:
    """Time until samples could be drawn."""
    start = time.perf_counter()
    usable, _ = usable_sequences(LaSOT(root, names), 20, 13)
    assert len(usable) == len(names)
    return time.perf_counter() - start


def measure(folder: Path, sequences: int, frames: int) -> None:
    """Measure one tree and print."""
    os.environ["EBMTRACK_CACHE"] = str(folder / "cache")
    root = folder / "LaSOT"
    names = write_tree(root, sequences, frames)
    first, later = seconds(root, names), [seconds(root, names) for _ in range(5)]
    size = index_file("lasot", root).stat().st_size
    write_sealed_json(root / "generated.json", {"layout": "lasot", "sequences": names})
    start, spent = time.perf_counter(), time.process_time()
    report = check_dataset(root, "lasot")
    checked, spent = time.perf_counter() - start, time.process_time() - spent
    assert not report.faults
    again = sorted(later)[2]
    print(f"{sequences} sequences of {frames} frames, warm file cache, wall clock:")
    print(f"  parsed, index written       {first:8.2f} s")
    print(f"  from the index              {again:8.2f} s   ({size / 1e6:.0f} MB)")
    print(f"  parsed / indexed            {first / again:8.1f}")
    print(f"  'dataset check' on top      {checked:8.2f} s   ({spent:.2f} s of the processor)")


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to write the files (default: a temporary folder)")
    parser.add_argument("--sequences", type=int, nargs="+", default=[280], metavar="N")
    parser.add_argument("--frames", type=int, default=2500)
    args = parser.parse_args(argv)
    for sequences in args.sequences:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            measure(Path(folder), sequences, args.frames)


if __name__ == "__main__":
    main()
