"""What happens to a batch: to the device, in parts through the network, its scalars back in one transfer."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ltr.actors.base_actor import BaseActor
from ltr.trainers.config import Batch

__all__ = ["fetch", "forward_backward", "in_tuples", "part_sizes", "split_batch", "to_device"]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on `device`."""
    if device.type == "cpu":
        return batch
    return {k: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v for k, v in batch.items()}


def in_tuples(batches: Iterable[Batch], size: int) -> Iterator[tuple[Batch, ...]]:
    """Consecutive batches, `size` at a time; what does not fill a tuple is left out."""
    return zip(*[iter(batches)] * size)


def fetch(stats: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars by name as Python floats, in a single transfer."""
    values = torch.stack([value.detach().float() for value in stats.values()]).tolist()
    return dict(zip(stats, values))


def part_sizes(batch_size: int, parts: int) -> list[int]:
    """Sizes of `parts` nearly equal parts of a batch."""
    small, more = divmod(batch_size, parts)
    return [small + 1] * more + [small] * (parts - more)


def split_batch(batch: Batch, sizes: Sequence[int]) -> Iterator[Batch]:
    """Parts of a collated batch: tensors are cut along dimension 1, lists along their own."""
    first = 0
    for size in sizes:
        yield {
            name: value.narrow(1, first, size) if isinstance(value, Tensor) else value[first : first + size]
            for name, value in batch.items()
        }
        first += size


def forward_backward(
    actor: BaseActor, batch: Batch, sizes: Sequence[int], scale: Callable[[Tensor], Tensor] | None = None
) -> dict[str, Tensor]:
    """Add the gradient of the batch's mean loss to the network, part by part.

    Args:
        actor: in training mode.
        batch: on the device.
        sizes: of the parts; one part for the whole batch at once.
        scale: what is done to the loss before it is differentiated, e.g. a ``GradScaler.scale``.

    Returns: detached statistics ``[]`` of the batch: means over the parts, weighted by their sizes.
    """
    stats: dict[str, Tensor] = {}
    for part, size in zip(split_batch(batch, sizes), sizes):
        share = size / sum(sizes)
        loss, values = actor(part)
        loss = loss * share
        torch.autograd.backward(loss if scale is None else scale(loss))
        for name, value in values.items():
            stats[name] = stats[name] + share * value if name in stats else share * value
    return stats
