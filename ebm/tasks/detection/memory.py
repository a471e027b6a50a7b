"""Features of training pictures that are computed once, for all trainings of a table."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ebm.tasks.detection.data.records import ImageId
from ebm.tasks.detection.data.training import Sample
from ebm.tasks.detection.protocol import Detector, ImageBatch
from ebm.tasks.detection.pyramid import LevelRule, Pyramid

__all__ = ["FeatureMemory", "bytes_of"]


class FeatureMemory:
    """What a frozen detector makes of the pictures of a set, each seen alone, in half precision.

    Every training of a table looks at the same pictures, each of them as it is and mirrored. How much is
    kept, and what else is in a batch, changes no feature.

    Args:
        detector: frozen.
        room: bytes that may be kept; what does not fit is computed anew.
    """

    def __init__(self, detector: Detector, room: float) -> None:
        self._detector, self._room = detector, room
        self._kept: dict[tuple[ImageId, bool], Mapping[str, Tensor]] = {}
        self._form: tuple[tuple[str, ...], LevelRule] | None = None

    def __len__(self) -> int:
        """Pictures that are kept."""
        return len(self._kept)

    def features(self, samples: Sequence[Sample], batch: ImageBatch) -> Pyramid:
        """Feature maps of a batch, zeros where a picture is smaller than the batch.

        Args:
            samples: its pictures, of one set.
            batch: that the detector has prepared of them.
        """
        each = [self._of(sample) for sample in samples]
        assert self._form is not None
        maps = {name: _stacked([own[name] for own in each], batch.tensors.device) for name in each[0]}
        return Pyramid(maps, *self._form)

    def _of(self, sample: Sample) -> Mapping[str, Tensor]:
        key = (sample.image_id, sample.flipped)
        found = self._kept.get(key)
        if found is None:
            pyramid = self._detector.features(self._detector.prepare([sample.picture]))
            self._form = (pyramid.names, pyramid.rule)
            found = {name: _halved(own[0]).cpu() for name, own in pyramid.maps.items()}
            size = bytes_of(found.values())
            if size <= self._room:
                self._room -= size
                self._kept[key] = found
        return found


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """Memory that tensors take."""
    return sum(own.numel() * own.element_size() for own in tensors)


def _halved(values: Tensor) -> Tensor:
    """In half precision, unless a value is beyond its range."""
    half = values.half()
    return half if bool(half.isfinite().all()) else values


def _stacked(maps: Sequence[Tensor], device: torch.device) -> Tensor:
    """Maps ``(C, h, w)`` of several sizes as ``(N, C, H, W)`` float32."""
    sides = [max(own.shape[axis] for own in maps) for axis in (1, 2)]
    whole = torch.zeros(len(maps), maps[0].shape[0], *sides, device=device)
    for place, own in enumerate(maps):
        whole[place, :, : own.shape[1], : own.shape[2]] = own
    return whole
