"""Memory of a loader's worker processes over many samples: it must not grow.

    python benchmarks/loader_memory.py --samples 10000 --workers 2

Prints every worker's own memory (RssAnon) along the way, and the growth between the first tenth and the end.
"""

import argparse
import multiprocessing
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from ltr.data.decoders import choose_decoder
from ltr.data.loader import make_loader
from ltr.data.processing import DiMPProcessing, ProcessingConfig
from ltr.data.sampler import DiMPSampler
from ltr.data.video import VideoDataset
from ltr.dataset import LaSOT, PackedVideos
from ltr.dataset.packing import pack_dataset

LIMIT = 20.0  # MB; 10,000 samples of 6 crops would be 7500 MB


def write_tree(root: Path, sequences: int, frames: int, size: tuple[int, int]) -> list[str]:
    """A small LaSOT tree."""
    rng = np.random.default_rng(0)
    names = [f"cat-{k + 1}" for k in range(sequences)]
    for name in names:
        folder = root / "cat" / name
        (folder / "img").mkdir(parents=True)
        picture = cv2.resize(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), size)
        for t in range(frames):
            cv2.imwrite(str(folder / "img" / f"{t + 1:08d}.jpg"), np.roll(picture, t, axis=1))
        (folder / "groundtruth.txt").write_text("".join(f"{40 + t % 50},40,50,40\n" for t in range(frames)))
    return names


def own_memory(pid: int) -> float:
    """Memory that a process does not share, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 1 if a worker's memory has grown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--packed", action="store_true", help="read shards instead of loose files")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = write_tree(root / "l", 20, 60, (args.width, args.height))
        dataset: VideoDataset = LaSOT(root / "l", names)
        if args.packed:
            pack_dataset(dataset, root / "p", progress=False)
            dataset = PackedVideos(root / "p")
        config = ProcessingConfig()
        sampler = DiMPSampler([dataset], None, 1, 30, 3, 3, DiMPProcessing(config), decoder=choose_decoder())
        loader = make_loader(
            sampler,
            batch_size=10,
            start_index=0,
            num_samples=args.samples,
            workers=args.workers,
            device="cpu",
        )
        steps, history = max(len(loader) // 20, 1), []
        for number, _ in enumerate(loader, start=1):
            if number % steps == 0:
                pids = [child.pid for child in multiprocessing.active_children() if child.pid]
                history.append(max(own_memory(pid) for pid in pids))
                print(f"{number * 10:7} samples  {history[-1]:8.1f} MB in the largest worker", flush=True)
        loader.close()
    early, late = max(history[1:4]), max(history[-3:])
    print(f"growth after the first fifth: {late - early:+.1f} MB (allowed: {LIMIT:g})")
    return int(late - early > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
