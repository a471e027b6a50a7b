"""Pictures for training, by the number of the iteration: the same whoever asks, and in whatever order."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import InputError
from ebm.images.reading import read_whole
from ebm.tasks.detection.data.records import DetectionImage, DetectionSet

__all__ = ["Example", "TrainingBatches", "generator_of", "read_example"]

# What numbers of one seed are drawn for, so that none of them is drawn twice.
ORDER, FLIP, NOISE = range(3)


@dataclass(frozen=True, eq=False)
class Example:
    """A picture and its boxes.

    Attributes:
        pixels: ``(3, H, W)``, RGB in [0, 1].
        boxes: xyxy, px, ``(N, 4)``.
        labels: ``(N,)`` int64, from 0.
    """

    pixels: Tensor
    boxes: Tensor
    labels: Tensor

    def flipped(self) -> "Example":
        """Mirrored left to right."""
        low, top, high, bottom = self.boxes.unbind(-1)
        width = self.pixels.shape[2]
        boxes = torch.stack((width - high, top, width - low, bottom), -1)
        return Example(self.pixels.flip(2), boxes, self.labels)


def read_example(image: DetectionImage) -> Example:
    """A picture of a set, decoded.

    Raises:
        InputError: if it cannot be read, or has another size than its annotation says.
    """
    pixels = read_whole(image.path, shown=(image.width, image.height)).pixels
    return Example(
        torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255,
        torch.from_numpy(np.array(image.boxes, dtype=np.float32)).reshape(-1, 4),
        torch.from_numpy(np.array(image.labels, dtype=np.int64)),
    )


def generator_of(seed: int, purpose: int, number: int, device: torch.device | None = None) -> torch.Generator:
    """A source of randomness of its own for every seed, purpose and number."""
    (mixed,) = np.random.SeedSequence([seed, purpose, number]).generate_state(1, np.uint64)
    return torch.Generator(device or "cpu").manual_seed(int(mixed >> np.uint64(1)))


class TrainingBatches:
    """Batches of pictures, upright ones apart from broad ones, in a new order every epoch.

    Args:
        data: to train on; every picture has a box.
        batch_size: pictures in a batch; what does not fill one is left out of its epoch.
        seed: of order and flips.
        flip: probability that a picture is mirrored.
        workers: threads that read ahead; what is read does not depend on them.

    Raises:
        InputError: if there are fewer pictures than a batch has.
    """

    def __init__(
        self, data: DetectionSet, batch_size: int, *, seed: int = 0, flip: float = 0.5, workers: int = 1
    ) -> None:
        self.data, self.seed, self.flip = data, seed, flip
        self.batch_size = require_count("batch_size", batch_size)
        self.workers = require_count("workers", workers)
        upright = np.array([image.height > image.width for image in data.images], dtype=bool)
        self._groups = [torch.from_numpy(np.flatnonzero(upright == kind)) for kind in (False, True)]
        if len(data) < batch_size:
            raise InputError(f"a batch has {batch_size} pictures, but there are {len(data)} to train on.")
        self._order = lru_cache(maxsize=4)(self._ordered)

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch."""
        return len(self.data) // self.batch_size

    def places(self, iteration: int) -> list[int]:
        """Places in the set of the pictures of an iteration, from 0."""
        epoch, place = divmod(iteration, self.per_epoch)
        return list(self._order(epoch)[place])

    def read(self, iteration: int) -> list[Example]:
        """The pictures of an iteration, decoded and mirrored as it falls."""
        flips = torch.rand(self.batch_size, generator=generator_of(self.seed, FLIP, iteration)) < self.flip
        read = (read_example(self.data.images[place]) for place in self.places(iteration))
        return [example.flipped() if flip else example for example, flip in zip(read, flips.tolist())]

    def ahead(self, first: int, last: int) -> Iterator[list[Example]]:
        """The batches of iterations `first` to `last` - 1, read while others are worked on."""
        with ThreadPoolExecutor(self.workers) as pool:
            waiting: list[Future[list[Example]]] = []
            try:
                for iteration in range(first, last):
                    while len(waiting) <= self.workers and iteration + len(waiting) < last:
                        waiting.append(pool.submit(self.read, iteration + len(waiting)))
                    yield waiting.pop(0).result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _ordered(self, epoch: int) -> Sequence[tuple[int, ...]]:
        """The batches of an epoch: of one kind, but for those of what was left over of both."""
        generator = generator_of(self.seed, ORDER, epoch)
        whole, rest = [], []
        for group in self._groups:
            shuffled = group[torch.randperm(len(group), generator=generator)]
            full = len(shuffled) // self.batch_size * self.batch_size
            whole += shuffled[:full].reshape(-1, self.batch_size).tolist()
            rest += shuffled[full:].tolist()
        if len(rest) >= self.batch_size:
            whole.append(rest[: self.batch_size])
        order = torch.randperm(len(whole), generator=generator)
        return [tuple(whole[place]) for place in order.tolist()]
