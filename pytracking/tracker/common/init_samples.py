"""The first frame's samples: one expanded crop, altered in many ways."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytracking.features import augmentation as augment
from pytracking.features.augmentation import Operation, Transform
from pytracking.features.preprocessing import Image, Pixels, sample_patch
from pytracking.libs import arrays
from pytracking.libs.draws import Generator, uniform
from pytracking.parameter.base import Augmentation, CropParams
from pytracking.tracker.common.geometry import CropView, TargetState

__all__ = ["FirstFrame", "first_frame_samples", "with_dropout"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstFrame:
    """Crops of the first frame.

    Attributes:
        images: RGB in 0..255 ``[h, w, 3]`` each; the first one is unaltered.
        boxes: the target in each of them, x, y, w, h ``[N, 4]``, crop px.
        plain: how many leading crops are neither rotated nor rescaled.
    """

    images: list[Pixels]
    boxes: Array
    plain: int


def first_frame_samples(
    image: Image,
    state: TargetState,
    params: CropParams,
    augmentation: Augmentation | None,
    generator: Generator,
) -> FirstFrame:
    """Crops of `image` around the target, each altered by one transform.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
        state: the target, from its first box.
        params: crop geometry.
        augmentation: which transforms; None keeps the unaltered crop alone.
        generator: source of the random shifts.

    Source: the published DiMP trackers. In every border mode but ``"inside"`` the first crop is padded,
        neither shrunk nor moved.
    """
    crop_size = np.asarray(params.crop_size)
    scale, moved = _placement(state, params, (image.shape[0], image.shape[1]))
    expansion = augmentation.expansion if augmentation is not None else 1.0
    expanded = (crop_size * expansion).astype(int)
    expanded += (expanded - crop_size) % 2  # equal parity: the expanded crop and the crop share their centre
    center = np.round(state.position)
    patch = sample_patch(
        image,
        (float(center[0]), float(center[1])),
        (float(scale * expanded[0]), float(scale * expanded[1])),
        (int(expanded[0]), int(expanded[1])),
        nominal_corners=params.reproduces("decimation_offset"),
    )
    if params.reproduces("rounded_first_boxes"):
        view = CropView(center=center, scale=scale, crop_size=params.crop_size)
    else:
        view = CropView(center=np.array(patch.center), scale=patch.scale, crop_size=params.crop_size)
    transforms = list(_transforms(augmentation, crop_size, moved, generator))
    shifts = np.array([t.shift for t in transforms], dtype=np.float64)
    boxes = np.tile(view.box_of(state), (len(transforms), 1))
    boxes[:, :2] += shifts[:, ::-1]
    tilted = [i for i, t in enumerate(transforms) if t.kind in ("scale", "rotate")]
    return FirstFrame(
        images=[t(patch.image, params.crop_size) for t in transforms],
        boxes=boxes,
        plain=tilted[0] if tilted else len(transforms),
    )


def with_dropout(
    features: arrays.Array, boxes: arrays.Array, augmentation: Augmentation, generator: Generator
) -> tuple[arrays.Array, arrays.Array]:
    """First-frame features and boxes with copies of the first sample, whole channels dropped, appended.

    Args:
        features: ``[N, C, h, w]``, the unaltered sample first.
        boxes: x, y, w, h ``[N, 4]``, crop px.
        augmentation: says how many copies, and the probability.
        generator: source of the dropout.
    """
    copies, probability = augmentation.dropout or (0, 0.0)
    if copies == 0:
        return features, boxes
    extra = augment.dropout_channels(features[:1], copies, probability, generator)
    return arrays.joined((features, extra)), arrays.joined((boxes, *[boxes[:1]] * copies))


def _placement(state: TargetState, params: CropParams, frame: tuple[int, int]) -> tuple[float, Array]:
    """Scale of the first crop (image px per crop px) and its move into the frame, (y, x) crop px."""
    if params.border_mode != "inside":
        return state.scale, np.zeros(2)
    limits = np.asarray(frame)
    size = state.scale * np.asarray(params.crop_size)
    bound = params.patch_max_scale_change or np.inf
    size = size / np.clip(float((size / limits).max()), 1.0, bound)
    scale = float(np.sqrt((size / np.asarray(params.crop_size)).prod()))
    before = np.maximum((size - 1) / 2 - state.position, 0)
    after = np.maximum(state.position + size / 2 + 1 - limits, 0)
    return scale, (after - before) / scale


def _transforms(
    augmentation: Augmentation | None, crop_size: NDArray[np.int_], moved: Array, generator: Generator
) -> Iterator[Transform]:
    """The transforms in the order of their samples, the unaltered crop first."""
    yield Transform(kind="identity", shift=_whole(moved))
    if augmentation is None:
        return
    for shift in augmentation.shift:
        yield Transform(kind="translation", shift=_whole(np.asarray(shift) + moved))
    for relative in augmentation.relative_shift:
        yield Transform(kind="translation", shift=_whole(np.asarray(relative) * crop_size / 2 + moved))
    for kind, operation in _operations(augmentation):
        spread = uniform(generator, 2) - 0.5
        random_shift = spread * crop_size * augmentation.random_shift
        yield Transform(kind=kind, shift=_whole(random_shift + moved), operation=operation)


def _operations(augmentation: Augmentation) -> Iterator[tuple[str, Operation]]:
    """The operations that come with a random shift."""
    if augmentation.flip_horizontal:
        yield "flip", augment.flip_horizontal
    yield from (("blur", augment.blur(sigma)) for sigma in augmentation.blur)
    yield from (("scale", augment.rescale(factor)) for factor in augmentation.scale)
    yield from (("rotate", augment.rotate(degrees)) for degrees in augmentation.rotate)


def _whole(shift: Array) -> tuple[int, int]:
    """Truncate a (dy, dx) to whole pixels."""
    return int(shift[0]), int(shift[1])
