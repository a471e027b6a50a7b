"""Second derivatives of precise pooling in the box, in closed form."""

import torch
from torch import Tensor

from pytracking.libs.box_pooling import Pooling

__all__ = ["curvature"]


def curvature(pooling: Pooling, upstream: Tensor) -> Tensor:
    """Hessian of ``(pooled * upstream).sum()`` for upstream ``[S, bins * bins * C]``, cells.

    A pooled value is a quadratic form of a row's and a column's weights, each of which depends on one corner
    and one extent: three derivatives of the weights make all sixteen entries.

    Returns:
        ``[S, 4, 4]`` in (x, y, w, h); symmetric.
    """
    (window,) = pooling.windows  # of one map
    first, second = _derivatives(pooling, window)
    columns, rows = torch.as_tensor(pooling.weights)  # [S, bins, K] each
    count, bins, size = columns.shape
    # f = sum over bins (i, j) of row_i^T G_ij column_j
    fields = upstream.reshape(count * bins * bins, -1) @ window.reshape(size * size, -1).T
    fields = fields.reshape(count, bins, bins, size, size)  # (row bin, column bin, y, x)
    by_column = torch.einsum("siy,sijyx->sjx", rows, fields)
    by_row = torch.einsum("sjx,sijyx->siy", columns, fields)
    hessian = upstream.new_zeros(count, 4, 4)
    for axis, other in ((0, by_column), (1, by_row)):
        own = slice(axis, None, 2)  # corner and extent of this axis among x, y, w, h
        hessian[:, own, own] = torch.einsum("abskx,skx->sab", second[:, :, axis], other)
    mixed = torch.einsum("asjx,sijyx,bsiy->sab", first[:, 0], fields, first[:, 1])
    hessian[:, 0::2, 1::2] = mixed
    hessian[:, 1::2, 0::2] = mixed.transpose(1, 2)
    return hessian


def _derivatives(pooling: Pooling, like: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of the weights in (corner, extent): ``[2, 2 (x, y), S, bins, K]`` and ``[2, 2, 2, ...]``.

    A weight is (I(e_k+1) - I(e_k)) / step with I' = hat, hat' = -sign, and e_k = corner + extent * part_k.
    """
    weights, step = torch.as_tensor(pooling.weights), torch.as_tensor(pooling.step)
    offsets, hats = torch.as_tensor(pooling.offsets), torch.as_tensor(pooling.hats)
    parts = torch.as_tensor(pooling.parts)[:, None].to(like)
    extent = step * weights.shape[2]
    slope = torch.where(offsets.abs() < 1, -offsets.sign(), 0)

    def over_bins(edges: Tensor) -> Tensor:
        return (edges[:, :, 1:] - edges[:, :, :-1]) / step

    by_corner = over_bins(hats)
    by_extent = over_bins(hats * parts) - weights / extent
    both = over_bins(slope * parts) - by_corner / extent
    first = torch.stack((by_corner, by_extent))
    twice = over_bins(slope * parts.square()) - 2 * by_extent / extent
    second = torch.stack((torch.stack((over_bins(slope), both)), torch.stack((both, twice))))
    return first, second
