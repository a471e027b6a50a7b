"""Pictures for training: resized, flipped by lot, in batches of alike shapes; the same in any worker.

Everything that is drawn follows from the seed, the epoch and the picture or the batch: how many workers there
are changes nothing, and a run goes on from (epoch, step) as if it had never stopped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ebm.checks import require_count
from ebm.exceptions import DomainError, InputError
from ebm.images.reading import read_whole
from ebm.tasks.detection.data.records import DetectionImage, DetectionSet, ImageId

__all__ = [
    "Batches",
    "Resizing",
    "Sample",
    "TrainingPictures",
    "load_sample",
    "load_samples",
    "training_loader",
]

_FLIP, _ORDER = 0, 1  # streams of draws


@dataclass(frozen=True)
class Resizing:
    """To what size pictures are brought, their shape kept.

    Attributes:
        short: of the shorter side, px.
        long: that the longer side may have at most, px.
        enlarge: whether smaller pictures are enlarged.

    Source: 800 and 1333 in both papers (spec/ebm.md, 6.2).
    """

    short: int = 800
    long: int = 1333
    enlarge: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that are none.

        Raises:
            DomainError: if a side is below 1 or the longer one below the shorter.
        """
        require_count("short", self.short)
        if self.long < self.short:
            raise DomainError(
                f"the longer side may have {self.long} px, less than the shorter, {self.short}."
            )

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that a picture of a width and a height gets, px."""
        scale = min(self.short / min(width, height), self.long / max(width, height))
        scale = scale if self.enlarge else min(scale, 1.0)
        return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture as a detector takes it, and what is in it.

    Attributes:
        picture: ``[3, H, W]`` float32, RGB in [0, 1].
        boxes: ``[N, 4]`` float32, xyxy, px of `picture`.
        labels: ``[N]`` int64.
        image_id: of the picture in its set.
        scale: width and height of `picture` over those of the file, ``[2]`` float32.
        flipped: left for right.
    """

    picture: Tensor
    boxes: Tensor
    labels: Tensor
    image_id: ImageId
    scale: Tensor
    flipped: bool = False


def load_sample(image: DetectionImage, resizing: Resizing | None = None, *, flip: bool = False) -> Sample:
    """Read a picture.

    Args:
        image: which, and its boxes.
        resizing: None: the picture's own size.
        flip: left for right.

    Raises:
        InputError: if its file is missing, damaged, or another picture than the annotated one.
        MissingPackageError: if Pillow is not installed.
    """
    wanted = (image.width, image.height) if resizing is None else resizing.size(image.width, image.height)
    # Decoding at a fraction of the size blurs no more than the resizing from there on.
    least = (2 * wanted[0], 2 * wanted[1])
    pixels = read_whole(image.path, (image.width, image.height), least).pixels
    picture = torch.from_numpy(_resized(pixels, wanted)).permute(2, 0, 1).float().div_(255)
    scale = torch.tensor([wanted[0] / image.width, wanted[1] / image.height])
    boxes = torch.from_numpy(image.boxes) * scale.repeat(2)
    if flip:
        picture = picture.flip(2)
        boxes = torch.stack(
            (wanted[0] - boxes[:, 2], boxes[:, 1], wanted[0] - boxes[:, 0], boxes[:, 3]), dim=1
        )
    return Sample(
        picture.contiguous(), boxes, torch.from_numpy(image.labels), image.image_id, scale, flipped=flip
    )


def load_samples(
    images: Sequence[DetectionImage], resizing: Resizing | None, unread: dict[ImageId, str] | None = None
) -> list[Sample]:
    """Read pictures.

    Args:
        images: which.
        resizing: None: their own sizes.
        unread: takes what is wrong with pictures that cannot be read, which are left out then.

    Raises:
        InputError: if one cannot be read and `unread` is None.
    """
    samples = []
    for image in images:
        try:
            samples.append(load_sample(image, resizing))
        except InputError as error:
            if unread is None:
                raise
            unread[image.image_id] = str(error)
    return samples


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels.copy()  # what Pillow hands out cannot be written to
    from PIL import Image

    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


class TrainingPictures(Dataset[Sample]):
    """The pictures of a set as samples; the key of one is its (epoch, place in the set)."""

    def __init__(
        self, detection_set: DetectionSet, resizing: Resizing, *, flip: float = 0.5, seed: int = 0
    ) -> None:
        """Take over a set.

        Args:
            detection_set: see `DetectionSet.for_training`.
            resizing: of its pictures.
            flip: probability of left for right.
            seed: of the draws.

        Raises:
            InputError: if the set is empty.
            DomainError: if `flip` is no probability.
        """
        if not len(detection_set):
            raise InputError("the set has no picture with an object that can be trained on.")
        require_count("seed", seed, least=0)
        if not 0 <= flip <= 1:
            raise DomainError(f"flip is a probability, not {flip}.")
        self.detection_set, self.resizing, self.flip, self.seed = detection_set, resizing, flip, seed

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.detection_set)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The sample of an (epoch, place); raises as `load_sample`."""
        epoch, place = key
        draw = _generator(self.seed, _FLIP, epoch, place).random()
        return load_sample(self.detection_set.images[place], self.resizing, flip=bool(draw < self.flip))


@dataclass(frozen=True, eq=False)
class Batches(Sampler[list[tuple[int, int]]]):
    """Endless batches of keys of `TrainingPictures`, each of pictures that are all upright or all lying.

    Each picture comes once in every epoch. Batches of alike shapes are padded little. An epoch has a last,
    smaller batch of each shape.

    Attributes:
        detection_set: the pictures.
        size: of a batch.
        seed: of the order.
        epoch: to start with.
        step: of that epoch to start with, from 0.
    """

    detection_set: DetectionSet
    size: int
    seed: int = 0
    epoch: int = 0
    step: int = 0
    _lying: NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Look at the shapes.

        Raises:
            InputError: if the set is empty, or the step lies behind the end of an epoch.
            DomainError, TypeError: if the size is no count.
        """
        require_count("size", self.size)
        require_count("seed", self.seed, least=0)
        if not len(self.detection_set):
            raise InputError("the set has no picture with an object that can be trained on.")
        lying = np.array([image.width >= image.height for image in self.detection_set.images])
        object.__setattr__(self, "_lying", lying)
        if not 0 <= self.step < self.steps_per_epoch:
            raise InputError(
                f"an epoch has {self.steps_per_epoch} steps of {self.size}; there is no {self.step}."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the same in each."""
        return sum(-(-int(count) // self.size) for count in (self._lying.sum(), (~self._lying).sum()))

    def place_of(self, iteration: int) -> tuple[int, int]:
        """(epoch, step) of an iteration counted from the first batch of epoch 0."""
        return divmod(iteration, self.steps_per_epoch)

    def of_epoch(self, epoch: int) -> list[list[tuple[int, int]]]:
        """The batches of an epoch."""
        rng = _generator(self.seed, _ORDER, epoch)
        order = rng.permutation(len(self.detection_set))
        groups = (order[self._lying[order]], order[~self._lying[order]])
        batches = [
            [(epoch, int(place)) for place in group[start : start + self.size]]
            for group in groups
            for start in range(0, len(group), self.size)
        ]
        return [batches[place] for place in rng.permutation(len(batches))]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """All batches from (epoch, step) on, without end."""
        epoch, step = self.epoch, self.step
        while True:
            yield from self.of_epoch(epoch)[step:]
            epoch, step = epoch + 1, 0


def _generator(*place: int) -> np.random.Generator:
    """A generator of its own for each place."""
    return np.random.default_rng(np.random.SeedSequence(place))


def _listed(samples: Sequence[Sample]) -> list[Sample]:
    return list(samples)


def training_loader(pictures: TrainingPictures, batches: Batches, *, workers: int = 0) -> "DataLoader[Any]":
    """Endless batches, each a list of samples: their pictures differ in size, and detectors pad them.

    Args:
        pictures: the samples.
        batches: their order, and where it starts.
        workers: processes that read; how many makes no difference to what comes.
    """
    return DataLoader(
        pictures,
        batch_sampler=batches,
        collate_fn=_listed,
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=torch.Generator().manual_seed(0),  # otherwise the global one is drawn from
    )
