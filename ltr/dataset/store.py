"""Annotations in memory: parsed once, packed into a few flat arrays that worker processes share."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ltr.data.video import Annotation

__all__ = ["AnnotationStore"]


class AnnotationStore:
    """Annotations by sequence index; what is missing is read on demand and kept.

    Packed annotations lie in tensors rather than in Python objects for two reasons. A forked worker that
    touches Python objects writes to their reference counts and so copies every page of them; flat arrays stay
    shared. And a tensor travels to a spawned worker as a handle to shared memory, not as a copy.
    """

    def __init__(self, count: int) -> None:
        """An empty store for sequences 0..count-1."""
        self._loose: dict[int, Annotation] = {}
        self._where = torch.full((count,), -1, dtype=torch.int64)  # row in _starts, -1: not packed
        self._starts = torch.zeros(1, dtype=torch.int64)  # [P + 1] first frame of each packed sequence
        self._boxes = torch.zeros(0, 4)
        self._flags = torch.zeros(0, 2, dtype=torch.bool)  # valid, visible
        self._ratio = torch.zeros(0)  # NaN where a sequence has none

    def get(self, index: int, read: Callable[[int], Annotation]) -> Annotation:
        """The annotation of a sequence; `read` is called the first time."""
        row = int(self._where[index])
        if row >= 0:
            return self._unpack(row)
        if index not in self._loose:
            self._loose[index] = read(index)
        return self._loose[index]

    def _unpack(self, row: int) -> Annotation:
        """Views of one packed sequence; nothing is copied."""
        part = slice(int(self._starts[row]), int(self._starts[row + 1]))
        flags, ratio = self._flags[part].numpy(), self._ratio[part].numpy()
        return Annotation(
            boxes=self._boxes[part].numpy(),
            valid=flags[:, 0],
            visible=flags[:, 1],
            visible_ratio=None if len(ratio) == 0 or np.isnan(ratio[0]) else ratio,
        )

    def pack(self) -> None:
        """Move everything read so far into the flat arrays."""
        if not self._loose:
            return
        order = sorted(self._loose)
        added = [self._loose[index] for index in order]
        first = len(self._starts) - 1
        lengths = torch.tensor([len(annotation) for annotation in added])
        self._where[torch.tensor(order)] = torch.arange(first, first + len(order))
        self._starts = torch.cat((self._starts, self._starts[-1] + lengths.cumsum(0)))
        self._boxes = torch.cat((self._boxes, *(torch.from_numpy(a.boxes) for a in added)))
        self._flags = torch.cat((self._flags, *(_flags(a) for a in added)))
        self._ratio = torch.cat((self._ratio, *(_ratio(a) for a in added)))
        self._loose.clear()

    def __getstate__(self) -> dict[str, object]:
        """Packed first, so that a worker process receives six tensors."""
        self.pack()
        return self.__dict__


def _flags(annotation: Annotation) -> Tensor:
    """``[T, 2]`` valid and visible."""
    return torch.from_numpy(np.stack((annotation.valid, annotation.visible), axis=1))


def _ratio(annotation: Annotation) -> Tensor:
    """``[T]`` visible ratio, NaN where there is none."""
    if annotation.visible_ratio is None:
        return torch.full((len(annotation),), float("nan"))
    return torch.from_numpy(annotation.visible_ratio)
