"""CPU time of one training sample: our order of work against the usual one, in one run on the same frames.

The usual order, which the baseline follows step by step: parse the annotation files for every sample, decode,
grey and mirror the full frame, crop, convert to float, change brightness, mirror, normalise. Both crop with
the same function and draw the same kind of proposals, so that the difference is the order and what is
computed where. Beside the two: our order with OpenCV's decoder, and with crops cut from JPEGs decoded at a
half, a quarter or an eighth of their size where the crop is that small anyway (``decode="reduced"``).

    python benchmarks/training_data.py
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ltr.data.crops import target_image_crop
from ltr.data.decoders import DECODERS, OPENCV, Decoder, choose_decoder
from ltr.data.image_loader import read_image
from ltr.data.processing import DiMPProcessing, ProcessingConfig, jittered_box
from ltr.data.proposals import BoxProposals
from ltr.data.sampler import DiMPSampler, choose_frames
from ltr.dataset.lasot import LaSOT
from ltr.models.target_classifier.labels import gaussian_label_function

NAME = "cat-1"
TURN = 5  # timed calls of one function before it is the next one's turn
PICTURES = 24  # different frames; the rest of the video are links to them
CONFIG = ProcessingConfig()
MEAN, STD = (torch.tensor(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def write_video(root: Path, size: tuple[int, int], frames: int) -> None:
    """A LaSOT sequence of textured frames, as large on disk as photographs of that size."""
    folder = root / "cat" / NAME
    (folder / "img").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for t in range(frames):
        file = folder / "img" / f"{t + 1:08d}.jpg"
        if t < PICTURES:
            layers = [cv2.resize(rng.integers(0, 256, (s, s, 3), dtype=np.uint8), size) for s in (8, 64, 256)]
            picture = (0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]).astype(np.uint8)
            cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        else:
            os.link(folder / "img" / f"{t % PICTURES + 1:08d}.jpg", file)
    rows = [f"{300 + t % 400},{200 + t % 150},{150 + t % 40},{110 + t % 30}" for t in range(frames)]
    (folder / "groundtruth.txt").write_text("\n".join(rows))
    for flags in ("full_occlusion.txt", "out_of_view.txt"):
        (folder / flags).write_text(",".join("0" * frames))


class Baseline:
    """The usual order of work."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "cat" / NAME
        self.proposals = BoxProposals(CONFIG.proposals)

    def annotation(self) -> tuple[np.ndarray, np.ndarray]:
        """Boxes ``[T, 4]`` and visibility ``[T]``, from the text files."""
        boxes = np.loadtxt(self.folder / "groundtruth.txt", delimiter=",").astype(np.float32)
        hidden = [
            np.loadtxt(self.folder / f, delimiter=",") for f in ("full_occlusion.txt", "out_of_view.txt")
        ]
        return boxes, (hidden[0] == 0) & (hidden[1] == 0) & (boxes[:, 2:] > 0).all(axis=1)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng(index)
        boxes, visible = self.annotation()
        chosen = choose_frames(visible, (3, 3), 200, "causal", rng)
        assert chosen is not None
        grey, flip = rng.random() < CONFIG.grayscale, rng.random() < CONFIG.flip_sample
        jitter = ((CONFIG.center_jitter_train, CONFIG.scale_jitter_train),) * 3
        jitter += ((CONFIG.center_jitter_test, CONFIG.scale_jitter_test),) * 3
        crops = []
        for t, (centre, scale) in zip(np.concatenate(chosen), jitter, strict=True):
            file = self.folder / "img" / f"{t + 1:08d}.jpg"
            frame, box = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), boxes[t].copy()
            if grey:
                frame = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)] * 3, axis=2)
            if flip:
                frame = np.fliplr(frame).copy()
                box[0] = frame.shape[1] - 1 - (box[0] + box[2])
            around = jittered_box(box, centre, scale, rng)
            crop, inside = target_image_crop(
                frame,
                around,
                box,
                CONFIG.search_area_factor,
                CONFIG.output_sz,
                CONFIG.crop_type,
                CONFIG.max_scale_change,
            )
            crops.append(self.as_tensor(crop, inside, rng))
        images, annos = torch.stack([c[0] for c in crops]), torch.stack([c[1] for c in crops])
        drawn = [self.proposals(anno[None]) for anno in annos[3:]]
        return {
            "images": images,
            "annos": annos,
            "proposals": torch.cat([d.boxes for d in drawn]),
            "log_q": torch.cat([d.log_q for d in drawn]),
            "labels": gaussian_label_function(
                annos, CONFIG.label_sigma, CONFIG.filter_size, CONFIG.feature_sz, CONFIG.output_sz
            ),
        }

    @staticmethod
    def as_tensor(
        crop: np.ndarray, box: np.ndarray, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Float, brightness, mirror, normalise."""
        image = torch.from_numpy(crop.transpose(2, 0, 1)).float()
        image = image.mul(float(rng.uniform(0.8, 1.2)) / 255.0).clamp(0.0, 1.0)
        anno = torch.from_numpy(box)
        if rng.random() < 0.5:
            image = image.flip(2)
            anno = torch.cat((CONFIG.output_sz - 1 - (anno[:1] + anno[2:3]), anno[1:]))
        return (image - MEAN) / STD, anno


def median_ms(functions: dict[str, Callable[[int], object]], repeats: int) -> dict[str, float]:
    """Median CPU milliseconds of each function.

    They are called in turns, so that all see the same machine, and several times in each turn, since a worker
    that loads data does nothing else: what the others leave in the caches is not its business.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for first in range(0, repeats, TURN):
        for name, function in functions.items():
            for index in range(first, first + TURN + 1):
                start = time.process_time()
                function(index)
                if index > first:
                    times[name].append(1e3 * (time.process_time() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def sampler(data: LaSOT, config: ProcessingConfig, decoder: Decoder) -> DiMPSampler:
    """Three train and three test frames a sample."""
    return DiMPSampler([data], None, 1, 200, 3, 3, DiMPProcessing(config), decoder=decoder)


def measure(root: Path, options: argparse.Namespace) -> tuple[dict[str, float], str]:
    """Median CPU milliseconds of every way to make a sample, and of decoding; and the decoder's name."""
    write_video(root, (options.width, options.height), options.frames)
    decoder, data = choose_decoder(options.decoder), LaSOT(root, [NAME])
    samplers = {
        f"ours, {decoder.name}": sampler(data, CONFIG, decoder),
        "ours, opencv": sampler(data, CONFIG, OPENCV),
        "ours, reduced": sampler(data, replace(CONFIG, decode="reduced"), decoder),
    }
    files = [root / "cat" / NAME / "img" / f"{t + 1:08d}.jpg" for t in range(6)]
    functions: dict[str, Callable[[int], object]] = {
        name: found.__getitem__ for name, found in samplers.items()
    }
    functions |= {
        "usual order": Baseline(root).__getitem__,
        "decoding alone, opencv": lambda _: [read_image(file) for file in files],
        f"decoding alone, {decoder.name}": lambda _: [read_image(f, decoder=decoder) for f in files],
    }
    return median_ms(functions, options.repeats), decoder.name


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=1000, help="frames, and annotation lines, of the video")
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--decoder", default="auto", choices=("auto", *DECODERS))
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        found, decoder = measure(Path(folder), options)
    print(f"One sample: 6 frames of {options.width} x {options.height}, crops of {CONFIG.output_sz} px, 128")
    print(
        "proposals on each of 3 test frames; one thread, median CPU ms, and the usual order's multiple of it."
    )
    for name, value in found.items():
        print(f"  {name:28} {value:7.1f}  {found['usual order'] / value:6.2f}")
    for name in dict.fromkeys(("opencv", decoder)):
        ours = found[f"ours, {name}"] - found[f"decoding alone, {name}"]
        usual = found["usual order"] - found["decoding alone, opencv"]
        print(f"all but decoding with {name}: ours {ours:.1f} ms, usual {usual:.1f} ms")


if __name__ == "__main__":
    main()
