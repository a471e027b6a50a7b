"""The halves of precise RoI pooling: bin weights and their products, on whole maps or gathered windows."""

import torch
from torch import Tensor

__all__ = ["bin_weights", "contract", "pool_windows"]

# Elements gathered at once by `pool_windows` (128 MB of float32).
WINDOW_BLOCK = 1 << 25


def bin_weights(low: Tensor, high: Tensor, bins: int, cells: Tensor) -> Tensor:
    """Weight of every cell in the mean over each of `bins` equal parts of an interval.

    Args:
        low: interval starts, in cells, ``(...)``.
        high: interval ends, in cells, ``(...)``; an interval with ``high <= low`` gets weights 0.
        bins: number of parts.
        cells: positions of the cells, ``(L,)`` or one row per interval ``(..., L)``.

    Returns:
        ``(..., bins, L)``. Row k is the mean of ``hat(x - cell)`` over part k; it sums to 1 where the part
        lies between cells.
    """
    extent = high - low
    extent = torch.where(extent <= 0, 0, extent)
    parts = torch.linspace(0, 1, bins + 1, dtype=extent.dtype, device=extent.device)
    edges = torch.addcmul(low[..., None], extent[..., None], parts)
    # Up to a constant, t - t|t|/2 on [-1, 1] is the integral of the hat function. Equal edges cancel
    # exactly, so an empty interval has weights and gradients that are exactly zero. The divisor is the
    # distance of the edges as they were rounded, which keeps small bins accurate.
    t = (edges[..., None] - cells.to(extent.dtype).unsqueeze(-2)).clamp(-1, 1)
    integral = t - 0.5 * t * t.abs()
    step = edges.diff(dim=-1)
    return integral.diff(dim=-2) / torch.where(step == 0, 1, step)[..., None]


def contract(maps: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """``rows @ map @ cols^T`` for P boxes on each of N maps, as two batched matrix products.

    Rows come first: on channels-last maps that product is one plain matrix multiplication per map whose
    result already lies in the order that the second one reads, so nothing is transposed in between.

    Args:
        maps: ``(N, H, W, C)``, contiguous.
        rows: ``(N, P, ph, H)``.
        cols: ``(N, P, pw, W)``.

    Returns:
        ``(N, P, C, ph, pw)``, a view on ``(N, P, ph, pw, C)`` memory.
    """
    n, height, width, channels = maps.shape
    count, ph, pw = rows.shape[1], rows.shape[2], cols.shape[2]
    half = torch.bmm(rows.reshape(n, count * ph, height), maps.reshape(n, height, width * channels))
    repeated = cols.unsqueeze(2).expand(n, count, ph, pw, width).reshape(n * count * ph, pw, width)
    pooled = torch.bmm(repeated, half.reshape(n * count * ph, width, channels))
    return pooled.reshape(n, count, ph, pw, channels).permute(0, 1, 4, 2, 3)


def pool_windows(maps: Tensor, image: Tensor, boxes: Tensor, bins: tuple[int, int]) -> Tensor:
    """Pool each box from a gathered window of its map, boxes of similar size together.

    Args:
        maps: ``(N, H, W, C)``, contiguous.
        image: index of each box's map, ``(R,)`` int64.
        boxes: xyxy in cells, ``(R, 4)``.
        bins: (ph, pw).

    Returns:
        ``(R, C, ph, pw)``. Window sizes are read from the boxes, which waits once for the device.
    """
    height, width, channels = maps.shape[1:]
    if boxes.shape[0] == 0:
        return contract(
            maps[:1], boxes.new_zeros(1, 0, bins[0], height), boxes.new_zeros(1, 0, bins[1], width)
        )[0]
    top, tall = _windows(boxes[:, 1], boxes[:, 3], height)
    left, wide = _windows(boxes[:, 0], boxes[:, 2], width)
    order, groups = _group(tall, wide)
    pooled, start = [], 0
    for high, broad, count in groups:
        block = max(1, WINDOW_BLOCK // (high * broad * channels))
        for chosen in order[start : start + count].split(block):
            y = _cells(top[chosen], high, height)
            x = _cells(left[chosen], broad, width)
            pooled.append(_pool_group(maps, image[chosen], boxes[chosen], y, x, bins))
        start += count
    return torch.cat(pooled)[order.argsort()]


def _windows(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """First cell and number of cells (a power of two, at most `size`) that an interval touches."""
    first = low.detach().floor().clamp(0, size - 1).nan_to_num().long()
    last = high.detach().ceil().clamp(0, size - 1).nan_to_num().long()
    count = (last - first + 1).clamp(min=1)
    power = torch.exp2(torch.ceil(torch.log2(count.double()))).long()
    return first, power.clamp(max=size)


def _group(tall: Tensor, wide: Tensor) -> tuple[Tensor, list[tuple[int, int, int]]]:
    """Order of the boxes that puts equal window sizes together, and (height, width, count) of each group."""
    base = int(torch.iinfo(torch.int32).max)
    key, order = (tall * base + wide).sort()
    sizes, counts = key.unique_consecutive(return_counts=True)
    listed = torch.stack((sizes, counts)).tolist()
    return order, [(size // base, size % base, count) for size, count in zip(*listed)]


def _cells(first: Tensor, count: int, size: int) -> Tensor:
    """Positions ``(R, count)`` of each window's cells, shifted to lie inside the map."""
    return first.clamp(max=size - count)[:, None] + torch.arange(count, device=first.device)


def _pool_group(
    maps: Tensor, image: Tensor, boxes: Tensor, y: Tensor, x: Tensor, bins: tuple[int, int]
) -> Tensor:
    """Boxes ``(R, 4)`` on windows with cells y ``(R, K)`` and x ``(R, L)`` -> ``(R, C, ph, pw)``."""
    height, width, channels = maps.shape[1:]
    index = (image[:, None, None] * height + y[:, :, None]) * width + x[:, None, :]
    window = maps.reshape(-1, channels).index_select(0, index.flatten())
    rows = bin_weights(boxes[:, 1], boxes[:, 3], bins[0], y)
    cols = bin_weights(boxes[:, 0], boxes[:, 2], bins[1], x)
    window = window.reshape(*index.shape, channels)
    return contract(window, rows[:, None], cols[:, None])[:, 0]
