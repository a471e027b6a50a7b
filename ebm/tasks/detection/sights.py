"""A set as a frozen detector sees it: features and hypotheses, kept for whoever looks again."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ebm.bars import terminal_bar
from ebm.tasks.detection.data.records import DetectionImage, DetectionSet, ImageId
from ebm.tasks.detection.data.training import Sample, load_samples
from ebm.tasks.detection.memory import bytes_of
from ebm.tasks.detection.protocol import Detector, Hypotheses, ImageBatch, columns_for
from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["Seen", "Sights", "alike_batches", "label_of", "see"]


@dataclass(frozen=True, eq=False)
class Seen:
    """A batch as the detector sees it.

    Attributes:
        batch: of pictures.
        pyramid: features.
        hypotheses: of categories that are looked for.
        label: of every column, -1 for those that are not.
        seconds: that features and hypotheses took.
    """

    batch: ImageBatch
    pyramid: Pyramid
    hypotheses: list[Hypotheses]
    label: Tensor
    seconds: float

    def known(self, found: Hypotheses) -> Hypotheses:
        """Those of categories that are looked for."""
        return found.chosen(self.label.to(found.column.device)[found.column] >= 0)


def see(detector: Detector, pictures: Sequence[Tensor], label: Tensor) -> Seen:
    """A batch as a detector sees it.

    Args:
        detector: frozen.
        pictures: ``(3, H, W)`` each, of the size that it takes them in.
        label: of its columns, see `label_of`.
    """
    start = time.perf_counter()
    batch = detector.prepare(pictures)
    pyramid = detector.features(batch)
    hypotheses = detector.hypotheses(batch, pyramid)
    seen = Seen(batch, pyramid, [], label, time.perf_counter() - start)
    return replace(seen, hypotheses=[seen.known(own) for own in hypotheses])


class Sights:
    """The batches of a set, each with its samples; a look again at what was kept costs nothing.

    `Seen.seconds` stays what the first look took.

    Args:
        detector: frozen.
        data: the pictures; its categories are those looked for.
        batch_size: pictures at a time.
        room: bytes that may be kept.
        skip_broken: go on without pictures that cannot be read; `unread` names them.
        progress: show a bar, where the output is a terminal.

    Attributes:
        label: of every column of the detector, see `label_of`.
        unread: pictures that could not be read, and why.

    Raises:
        UnknownNameError: if the detector does not know a category.
    """

    def __init__(
        self,
        detector: Detector,
        data: DetectionSet,
        *,
        batch_size: int = 4,
        room: float = 0,
        skip_broken: bool = False,
        progress: bool = False,
    ) -> None:
        self.detector, self.label = detector, label_of(detector, data)
        self.unread: dict[ImageId, str] = {}
        self._images, self._size, self._room = data.images, batch_size, room
        self._skip_broken, self._progress = skip_broken, progress
        self._kept: dict[int, tuple[list[Sample], Seen]] = {}

    def __iter__(self) -> Iterator[tuple[list[Sample], Seen]]:
        """Batch by batch.

        Raises:
            InputError: if a picture cannot be read, without `skip_broken`.
        """
        for place, images in enumerate(alike_batches(self._images, self._size, self._progress)):
            if place in self._kept:
                yield self._kept[place]
                continue
            samples = load_samples(images, self.detector.resizing, self.unread if self._skip_broken else None)
            if not samples:
                continue
            found = (samples, see(self.detector, [sample.picture for sample in samples], self.label))
            self._keep(place, found)
            yield found

    def _keep(self, place: int, found: tuple[list[Sample], Seen]) -> None:
        """Keep a batch if there is room; twice its features, as they lie in memory in two orders."""
        samples, seen = found
        size = 2 * bytes_of(seen.pyramid.maps.values()) + 2 * bytes_of([seen.batch.tensors])
        if size <= self._room:
            self._room -= size
            self._kept[place] = (samples, seen)


def label_of(detector: Detector, data: DetectionSet) -> Tensor:
    """Label of every column, -1 for those that the set does not have, ``(columns,)``."""
    columns = columns_for(detector, data.names)
    label = torch.full((len(detector.columns),), -1, dtype=torch.long)
    label[columns] = torch.arange(len(columns))
    return label


def alike_batches(
    images: Sequence[DetectionImage], size: int, progress: bool = False
) -> Iterable[list[DetectionImage]]:
    """Pictures of alike shapes together, with a bar where asked for."""
    order = sorted(range(len(images)), key=lambda place: images[place].height > images[place].width)
    batches = [
        [images[place] for place in order[start : start + size]] for start in range(0, len(order), size)
    ]
    return terminal_bar(batches, desc="detect", unit="batch") if progress else batches
