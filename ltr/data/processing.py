"""From frames and boxes to one training sample: crops, augmented as crops; labels; proposals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypeAlias, TypedDict, cast, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ltr.data.crops import CropMode, Region, crop_region, reduced_region, transform_box_to_crop
from ltr.data.frames import Frame, RawSample
from ltr.data.overlaps import OverlapConfig, OverlapProposals
from ltr.data.proposals import BoxProposals, ProposalConfig
from ltr.data.replaced import Replaced
from ltr.data.scratch import borrow
from ltr.data.transforms import EXACT_MIRROR, draw_gain, flip_boxes, flip_image, to_grey
from ltr.models.target_classifier.labels import finish_density, gaussian_label_function

__all__ = [
    "DecodeMode",
    "DiMPProcessing",
    "Frame",
    "LabelKind",
    "ProcessingConfig",
    "RawSample",
    "TrackingSample",
    "jittered_box",
]

DecodeMode: TypeAlias = Literal["exact", "reduced"]
LabelKind: TypeAlias = Literal["gaussian", "density", "none"]


@dataclass(frozen=True, kw_only=True)
class ProcessingConfig:
    """How a training sample is made; the defaults are those of SuperDiMP, on which DiMP-NCE+ builds."""

    search_area_factor: float = 6.0  # side of the crop region / sqrt(target area)
    output_sz: int = 22 * 16  # side of the crop, px
    feature_stride: int = 16  # px of the crop per cell of the classifier's features
    filter_size: int = 4  # side of the target filter, cells
    label_sigma: float = 0.25 / 6.0  # spread of the label map / side of the feature map
    labels: LabelKind = (
        "gaussian"  # maps of height one; densities of the test frames; none without classifier
    )
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
    proposals: ProposalConfig | OverlapConfig = field(default_factory=ProposalConfig)
    training: bool = True  # False: validation
    # "reduced": a crop that shows the image at half its size or less is cut from a JPEG decoded at 1/2, 1/4
    # or 1/8, which is faster and does not alias; "exact": always from full-size pixels, as published.
    decode: DecodeMode = "exact"

    @property
    def feature_sz(self) -> int:
        """Side of the classifier's feature map, cells."""
        return self.output_sz // self.feature_stride


class TrackingSample(TypedDict):
    """One sample of I train and I' test frames with S px crops; a batch has its dimension second."""

    train_images: Tensor  # uint8 [I, 3, S, S] RGB, channels last in memory
    train_gain: Tensor  # [I] brightness factor, to be applied on the device
    train_anno: Tensor  # [I, 4] xywh, px of the crop
    train_label: NotRequired[Tensor]  # [I, h, w], labels "gaussian"
    test_images: Tensor
    test_gain: Tensor
    test_anno: Tensor
    test_label: NotRequired[Tensor]  # labels "gaussian"
    test_label_density: NotRequired[Tensor]  # labels "density", each map adds up to one
    test_proposals: Tensor  # [I', P, 4] xywh, px of the crop
    proposal_log_q: NotRequired[Tensor]  # [I', P] nats; a `ProposalConfig`
    gt_log_density: NotRequired[Tensor]  # the same; zeros unless the proposals are of the kind gmm
    proposal_iou: NotRequired[Tensor]  # [I', P] 2 IoU - 1; an `OverlapConfig`
    dataset: str
    sequence: str
    replaced: NotRequired[tuple[Replaced, ...]]  # draws that gave no sample before this one; of a sampler


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
        lookup("decode mode", config.decode, {mode: mode for mode in get_args(DecodeMode)})
        lookup("kind of labels", config.labels, {kind: kind for kind in get_args(LabelKind)})
        self.config = config
        proposals = config.proposals
        self.proposals: BoxProposals | OverlapProposals = (
            OverlapProposals(proposals) if isinstance(proposals, OverlapConfig) else BoxProposals(proposals)
        )

    def __call__(
        self, sample: RawSample, rng: np.random.Generator, generator: torch.Generator
    ) -> TrackingSample:
        """One training sample.

        Args:
            sample: the frames.
            rng: randomness of crops and augmentation.
            generator: randomness of the proposals.

        Raises:
            DomainError: if a frame's box has no area or lies outside the image.
        """
        config, count = self.config, len(sample.train)
        look = _Look(grey=rng.random() < config.grayscale, flip=rng.random() < config.flip_sample)
        # Everything small first: decoding an image drives code and data of all this out of the caches.
        plans = [
            self._plan(frame, config.center_jitter_train, config.scale_jitter_train, look, rng)
            for frame in sample.train
        ] + [
            self._plan(frame, config.center_jitter_test, config.scale_jitter_test, look, rng)
            for frame in sample.test
        ]
        boxes = torch.from_numpy(np.stack([plan.box for plan in plans]))
        gains = torch.tensor([plan.gain for plan in plans])
        fields = self._labels(boxes, count) | self.proposals(boxes[count:], generator).fields()
        pixels = self._cut([*sample.train, *sample.test], plans, look.grey)
        whole: dict[str, Tensor | str] = {
            "train_images": pixels[:count],
            "train_gain": gains[:count],
            "train_anno": boxes[:count],
            "test_images": pixels[count:],
            "test_gain": gains[count:],
            "test_anno": boxes[count:],
            **fields,
            "dataset": sample.dataset,
            "sequence": sample.sequence,
        }
        return cast(TrackingSample, whole)

    def _plan(
        self, frame: Frame, center_jitter: float, scale_jitter: float, look: "_Look", rng: np.random.Generator
    ) -> "_Plan":
        """What to cut from a frame, around a jittered box, and how to show it; needs no pixel."""
        config = self.config
        side = (config.output_sz, config.output_sz)
        _require_inside(frame)
        around = jittered_box(frame.box, center_jitter, scale_jitter, rng)
        region = crop_region(
            frame.size, around, config.search_area_factor, side, config.crop_type, config.max_scale_change
        )
        reduce = 1
        if config.decode == "reduced" and frame.can_reduce:
            region, reduce = reduced_region(region, side)
        box = transform_box_to_crop(frame.box, region, side)
        # Drawn whether or not they are used, so that training and validation crop alike from one seed.
        flip_frame, gain = rng.random() < config.flip_frame, draw_gain(rng, config.brightness_jitter)
        mirrored = look.flip != (flip_frame and config.training)
        if mirrored:
            box = flip_boxes(box, config.output_sz, config.flip_margin)
        left, top, width, height = (length // reduce for length in region)
        return _Plan((left, top, width, height), reduce, mirrored, box, gain if config.training else 1.0)

    def _cut(self, frames: Sequence[Frame], plans: Sequence["_Plan"], grey: bool) -> Tensor:
        """The crops, ``[N, 3, S, S]``; memory stays as decoded, channels last."""
        side = self.config.output_sz
        images = np.empty((len(frames), side, side, 3), dtype=np.uint8)
        for frame, plan, out in zip(frames, plans, images, strict=True):
            image = borrow("crop", out.shape) if plan.mirrored else out
            frame.crop(plan.region, (side, side), plan.reduce, image)
            if grey:
                image[...] = to_grey(image)
            if plan.mirrored:
                flip_image(image, out)
        return torch.from_numpy(images).permute(0, 3, 1, 2)

    def _labels(self, boxes: Tensor, count: int) -> dict[str, Tensor]:
        """``[I + I', 4]`` boxes of the crop, `count` of train frames -> label maps ``[., h, w]`` by name."""
        config = self.config
        if config.labels == "none":
            return {}
        density = config.labels == "density"
        labels = gaussian_label_function(
            boxes[count:] if density else boxes,
            config.label_sigma,
            config.filter_size,
            config.feature_sz,
            config.output_sz,
            density=density,
        )
        if density:
            return {"test_label_density": finish_density(labels, normalise=True)}
        return {"train_label": labels[:count], "test_label": labels[count:]}


def _require_inside(frame: Frame) -> None:
    """Refuse a target wholly outside its image: crops are moved into the image, so it would be in none.

    Raises:
        DomainError: if it is; boxes of another resolution than the image's are the usual reason.
    """
    (x, y, w, h), (width, height) = frame.box.tolist(), frame.size
    if not (x < width and y < height and x + w > 0 and y + h > 0):
        raise DomainError(f"The box {[x, y, w, h]} lies outside its image of {width} x {height} px.")


@dataclass(frozen=True)
class _Look:
    """What is decided once for all frames of a sample."""

    grey: bool
    flip: bool


@dataclass(frozen=True, eq=False)
class _Plan:
    """What one crop will be."""

    region: Region  # left, top, width, height, px of the image reduced
    reduce: int  # how many times smaller the image is decoded
    mirrored: bool
    box: npt.NDArray[np.float32]  # [4] xywh, px of the crop
    gain: float
