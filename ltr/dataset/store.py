"""Annotations in memory: parsed once, packed into a few flat arrays that worker processes share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ltr.data.video import Annotation
from ltr.dataset.array_file import Arrays

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
        self._ratio = torch.zeros(0)  # NaN where a sequence has none; empty if none has one

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
        added = _flat([self._loose[index] for index in order])
        first = len(self._starts) - 1
        joined = _concatenate([self.arrays(), added])
        self._set(joined)
        self._where[torch.tensor(order)] = torch.arange(first, first + len(order))
        self._loose.clear()

    def arrays(self) -> Arrays:
        """The flat arrays: ``starts [P + 1]``, ``boxes [F, 4]``, ``flags [F, 2]``, ``ratio [F]`` or empty."""
        return {
            "starts": self._starts.numpy(),
            "boxes": self._boxes.numpy(),
            "flags": self._flags.numpy(),
            "ratio": self._ratio.numpy(),
        }

    def adopt(self, rows: npt.NDArray[np.int64], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over flat arrays, e.g. those of a file that is mapped into memory.

        Args:
            rows: ``[N]`` the row of each sequence, -1 where there is none.
            arrays: as `arrays` returns them; others are ignored.
        """
        self._loose.clear()
        self._set(arrays)
        self._where = torch.from_numpy(np.array(rows, dtype=np.int64))

    @staticmethod
    def joined(parts: Sequence[tuple["AnnotationStore", npt.NDArray[np.int64]]]) -> Arrays:
        """Flat arrays of some sequences of some packed stores, in that order."""
        return _concatenate(
            [_flat([store._unpack(int(store._where[i])) for i in chosen]) for store, chosen in parts]
        )

    def _set(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._starts, self._boxes = torch.from_numpy(arrays["starts"]), torch.from_numpy(arrays["boxes"])
        self._flags, self._ratio = torch.from_numpy(arrays["flags"]), torch.from_numpy(arrays["ratio"])

    def __getstate__(self) -> dict[str, object]:
        """Packed first, so that a worker process receives six tensors."""
        self.pack()
        return self.__dict__


def _flat(annotations: Sequence[Annotation]) -> Arrays:
    """Flat arrays of some annotations."""
    has_ratio = any(a.visible_ratio is not None for a in annotations)
    lengths = [len(annotation) for annotation in annotations]
    return {
        "starts": np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64),
        "boxes": np.concatenate([np.empty((0, 4), np.float32), *(a.boxes for a in annotations)]),
        "flags": np.concatenate(
            [np.empty((0, 2), np.bool_), *(np.stack((a.valid, a.visible), axis=1) for a in annotations)]
        ),
        "ratio": np.concatenate([np.empty(0, np.float32), *map(_ratio, annotations)])
        if has_ratio
        else np.empty(0, np.float32),
    }


def _concatenate(parts: Sequence[Arrays]) -> Arrays:
    """Flat arrays one behind the other."""
    ends = np.cumsum([0] + [part["starts"][-1] for part in parts])
    has_ratio = any(len(part["ratio"]) for part in parts)
    ratios = [p["ratio"] if len(p["ratio"]) else np.full(len(p["boxes"]), np.nan, np.float32) for p in parts]
    return {
        "starts": np.concatenate([[0], *(p["starts"][1:] + end for p, end in zip(parts, ends))]).astype(
            np.int64
        ),
        "boxes": np.concatenate([p["boxes"] for p in parts]),
        "flags": np.concatenate([p["flags"] for p in parts]),
        "ratio": np.concatenate(ratios) if has_ratio else np.empty(0, np.float32),
    }


def _ratio(annotation: Annotation) -> npt.NDArray[np.float32]:
    """``[T]`` visible ratio, NaN where there is none."""
    if annotation.visible_ratio is None:
        return np.full(len(annotation), np.nan, np.float32)
    return annotation.visible_ratio
