"""Moving batches to the device and scalars back, with as few synchronisations as possible."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ltr.trainers.config import Batch

__all__ = ["fetch", "to_device"]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on `device`."""
    if device.type == "cpu":
        return batch
    return {k: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v for k, v in batch.items()}


def fetch(stats: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars by name as Python floats, in a single transfer."""
    values = torch.stack([value.detach().float() for value in stats.values()]).tolist()
    return dict(zip(stats, values))
