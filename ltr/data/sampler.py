"""Which frames make a training sample: a pure function of seed and index."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from ebm.exceptions import DomainError, InputError
from ebm.lookup import lookup
from ltr.data.image_loader import read_image
from ltr.data.processing import DiMPProcessing, Frame, RawSample, TrackingSample
from ltr.data.video import VideoDataset

__all__ = ["DiMPSampler", "FrameMode", "Skipped", "choose_frames", "usable_sequences"]

FrameMode: TypeAlias = Literal["causal", "interval"]
Ids: TypeAlias = npt.NDArray[np.intp]

_MODES = {mode: mode for mode in get_args(FrameMode)}
_WIDENING = 5  # frames by which the gap grows after a failed draw
_SEQUENCE_DRAWS = 50  # sequences tried for one sample before giving up
_SHOWN = 5  # names in a message

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Skipped:
    """Sequences of a dataset that cannot be sampled from."""

    dataset: str
    names: tuple[str, ...]
    total: int  # sequences in the dataset
    reason: str

    def __str__(self) -> str:
        shown = ", ".join(self.names[:_SHOWN])
        more = f" and {len(self.names) - _SHOWN} more" if len(self.names) > _SHOWN else ""
        count = f"{len(self.names)} of {self.total}"
        return f"{self.dataset}: {count} sequences skipped ({self.reason}): {shown}{more}."


def usable_sequences(
    dataset: VideoDataset, min_length: int, min_visible: int
) -> tuple[npt.NDArray[np.int64], Skipped | None]:
    """Sequences long enough to sample from; reads every annotation once, so that a broken one is found now.

    Args:
        dataset: videos, or images (whose sequences of one frame are all usable).
        min_length: fewest frames.
        min_visible: fewest frames in which the target is visible.

    Returns:
        Indices of the usable sequences, and what was skipped if anything.

    Raises:
        InputError: if an annotation is broken, or no sequence is usable.
    """
    if not dataset.is_video:
        return np.arange(len(dataset)), None
    usable = np.zeros(len(dataset), dtype=bool)
    # A bar only where the reading takes long: cold disks need minutes for tens of thousands of small files.
    for index in tqdm(range(len(dataset)), desc=f"Reading {dataset.name}", unit="seq", delay=3, leave=False):
        annotation = dataset.annotation(index)
        usable[index] = len(annotation) >= min_length and annotation.visible.sum() >= min_visible
    pack = getattr(dataset, "pack", None)
    if pack is not None:
        pack()
    reason = f"fewer than {min_length} frames, or the target visible in fewer than {min_visible}"
    names = tuple(dataset.sequence_name(int(index)) for index in np.flatnonzero(~usable))
    if len(names) == len(dataset):
        raise InputError(
            f"{dataset.name}: no sequence can be used: {len(names)} have {reason}. Use other data, or lower "
            "min_length and the number of frames per sample."
        )
    return np.flatnonzero(usable), Skipped(dataset.name, names, len(dataset), reason) if names else None


def _draw(
    visible: npt.NDArray[np.bool_], start: int, stop: int, count: int, rng: np.random.Generator
) -> Ids | None:
    """`count` visible frames of [start, stop), with replacement; None if there are none."""
    start = max(start, 0)
    ids = np.flatnonzero(visible[start : max(stop, start)]) + start
    if count and not len(ids):
        return None
    return ids[rng.integers(0, len(ids), size=count)] if count else ids[:0]


def choose_frames(
    visible: npt.NDArray[np.bool_],
    counts: tuple[int, int],
    max_gap: int,
    mode: FrameMode,
    rng: np.random.Generator,
) -> tuple[Ids, Ids] | None:
    """Frames of one video for a sample.

    Causal: train frames from the `max_gap` frames before a base frame (which is the first of them), test
    frames from those after it. Interval: all frames from around the base frame. After a failed draw the gap
    grows by 5.

    Args:
        visible: ``[T]`` whether the target is visible.
        counts: number of train and of test frames.
        max_gap: distance from the base frame at first, frames.
        mode: ``"causal"`` or ``"interval"``.
        rng: source of randomness.

    Returns:
        Train and test frames, counted from 0; None if the video has none that fit, whatever the gap.

    Source: samplers of the published DiMP and ATOM training.
    """
    num_train, num_test = counts
    length = len(visible)
    low, high = (num_train - 1, length - num_test) if mode == "causal" else (0, length)
    # Once the gap spans the video only the base frame changes, and a few more of those are enough.
    for attempt in range(length // _WIDENING + 20):
        gap = max_gap + _WIDENING * attempt
        base = _draw(visible, low, high, 1, rng)
        if base is None:
            return None
        at = int(base[0])
        after = (at + 1, at + gap) if mode == "causal" else (at - gap, at + gap)
        extra = _draw(visible, at - gap, at if mode == "causal" else at + gap, num_train - 1, rng)
        test = _draw(visible, *after, num_test, rng)
        if extra is not None and test is not None:
            return np.concatenate((base, extra)), test
    return None


class DiMPSampler(Dataset[TrackingSample]):
    """Training samples by index. Nothing is kept between calls, so neither order nor worker count matters."""

    def __init__(
        self,
        datasets: Sequence[VideoDataset],
        weights: Sequence[float] | None,
        samples_per_epoch: int,
        max_gap: int,
        num_train_frames: int,
        num_test_frames: int,
        processing: DiMPProcessing,
        frame_sample_mode: FrameMode = "causal",
        seed: int = 0,
        *,
        min_length: int = 20,
    ) -> None:
        """Read all annotations and leave out what is too short.

        Args:
            datasets: what to sample from.
            weights: how often each is drawn, any scale; None: in proportion to its number of sequences.
            samples_per_epoch: what ``len`` says; indices beyond it are samples of later epochs.
            max_gap: see `choose_frames`.
            num_train_frames: frames per sample that build the target model.
            num_test_frames: frames per sample on which it is tested.
            processing: makes the sample from the frames.
            frame_sample_mode: ``"causal"`` or ``"interval"``.
            seed: a different seed gives different samples throughout.
            min_length: videos with fewer frames are left out, as are those in which the target is visible
                in no more than twice the frames of a sample.

        Raises:
            DomainError: if a number is out of range.
            InputError: if an annotation is broken or a dataset has no usable sequence.
            UnknownNameError: if there is no such mode.
        """
        if min(samples_per_epoch, max_gap, num_train_frames, num_test_frames) < 1 or seed < 0:
            raise DomainError(
                f"samples_per_epoch ({samples_per_epoch}), max_gap ({max_gap}), num_train_frames "
                f"({num_train_frames}) and num_test_frames ({num_test_frames}) must be at least 1, seed "
                f"({seed}) at least 0."
            )
        self.mode = lookup("frame sample mode", frame_sample_mode, _MODES)
        self.datasets = list(datasets)
        self.counts = (num_train_frames, num_test_frames)
        self.samples_per_epoch, self.max_gap, self.seed = samples_per_epoch, max_gap, seed
        self.processing = processing
        self.weights = _probabilities(self.datasets, weights)
        min_visible = 2 * (num_train_frames + num_test_frames) + 1
        scans = [usable_sequences(dataset, min_length, min_visible) for dataset in self.datasets]
        self._usable = [usable for usable, _ in scans]
        self.skipped = [skipped for _, skipped in scans if skipped is not None]
        for skipped in self.skipped:
            _log.warning("%s", skipped)

    def __len__(self) -> int:
        return self.samples_per_epoch

    def __getitem__(self, index: int) -> TrackingSample:
        """The sample of an index; any index from 0 on, not only those below ``len``.

        Raises:
            InputError: if a frame cannot be read, or no frames that fit were found.
            DomainError: if `index` is negative.
        """
        if index < 0:
            raise DomainError(f"a sample's index counts from 0, got {index}.")
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, index)))
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        return self.processing(self._load(rng), rng, generator)

    def _load(self, rng: np.random.Generator) -> RawSample:
        """Choose a dataset, a sequence and frames, and decode these."""
        which = int(rng.choice(len(self.datasets), p=self.weights))
        dataset, usable = self.datasets[which], self._usable[which]
        for _ in range(_SEQUENCE_DRAWS):
            sequence = int(usable[rng.integers(len(usable))])
            chosen = self._frames(dataset, sequence, rng)
            if chosen is not None:
                return _decode(dataset, sequence, *chosen)
        raise InputError(
            f"{dataset.name}: {_SEQUENCE_DRAWS} sequences in a row had no {self.counts[0]} + "
            f"{self.counts[1]} frames with a visible target, {dataset.sequence_name(sequence)} the last. "
            "Use fewer frames per sample."
        )

    def _frames(
        self, dataset: VideoDataset, sequence: int, rng: np.random.Generator
    ) -> tuple[Ids, Ids] | None:
        """Frame numbers of a sample; an image is its own every frame."""
        if not dataset.is_video:
            return np.zeros(self.counts[0], dtype=np.intp), np.zeros(self.counts[1], dtype=np.intp)
        return choose_frames(dataset.annotation(sequence).visible, self.counts, self.max_gap, self.mode, rng)


def _probabilities(
    datasets: Sequence[VideoDataset], weights: Sequence[float] | None
) -> npt.NDArray[np.float64]:
    """Weights as probabilities.

    Raises:
        DomainError: if they do not fit the datasets or are no weights.
    """
    if not datasets:
        raise DomainError("a sampler needs at least one dataset.")
    values = np.array([len(d) for d in datasets] if weights is None else list(weights), dtype=np.float64)
    if len(values) != len(datasets) or not np.isfinite(values).all() or values.min() < 0 or values.sum() <= 0:
        raise DomainError(
            f"{len(datasets)} datasets need as many weights, none negative and not all zero; got "
            f"{values.tolist()}."
        )
    return values / values.sum()


def _decode(dataset: VideoDataset, sequence: int, train: Ids, test: Ids) -> RawSample:
    """Read the chosen frames, each file once."""
    name, boxes = dataset.sequence_name(sequence), dataset.annotation(sequence).boxes
    decoded: dict[Path, npt.NDArray[np.uint8]] = {}

    def frame(number: int) -> Frame:
        path = dataset.frame_path(sequence, number)
        if path not in decoded:
            decoded[path] = read_image(path, sequence=name, frame=number)
        return Frame(decoded[path], boxes[number])

    return RawSample(dataset.name, name, [frame(int(t)) for t in train], [frame(int(t)) for t in test])
