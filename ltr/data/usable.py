"""Which sequences of a dataset can be sampled from, and which are left out, by name and with the reason."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ebm.bars import progress_bar
from ebm.exceptions import InputError
from ltr.data.video import VideoDataset

__all__ = ["Prepared", "Skipped", "broken_annotations", "usable_sequences"]

_SHOWN = 5  # names in a message


@dataclass(frozen=True)
class Skipped:
    """Sequences of a dataset that cannot be sampled from."""

    dataset: str
    names: tuple[str, ...]
    total: int  # sequences in the dataset
    reason: str

    def describe(self) -> str:
        """How many, why, and the first names."""
        shown = ", ".join(self.names[:_SHOWN])
        more = f" and {len(self.names) - _SHOWN} more" if len(self.names) > _SHOWN else ""
        count = f"{len(self.names)} of {self.total}"
        return f"{count} sequences skipped ({self.reason}): {shown}{more}."

    def __str__(self) -> str:
        return f"{self.dataset}: {self.describe()}"


@runtime_checkable
class Prepared(Protocol):
    """A dataset that can read all annotations at once, e.g. from an index that an earlier run has left."""

    def prepare(self) -> dict[int, str]:
        """Bring every annotation into memory; what is wrong, by sequence, for those that are broken."""
        ...


def broken_annotations(dataset: VideoDataset) -> dict[int, str]:
    """What is wrong with the annotations of a dataset, by sequence; all others are in memory afterwards."""
    if isinstance(dataset, Prepared):
        return dataset.prepare()
    found: dict[int, str] = {}
    indices = range(len(dataset))
    for index in progress_bar(indices, desc=f"Reading {dataset.name}", unit="seq", delay=3, leave=False):
        try:
            dataset.annotation(index)
        except InputError as error:
            found[index] = str(error)
    return found


def _refuse(dataset: VideoDataset, broken: dict[int, str]) -> InputError:
    """The error for broken annotations: the first in full, the others by name."""
    names = [dataset.sequence_name(index) for index in broken]
    others = ", ".join(names[1 : 1 + _SHOWN]) + (" and others" if len(names) > 1 + _SHOWN else "")
    count = "1 more sequence is" if len(names) == 2 else f"{len(names) - 1} more sequences are"
    more = f" {count} broken: {others}." if others else ""
    return InputError(
        f"{next(iter(broken.values()))}{more} 'ebmtrack dataset check' lists everything that is wrong; "
        "--skip-broken trains without them."
    )


def usable_sequences(
    dataset: VideoDataset, min_length: int, min_visible: int, skip_broken: bool = False
) -> tuple[npt.NDArray[np.int64], list[Skipped]]:
    """Sequences long enough to sample from; has every annotation read now, so that a broken one is found.

    Args:
        dataset: videos, or images (whose reader leaves out objects without area itself).
        min_length: fewest frames.
        min_visible: fewest frames in which the target is visible.
        skip_broken: leave out, by name, sequences with broken annotations, instead of an error.

    Returns:
        Indices of the usable sequences, and what was skipped, by reason; what the reader itself left out
        comes first.

    Raises:
        InputError: if an annotation is broken, or no sequence is usable.
    """
    skipped: list[Skipped] = list(getattr(dataset, "skipped", ()))
    if not dataset.is_video:
        return np.arange(len(dataset)), skipped
    broken = broken_annotations(dataset)
    if broken and not skip_broken:
        raise _refuse(dataset, broken)
    left_out: set[int] = set()
    for reason, indices in _left_out(dataset, broken, min_length, min_visible).items():
        if indices:
            names = tuple(dataset.sequence_name(index) for index in indices)
            skipped.append(Skipped(dataset.name, names, len(dataset), reason))
            left_out |= {*indices}
    if len(left_out) == len(dataset):
        reasons = " ".join(one.describe() for one in skipped)
        raise InputError(
            f"{dataset.name}: no sequence can be used. {reasons} Use other data, or fewer frames a "
            "sample (--set sampling.train_frames=N, sampling.test_frames=N): the target must be visible in "
            "more than twice as many."
        )
    return np.array([index for index in range(len(dataset)) if index not in left_out]), skipped


def _left_out(
    dataset: VideoDataset, broken: Collection[int], min_length: int, min_visible: int
) -> dict[str, list[int]]:
    """Sequences that cannot be sampled from, by reason."""
    short: list[int] = []
    unseen: list[int] = []
    for index in range(len(dataset)):
        if index in broken:
            continue
        annotation = dataset.annotation(index)
        if len(annotation) < min_length:
            short.append(index)
        elif annotation.visible.sum() < min_visible:
            unseen.append(index)
    return {
        "broken annotations": list(broken),
        f"fewer than {min_length} frames": short,
        f"the target visible in fewer than {min_visible} frames": unseen,
    }
