"""Features of a frozen backbone kept in files: a training of the box branch alone then costs minutes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ltr.actors.network_actor import NetworkActor
from ltr.data.loader import collate_frames

__all__ = ["CachedFrames", "cache_frames"]

BATCH = 16
PARTS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class CachedFrames:
    """Samples of a reference and test frames: two levels of half-precision features, and boxes.

    Attributes:
        arrays: memory-mapped; ``train_0``, ``train_1``, ``test_0``, ``test_1`` ``[N, I, H, W, C]`` and
            ``train_anno``, ``test_anno`` ``[N, I, 4]`` xywh, crop px.
    """

    arrays: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "CachedFrames":
        """Those that `cache_frames` has left."""
        return cls(arrays={file.stem: np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))})

    def __len__(self) -> int:
        return len(self.arrays["train_anno"])

    def batch(self, rows: Sequence[int]) -> dict[str, Any]:
        """Some samples: features ``(I * B, C, H, W)``, frame by frame, boxes ``[I, B, 4]``, both float32."""
        order = np.asarray(rows)
        found: dict[str, Any] = {}
        for part in PARTS:
            found[f"{part}_anno"] = torch.from_numpy(self.arrays[f"{part}_anno"][order]).transpose(0, 1)
            levels = [torch.from_numpy(self.arrays[f"{part}_{k}"][order]).float() for k in range(2)]
            # The channels stay innermost in memory, as the convolutions like them.
            found[part] = [level.transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2) for level in levels]
        return found


@torch.no_grad()
def cache_frames(
    actor: NetworkActor, sample: Callable[[int], Any], count: int, folder: Path, say: Callable[[str], None]
) -> CachedFrames:
    """Compute the features of samples 0 to `count` - 1, or open those that are there.

    Args:
        actor: around a network with a frozen backbone.
        sample: training sample by index.
        count: how many.
        folder: where the files go; moved into place when they are whole.
        say: prints a line.
    """
    if folder.is_dir():
        return CachedFrames.open(folder)
    side = folder.with_name(f".{folder.name}")
    side.mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {}
    for first in range(0, count, BATCH):
        batch = dict(collate_frames([sample(i) for i in range(first, min(first + BATCH, count))]))
        for name, value in _entries(actor, batch).items():
            if name not in files:
                shape = (count, *value.shape[1:])
                path = side / f"{name}.npy"
                files[name] = np.lib.format.open_memmap(path, "w+", dtype=value.dtype, shape=shape)
            files[name][first : first + len(value)] = value
        if first // BATCH % 32 == 0:
            say(f"{folder.name}: features of {first} of {count} samples")
    for array in files.values():
        array.flush()
    side.rename(folder)
    return CachedFrames.open(folder)


def _entries(actor: NetworkActor, batch: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a batch, sample by sample."""
    net: Any = actor.net
    found: dict[str, Any] = {}
    for part in PARTS:
        frames, samples = batch[f"{part}_anno"].shape[:2]
        levels: list[Tensor] = net.get_backbone_bbreg_feat(actor.features(batch, part))
        for k, level in enumerate(levels):
            rows = level.permute(0, 2, 3, 1).unflatten(0, (frames, samples)).transpose(0, 1)
            found[f"{part}_{k}"] = rows.half().numpy()
        found[f"{part}_anno"] = batch[f"{part}_anno"].transpose(0, 1).numpy()
    return found
