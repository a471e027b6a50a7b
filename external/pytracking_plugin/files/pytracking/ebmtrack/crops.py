"""PyTracking's patch sampling with corners on whole pixels, whatever torch divides integers to."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["sample_patch"]

MODES = ("replicate", "inside", "inside_major")


def sample_patch(
    im: Tensor,
    pos: Tensor,
    sample_sz: Tensor,
    output_sz: Tensor | None = None,
    mode: str = "replicate",
    max_scale_change: float | None = None,
    is_mask: bool = False,
) -> tuple[Tensor, Tensor]:
    """Cut `sample_sz` px around `pos` out of an image and resize it.

    Args:
        im: ``[1, C, H, W]``.
        pos: centre (y, x), px; truncated to whole pixels.
        sample_sz: (h, w), px.
        output_sz: (h, w) of the result, px; None keeps the crop's own.
        mode: ``"replicate"`` repeats the border; ``"inside"`` shrinks and moves the crop until it fits,
            ``"inside_major"`` until it fits on one axis. Others are modes of torch's padding.
        max_scale_change: largest shrinkage; None is unbounded.
        is_mask: pads with zeros and resizes to the nearest pixel.

    Returns:
        The patch ``[1, C, h, w]``, and float ``[1, 4]`` top, left, bottom, right of the crop in `im`, px.
    """
    limits = (im.shape[-2], im.shape[-1])
    sizes, move = _pair(sample_sz), mode in MODES[1:]
    if move:
        sizes = _shrunk(sizes, limits, mode, max_scale_change)
    wanted = None if output_sz is None else [int(value) for value in _pair(output_sz)]
    step = 1 if wanted is None else max(int(float((sizes / sizes.new_tensor(wanted)).min()) - 0.1), 1)
    # Round half to even, as in the original.
    counts = [max(int(value), 2) for value in (sizes / step).round()]
    offsets = [int(value) % step for value in pos.tolist()]
    middles = [(int(value) - offset) // step for value, offset in zip(pos.tolist(), offsets)]
    im = im[..., offsets[0] :: step, offsets[1] :: step]
    first = [_first(*along, move) for along in zip(middles, counts, im.shape[-2:])]
    last = [start + count for start, count in zip(first, counts)]
    corners = torch.tensor([[step * float(edge) for edge in (*first, *last)]])
    return _resized(_take(im, first, counts, mode, is_mask), wanted, is_mask), corners


def _pair(sizes: Tensor) -> Tensor:
    """Two numbers, float32 on the CPU."""
    return torch.as_tensor(sizes).detach().float().cpu().reshape(-1).expand(2)


def _shrunk(sizes: Tensor, limits: tuple[int, int], mode: str, bound: float | None) -> Tensor:
    """Crop size after shrinking towards the image, whole px."""
    ratios = sizes / sizes.new_tensor(limits)
    factor = (ratios.max() if mode == "inside" else ratios.min()).clamp(min=1, max=bound)
    return (sizes / factor).trunc()


def _first(middle: int, count: int, limit: int, move: bool) -> int:
    """First pixel of the crop along one axis."""
    first = middle - (count - 1) // 2
    if move:
        first += max(-first, 0) - max(first + count - limit, 0)
        outside = (max(-first, 0) + max(first + count - limit, 0)) // 2
        if outside > 0:
            first = -outside
    return first


def _take(im: Tensor, first: list[int], counts: list[int], mode: str, is_mask: bool) -> Tensor:
    """Rows and columns of `im`; outside it zeros in masks, else the border again or as `mode` says."""
    height, width = im.shape[-2:]
    if mode not in MODES and not is_mask:
        below, right = (f + n - limit for f, n, limit in zip(first, counts, (height, width)))
        return functional.pad(im, (-first[1], right, -first[0], below), mode=mode)
    wanted = [torch.arange(f, f + n, device=im.device) for f, n in zip(first, counts)]
    rows, columns = (w.clamp(0, limit - 1) for w, limit in zip(wanted, (height, width)))
    patch = im[..., rows, :][..., columns]
    return patch * ((rows == wanted[0])[:, None] & (columns == wanted[1])) if is_mask else patch


def _resized(patch: Tensor, wanted: list[int] | None, is_mask: bool) -> Tensor:
    """A patch at the size (h, w) that is wanted; a copy where that is its own."""
    if wanted is None or list(patch.shape[-2:]) == wanted:
        return patch.clone()
    if is_mask:
        return functional.interpolate(patch, wanted, mode="nearest")
    return functional.interpolate(patch, wanted, mode="bilinear", align_corners=False)
