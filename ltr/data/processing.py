"""From frames and boxes to one training sample: crop, then augment the crop, then labels and proposals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ebm.exceptions import DomainError
from ltr.data.crops import CropMode, target_image_crop
from ltr.data.labels import gaussian_label_function
from ltr.data.proposals import BoxProposals, ProposalConfig
from ltr.data.transforms import EXACT_MIRROR, draw_gain, flip_boxes, flip_image, to_grey

__all__ = ["DiMPProcessing", "Frame", "ProcessingConfig", "RawSample", "TrackingSample", "jittered_box"]


@dataclass(frozen=True, kw_only=True)
class ProcessingConfig:
    """How a training sample is made; the defaults are those of SuperDiMP, on which DiMP-NCE+ builds."""

    search_area_factor: float = 6.0  # side of the crop region / sqrt(target area)
    output_sz: int = 22 * 16  # side of the crop, px
    feature_stride: int = 16  # px of the crop per cell of the classifier's features
    filter_size: int = 4  # side of the target filter, cells
    label_sigma: float = 0.25 / 6.0  # spread of the label map / side of the feature map
    crop_type: CropMode = "inside_major"
    max_scale_change: float | None = 1.5  # how much inside modes may shrink the region
    center_jitter_train: float = 3.0  # shift of the crop, range / sqrt(target area)
    center_jitter_test: float = 5.5
    scale_jitter_train: float = 0.25  # standard deviation of the crop's log size
    scale_jitter_test: float = 0.5
    flip_sample: float = 0.5  # probability of mirroring all frames of a sample, also in validation
    flip_frame: float = 0.5  # probability of mirroring each frame besides, training only
    flip_margin: float = EXACT_MIRROR  # see ltr.data.transforms
    grayscale: float = 0.05  # probability of removing colour from all frames of a sample, also in validation
    brightness_jitter: float = 0.2  # largest change of brightness, training only
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    training: bool = True  # False: validation

    @property
    def feature_sz(self) -> int:
        """Side of the classifier's feature map, cells."""
        return self.output_sz // self.feature_stride


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded frame and its target."""

    image: npt.NDArray[np.uint8]  # [H, W, 3] RGB
    box: npt.NDArray[np.float32]  # [4] xywh, px


@dataclass(frozen=True, eq=False)
class RawSample:
    """Frames of one sequence: those that build the target model, those on which it is tested."""

    dataset: str
    sequence: str
    train: Sequence[Frame]
    test: Sequence[Frame]


class TrackingSample(TypedDict):
    """One sample of I train and I' test frames with S px crops; a batch has its dimension second."""

    train_images: Tensor  # uint8 [I, 3, S, S] RGB, channels last in memory
    train_gain: Tensor  # [I] brightness factor, to be applied on the device
    train_anno: Tensor  # [I, 4] xywh, px of the crop
    train_label: Tensor  # [I, h, w]
    test_images: Tensor
    test_gain: Tensor
    test_anno: Tensor
    test_label: Tensor
    test_proposals: Tensor  # [I', P, 4] xywh, px of the crop
    proposal_log_q: Tensor  # [I', P] nats
    gt_log_density: Tensor  # [I', P] nats, zeros unless the proposals are of the kind gmm
    dataset: str
    sequence: str


def jittered_box(
    box: npt.NDArray[np.float32], center_jitter: float, scale_jitter: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """A box to crop around, so that the target is neither centred nor of constant size.

    Args:
        box: ``[4]`` xywh, px.
        center_jitter: the centre moves uniformly within half of this times the square root of the new area.
        scale_jitter: standard deviation of log width and log height.
        rng: source of randomness.

    Returns:
        ``[4]`` xywh, px.
    """
    size = box[2:] * np.exp(rng.standard_normal(2) * scale_jitter)
    centre = box[:2] + box[2:] / 2 + np.sqrt(size.prod()) * center_jitter * (rng.random(2) - 0.5)
    return np.concatenate((centre - size / 2, size)).astype(np.float32)


class DiMPProcessing:
    """Makes training samples of the DiMP kind."""

    def __init__(self, config: ProcessingConfig) -> None:
        """Check a configuration.

        Raises:
            DomainError: if the crop is not a whole number of cells.
            UnknownNameError: if a named choice does not exist.
        """
        if config.output_sz <= 0 or config.output_sz % config.feature_stride:
            raise DomainError(
                f"output_sz must be a multiple of feature_stride ({config.feature_stride}), got "
                f"{config.output_sz}."
            )
        self.config = config
        self.proposals = BoxProposals(config.proposals)

    def __call__(
        self, sample: RawSample, rng: np.random.Generator, generator: torch.Generator
    ) -> TrackingSample:
        """One training sample.

        Args:
            sample: the decoded frames.
            rng: randomness of crops and augmentation.
            generator: randomness of the proposals.

        Raises:
            DomainError: if a frame's box has no area.
        """
        config = self.config
        look = _Look(grey=rng.random() < config.grayscale, flip=rng.random() < config.flip_sample)
        train = [
            self._crop(f, config.center_jitter_train, config.scale_jitter_train, look, rng)
            for f in sample.train
        ]
        test = [
            self._crop(f, config.center_jitter_test, config.scale_jitter_test, look, rng) for f in sample.test
        ]
        train_anno, test_anno = _stack_boxes(train), _stack_boxes(test)
        proposed = self.proposals(test_anno, generator)
        return TrackingSample(
            train_images=_stack_images(train),
            train_gain=torch.tensor([crop.gain for crop in train]),
            train_anno=train_anno,
            train_label=self._labels(train_anno),
            test_images=_stack_images(test),
            test_gain=torch.tensor([crop.gain for crop in test]),
            test_anno=test_anno,
            test_label=self._labels(test_anno),
            test_proposals=proposed.boxes,
            proposal_log_q=proposed.log_q,
            gt_log_density=proposed.gt_log_density,
            dataset=sample.dataset,
            sequence=sample.sequence,
        )

    def _crop(
        self, frame: Frame, center_jitter: float, scale_jitter: float, look: "_Look", rng: np.random.Generator
    ) -> "_Crop":
        """Crop around a jittered box, then mirror and grey the small crop."""
        config = self.config
        around = jittered_box(frame.box, center_jitter, scale_jitter, rng)
        image, box = target_image_crop(
            frame.image,
            around,
            frame.box,
            config.search_area_factor,
            config.output_sz,
            config.crop_type,
            config.max_scale_change,
        )
        # Drawn whether or not they are used, so that training and validation crop alike from one seed.
        flip_frame, gain = rng.random() < config.flip_frame, draw_gain(rng, config.brightness_jitter)
        if look.flip != (flip_frame and config.training):
            image, box = flip_image(image), flip_boxes(box, config.output_sz, config.flip_margin)
        return _Crop(to_grey(image) if look.grey else image, box, gain if config.training else 1.0)

    def _labels(self, boxes: Tensor) -> Tensor:
        """``[I, 4]`` boxes of the crop -> ``[I, h, w]`` label maps."""
        config = self.config
        return gaussian_label_function(
            boxes, config.label_sigma, config.filter_size, config.feature_sz, config.output_sz
        )


@dataclass(frozen=True)
class _Look:
    """What is decided once for all frames of a sample."""

    grey: bool
    flip: bool


@dataclass(frozen=True, eq=False)
class _Crop:
    """One finished crop."""

    image: npt.NDArray[np.uint8]  # [S, S, 3]
    box: npt.NDArray[np.float32]  # [4] xywh, px of the crop
    gain: float


def _stack_boxes(crops: Sequence[_Crop]) -> Tensor:
    """``[I, 4]``."""
    return torch.from_numpy(np.stack([crop.box for crop in crops]))


def _stack_images(crops: Sequence[_Crop]) -> Tensor:
    """``[I, 3, S, S]`` whose memory stays as decoded, channels last: nothing is transposed on the CPU."""
    return torch.from_numpy(np.stack([crop.image for crop in crops])).permute(0, 3, 1, 2)
