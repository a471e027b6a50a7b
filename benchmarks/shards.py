"""Reading samples of six frames from a packed dataset against loose JPEGs, the same frames in the same run.

Warm: everything is in the page cache. Cold: the pages of the images are dropped from it before every round
(posix_fadvise), names and directories stay cached, so a tree larger than memory gains more than is shown.
Read alone, and read and decoded; wall clock and CPU.

    python benchmarks/shards.py --sequences 40 --frames 250
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from ltr.data.decoders import Decoder, choose_decoder
from ltr.data.image_loader import open_image
from ltr.data.video import Slice, VideoDataset
from ltr.dataset import LaSOT, PackedVideos
from ltr.dataset.packing import pack_dataset


def write_tree(root: Path, sequences: int, frames: int, size: tuple[int, int], seed: int = 0) -> list[str]:
    """A LaSOT tree of textured frames, each file different and of its own."""
    rng = np.random.default_rng(seed)
    names = [f"cat-{k + 1}" for k in range(sequences)]
    layers = [cv2.resize(rng.integers(0, 256, (s, s, 3), dtype=np.uint8), size) for s in (8, 64, 256)]
    picture = (0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]).astype(np.uint8)
    for name in names:
        folder = root / "cat" / name
        (folder / "img").mkdir(parents=True)
        for t in range(frames):
            data = cv2.imencode(".jpg", np.roll(picture, t, axis=1), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
            (folder / "img" / f"{t + 1:08d}.jpg").write_bytes(data.tobytes())
        (folder / "groundtruth.txt").write_text("10,10,50,40\n" * frames)
    return names


def forget(root: Path) -> None:
    """Drop the pages of every file below a folder from the cache."""
    for file in root.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def measure(dataset: VideoDataset, picks: np.ndarray, decoder: Decoder, decode: bool) -> tuple[float, float]:
    """Wall and CPU ms per sample: frames of one sequence, read as the sampler reads them."""
    wall, cpu = time.perf_counter(), time.process_time()
    for index, *frames in picks.tolist():
        sources = [dataset.frame_path(index, frame) for frame in frames]
        for source in sources:
            if isinstance(source, Slice):
                source.prefetch()
        for source in sources:
            image = open_image(source, decoder=decoder)
            if decode:
                image.pixels()
    return (
        1e3 * (time.perf_counter() - wall) / len(picks),
        1e3 * (time.process_time() - cpu) / len(picks),
    )


def draw(rng: np.random.Generator, samples: int, sequences: int, frames: int) -> np.ndarray:
    """``[samples, 1 + 6]`` a sequence, and six frames of it within 200."""
    base = rng.integers(0, max(frames - 200, 1), size=(samples, 1))
    at = np.minimum(base + rng.integers(0, 200, size=(samples, 6)), frames - 1)
    return np.concatenate((rng.integers(0, sequences, size=(samples, 1)), at), axis=1)


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to write the files (default: a temporary folder)")
    parser.add_argument("--sequences", type=int, default=40)
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--samples", type=int, default=300, help="samples of six frames a round")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    cv2.setNumThreads(0)
    decoder = choose_decoder()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        root = Path(folder)
        names = write_tree(root / "loose", args.sequences, args.frames, (args.width, args.height))
        loose = LaSOT(root / "loose", names)
        print(pack_dataset(loose, root / "packed", progress=False))
        data: dict[str, VideoDataset] = {"loose": loose, "packed": PackedVideos(root / "packed")}
        rng = np.random.default_rng(1)
        count = args.sequences * args.frames
        print(f"{count} frames of {args.width} x {args.height}; median ms per sample of 6")
        print(f"{'':24}{'loose':>16}{'packed':>16}{'loose / packed':>18}")
        for state in ("warm", "cold"):
            for job in ("read", "read and decode"):
                times: dict[str, list[tuple[float, float]]] = {name: [] for name in data}
                for number in range(args.rounds + 1):
                    picks = draw(rng, args.samples, len(names), args.frames)
                    for name in sorted(data, reverse=bool(number % 2)):
                        if state == "cold":
                            forget(root / name)
                        found = measure(data[name], picks, decoder, job != "read")
                        times[name] += [found] if number else []
                for column, what in ((0, "wall"), (1, "CPU")):
                    a, b = (statistics.median(t[column] for t in times[name]) for name in ("loose", "packed"))
                    print(f"{state + ', ' + job + ', ' + what:24}{a:13.3f}{b:16.3f}{a / b:16.2f}")


if __name__ == "__main__":
    main()
