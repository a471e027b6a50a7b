"""Which frames make a training sample: a pure function of seed and index."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ebm.exceptions import DomainError, InputError
from ebm.lookup import lookup
from ltr.data.decoders import OPENCV, Decoder
from ltr.data.frame_choice import FrameMode, Ids, choose_frames
from ltr.data.image_loader import open_image
from ltr.data.processing import DiMPProcessing, Frame, RawSample, TrackingSample
from ltr.data.replaced import Replaced
from ltr.data.usable import Skipped, usable_sequences
from ltr.data.video import Slice, VideoDataset

__all__ = ["DiMPSampler", "FrameMode", "Skipped", "choose_frames", "usable_sequences"]

_MODES = {mode: mode for mode in get_args(FrameMode)}
_SEQUENCE_DRAWS = 50  # sequences tried for one sample before giving up, whatever is wrong with them

_UNREADABLE = (
    "'ebmtrack dataset check NAME --deep' lists every image that cannot be read; --unreadable N lets "
    "training go on past N of them."
)

_log = logging.getLogger(__name__)


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
        decoder: Decoder = OPENCV,
        skip_broken: bool = False,
        unreadable: int = 0,
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
            decoder: decodes the frames.
            skip_broken: leave out sequences with broken annotations, by name, instead of an error.
            unreadable: how many images each process may find missing or corrupt before that is an error;
                another sequence takes the place of each, and the sample names it.

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
        self._bounds = self.weights.cumsum()
        self._bounds /= self._bounds[-1]
        min_visible = 2 * (num_train_frames + num_test_frames) + 1
        scans = [usable_sequences(data, min_length, min_visible, skip_broken) for data in self.datasets]
        self._usable = [usable for usable, _ in scans]
        self.skipped = [skipped for _, found in scans for skipped in found]
        self.decoder, self.unreadable = decoder, unreadable
        self._left = unreadable  # of this process
        for skipped in self.skipped:
            _log.warning("%s", skipped)

    def __len__(self) -> int:
        return self.samples_per_epoch

    def __getitem__(self, index: int) -> TrackingSample:
        """The sample of an index; any index from 0 on, not only those below ``len``.

        A box too small to crop around, or outside its image, gives no sample: another sequence is drawn, the
        sample says so (`ltr.data.replaced`), and after fifty of them in a row that is an error.

        Raises:
            InputError: if a frame cannot be read, or nothing usable was drawn.
            DomainError: if `index` is negative.
        """
        if index < 0:
            raise DomainError(f"a sample's index counts from 0, got {index}.")
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, index)))
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        which = int(
            self._bounds.searchsorted(rng.random(), side="right")
        )  # as Generator.choice draws, quicker
        dataset, usable = self.datasets[which], self._usable[which]
        replaced: list[Replaced] = []
        problem = ""
        for _ in range(_SEQUENCE_DRAWS):
            sequence = int(usable[rng.integers(len(usable))])
            name = dataset.sequence_name(sequence)
            chosen = self._frames(dataset, sequence, rng)
            if chosen is None:
                problem = f"{name}: no {self.counts[0]} + {self.counts[1]} frames with a visible target."
                replaced.append(Replaced(f"{dataset.name} {name}", problem, False))
                continue
            try:
                sample = self.processing(_open(dataset, sequence, *chosen, self.decoder), rng, generator)
            except DomainError as error:
                problem = f"{name}: {error}"
                replaced.append(Replaced(f"{dataset.name} {name}", problem, False))
            except InputError as error:
                self._left -= 1
                if self._left < 0:
                    limit = f"--unreadable allows {self.unreadable} such draws. " if self.unreadable else ""
                    raise InputError(f"{error} {limit}{_UNREADABLE}") from error
                problem = str(error)
                replaced.append(Replaced(f"{dataset.name} {name}", problem, True))
            else:
                sample["replaced"] = tuple(replaced)
                return sample
        raise InputError(
            f"{dataset.name}: {_SEQUENCE_DRAWS} sequences in a row gave no sample; the last: {problem} "
            "'ebmtrack dataset check' lists what is wrong; or use fewer frames per sample."
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


def _open(dataset: VideoDataset, sequence: int, train: Ids, test: Ids, decoder: Decoder) -> RawSample:
    """Read the chosen frames, each file once; they are decoded when their crops are known."""
    name, boxes = dataset.sequence_name(sequence), dataset.annotation(sequence).boxes
    numbers = [*train.tolist(), *test.tolist()]
    sources = {number: dataset.frame_path(sequence, number) for number in dict.fromkeys(numbers)}
    for source in sources.values():
        if isinstance(source, Slice):
            source.prefetch()
    opened = {
        number: open_image(source, sequence=name, frame=number, decoder=decoder)
        for number, source in sources.items()
    }
    for number, times in Counter(numbers).items():
        opened[number].keep |= times > 1
    frames = [Frame(opened[number], boxes[number]) for number in numbers]
    return RawSample(dataset.name, name, frames[: len(train)], frames[len(train) :])
