"""CPU time of decoding one JPEG with each library, whole and reduced, and whether the pixels are the same.

    python benchmarks/decoders.py --image photo.jpg

Without --image a textured 1280 x 720 picture of 200 kB is made. Ratios are to OpenCV in the same run.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ebm.exceptions import InputError
from ltr.data.decoders import DECODERS, OPENCV, Decoder, choose_decoder


def picture(size: tuple[int, int]) -> bytes:
    """A JPEG about as large as a photograph of that size."""
    rng = np.random.default_rng(0)
    layers = [cv2.resize(rng.integers(0, 256, (s, s, 3), dtype=np.uint8), size) for s in (8, 64, 256)]
    mixed = (0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]).astype(np.uint8)
    return cv2.imencode(".jpg", mixed, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def medians(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU ms of each, called in turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.process_time()
            function()
            times[name].append(1e3 * (time.process_time() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path, help="a JPEG")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--repeats", type=int, default=60)
    args = parser.parse_args(argv)
    cv2.setNumThreads(0)
    data = args.image.read_bytes() if args.image else picture((args.width, args.height))
    reference = OPENCV.decode(data)
    print(
        f"{reference.shape[1]} x {reference.shape[0]}, {len(data) / 1000:.0f} kB; one thread, median CPU ms"
    )
    found: dict[str, Decoder] = {}
    for name in DECODERS:
        try:
            found[name] = choose_decoder(name)
        except InputError as error:
            print(f"  {name:12} {error}")
    calls: dict[str, Callable[[], object]] = {}
    for name, decoder in found.items():
        for reduce in (1, 2, 4, 8):
            calls[f"{name} 1/{reduce}"] = lambda decoder=decoder, r=reduce: decoder.decode(data, r)  # type: ignore[misc]
    times = medians(calls, args.repeats)
    for name, decoder in found.items():
        difference = int(np.abs(decoder.decode(data).astype(int) - reference).max())
        row = "  ".join(f"1/{r} {times[f'{name} 1/{r}']:6.2f}" for r in (1, 2, 4, 8))
        ratio = times["opencv 1/1"] / times[f"{name} 1/1"]
        print(f"  {name:12} {row}   OpenCV / this {ratio:.2f}   largest difference of a pixel {difference}")
    print(f"'auto' is {choose_decoder().name}; libraries that cannot reduce leave that to OpenCV")


if __name__ == "__main__":
    main()
