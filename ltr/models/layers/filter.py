"""Correlation of feature maps with one filter per sequence, and its adjoint, as matrix products.

A correlation is computed as one matrix product of all filter taps with all cells, whose rows are then shifted
and added; its adjoint gathers the shifted maps and multiplies them with the features. Both are exact for
any number of images and sequences, and run on channels-last features without a copy. Under autocast the
products may be in half precision; what adds them up is float32, and so are the results.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ebm.exceptions import DomainError, ShapeError
from ltr.models.layers.precision import at_least_float32

__all__ = ["apply_feat_transpose", "apply_filter", "filter_gradient"]


def _with_sequences(feat: Tensor) -> Tensor:
    """Features as ``(I, S, C, H, W)``."""
    if feat.dim() not in (4, 5):
        raise ShapeError(
            f"Features have shape {tuple(feat.shape)}; expected (I, C, H, W) or (I, S, C, H, W)."
        )
    return feat[:, None] if feat.dim() == 4 else feat


def apply_filter(feat: Tensor, filter: Tensor, dilation_factors: Mapping[int, int] | None = None) -> Tensor:
    """Correlate each sequence's maps with that sequence's filters, zero padded by half a filter.

    Args:
        feat: features, ``(I, S, C, H, W)``, or ``(I, C, H, W)`` for one sequence.
        filter: one filter per sequence ``(S, C, kh, kw)``, or several ``(S, F, C / g, kh, kw)``, the filters
            and the channels being split into g equal groups.
        dilation_factors: dilation -> number of consecutive filters that use it; their sum is F.

    Returns:
        Scores ``(I, S, h, w)``, or ``(I, S, F, h, w)`` for several filters, with ``h = H + 1 - kh % 2`` and w
        alike. An even filter adds one row and one column.

    Raises:
        ShapeError: if the shapes do not fit together.
        DomainError: if `dilation_factors` do not count the filters.
    """
    feat = _with_sequences(feat)
    single = filter.dim() == 4
    filters = filter[:, None] if single else filter
    if filters.dim() != 5 or filters.shape[0] != feat.shape[1] or feat.shape[2] % filters.shape[2]:
        raise ShapeError(
            f"Filters of shape {tuple(filter.shape)} do not fit features of shape {tuple(feat.shape)} "
            "(I, S, C, H, W)."
        )
    if dilation_factors is None:
        scores = _correlate(feat, filters, 1)
    else:
        if single or sum(dilation_factors.values()) != filters.shape[1]:
            raise DomainError(
                f"dilation_factors {dict(dilation_factors)} do not count the {filters.shape[1]} filters."
            )
        parts = filters.split(list(dilation_factors.values()), dim=1)
        scores = torch.cat([_correlate(feat, f, d) for f, d in zip(parts, dilation_factors)], dim=2)
    return scores[:, :, 0] if single else scores


def _correlate(feat: Tensor, filters: Tensor, dilation: int) -> Tensor:
    """Scores ``(I, S, F, h, w)`` of filters ``(S, F, C / g, kh, kw)``."""
    images, sequences, channels, height, width = feat.shape
    count, per_group, kh, kw = filters.shape[1:]
    groups = channels // per_group
    if count % groups:
        raise ShapeError(f"{count} filters cannot be split into {groups} groups of channels.")
    # The adjoint of a gather adds the taps in reverse order: flip them here.
    taps = filters.flip(-2, -1).reshape(sequences, groups, count // groups, per_group, kh * kw)
    taps = taps.transpose(-2, -1).reshape(sequences, groups, -1, per_group)
    cells = feat.flatten(-2).unflatten(2, (groups, per_group))
    rows = at_least_float32(torch.matmul(taps, cells)).reshape(images * sequences, -1, height * width)
    if kh == kw == 1:
        return rows.reshape(images, sequences, count, height, width)
    padding = tuple(k // 2 + dilation - 1 for k in (kh, kw))
    size = tuple(n + 2 * p - dilation * (k - 1) for n, p, k in zip((height, width), padding, (kh, kw)))
    border = tuple(dilation * (k - 1) - p for p, k in zip(padding, (kh, kw)))
    return F.fold(rows, size, (kh, kw), dilation, border).reshape(images, sequences, count, *size)


def apply_feat_transpose(
    feat: Tensor, input: Tensor, filter_ksz: int | tuple[int, int], training: bool = True, groups: int = 1
) -> Tensor:
    """Adjoint of `apply_filter`: the gradient of ``(apply_filter(feat, f) * input).sum()`` in f.

    Args:
        feat: features, ``(I, S, C, H, W)``, or ``(I, C, H, W)`` for one sequence.
        input: maps of score size, ``(I, S, h, w)``, or ``(I, S, F, h, w)`` for F filters.
        filter_ksz: filter size, one number or (kh, kw).
        training: accepted for callers of the published signature; one path serves both.
        groups: g groups into which filters and channels are split, as in `apply_filter`.

    Returns:
        ``(S, C, kh, kw)``, or ``(S, F, C / g, kh, kw)``: summed over the images.

    Raises:
        ShapeError: if the shapes do not fit together, or `groups` splits not both F and C.
    """
    feat = _with_sequences(feat)
    if groups != 1:
        return _grouped_transpose(feat, input, filter_ksz, groups)
    kh, kw = (filter_ksz, filter_ksz) if isinstance(filter_ksz, int) else filter_ksz
    images, sequences, channels, height, width = feat.shape
    size = (height + (kh + 1) % 2, width + (kw + 1) % 2)
    single = input.dim() == 4
    maps = input[:, :, None] if single else input
    if maps.dim() != 5 or maps.shape[:2] != feat.shape[:2] or tuple(maps.shape[-2:]) != size:
        raise ShapeError(
            f"Maps of shape {tuple(input.shape)} do not fit features of shape {tuple(feat.shape)} and "
            f"{kh}x{kw} filters; expected (I, S, [F,] {size[0]}, {size[1]})."
        )
    count = maps.shape[2]
    if kh == kw == 1:
        columns = maps.reshape(images, sequences, count, height * width)
    else:
        border = (kh - 1 - kh // 2, kw - 1 - kw // 2)
        columns = F.unfold(maps.reshape(-1, count, *size), (kh, kw), padding=border)
        columns = columns.reshape(images, sequences, count * kh * kw, height * width)
    products = at_least_float32(torch.matmul(feat.flatten(-2), columns.transpose(-2, -1))).sum(dim=0)
    gradient = products.reshape(sequences, channels, count, kh, kw).flip(-2, -1).movedim(2, 1)
    return gradient[:, 0] if single else gradient


def _grouped_transpose(feat: Tensor, input: Tensor, filter_ksz: int | tuple[int, int], groups: int) -> Tensor:
    """The adjoint of grouped filters ``(S, F, C / g, kh, kw)``: every group is a sequence of its own."""
    if groups < 1 or input.dim() != 5 or feat.shape[2] % groups or input.shape[2] % groups:
        raise ShapeError(
            f"Features of shape {tuple(feat.shape)} (I, S, C, H, W) and maps of shape {tuple(input.shape)}, "
            f"expected (I, S, F, h, w), cannot be split into {groups} groups of channels and filters."
        )
    parts = [tensor.unflatten(2, (groups, -1)).flatten(1, 2) for tensor in (feat, input)]
    gradient = apply_feat_transpose(parts[0], parts[1], filter_ksz)
    return gradient.unflatten(0, (-1, groups)).flatten(1, 2)


def filter_gradient(
    feat: Tensor, filter: Tensor, label: Tensor | None = None, training: bool = True
) -> Tensor:
    """Gradient of ``0.5 * ((apply_filter(feat, filter) - label) ** 2).sum()`` in the filter.

    Args:
        feat: features, ``(I, S, C, H, W)`` or ``(I, C, H, W)``.
        filter: ``(S, C, kh, kw)``.
        label: ``(I, S, h, w)``; None stands for zero.
        training: as in `apply_feat_transpose`.

    Returns:
        ``(S, C, kh, kw)``.
    """
    residual = apply_filter(feat, filter)
    if label is not None:
        residual = residual - label
    return apply_feat_transpose(feat, residual, (filter.shape[-2], filter.shape[-1]), training)
