"""Boxes: corner-and-size pixels, the relative parametrisation that energies live on, overlap.

``xywh`` is (left, top, width, height) in pixels, with ``right = left + width`` (no +1). Relative coordinates
with reference size (w0, h0) are ``(cx / w0, cy / h0, log w, log h)``: a shift of a box's own relative
coordinates by e moves its centre by (e1 w, e2 h) and multiplies its size by (exp e3, exp e4).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ebm.checks import checks_values, float_dtype, require_finite, require_last_dim, require_same_device
from ebm.exceptions import DomainError, ShapeError

__all__ = ["box_iou", "expand_box_sigmas", "rect_to_rel", "rel_to_rect"]


def rect_to_rel(rect: Tensor, size: Tensor, *, validate: bool | None = None) -> Tensor:
    """Relative coordinates of boxes.

    Args:
        rect: boxes xywh, px, ``(..., 4)``, width and height > 0.
        size: reference width and height, px, ``(..., 2)``, broadcast against `rect`.
        validate: look at the values; None means on CPU tensors only.

    Returns:
        ``(cx / w0, cy / h0, log w, log h)``, ``(..., 4)``.

    Raises:
        ShapeError: if a last dimension is not 4 and 2.
        TypeError: if the devices differ, or a tensor is boolean.
        DomainError: if a value is not finite or a width or height is not positive.

    Source: Gustafsson et al., ECCV 2020, section 4.1.
    """
    require_last_dim("rect", rect, 4, "(..., 4)")
    require_last_dim("size", size, 2, "(..., 2)")
    _require_numbers(rect=rect, size=size)
    if checks_values(rect, validate):
        require_finite("rect", rect, True)
        _require_positive_size("rect", rect[..., 2:])
        _require_positive_size("size", size)
    extent = rect[..., 2:]
    centre = (rect[..., :2] + 0.5 * extent) / size
    return torch.cat((centre, extent.log().expand_as(centre)), dim=-1)


def rel_to_rect(rel: Tensor, size: Tensor) -> Tensor:
    """Inverse of `rect_to_rel`.

    Args:
        rel: relative boxes, ``(..., 4)``.
        size: the reference width and height used there, px, ``(..., 2)``.

    Returns:
        Boxes xywh, px, ``(..., 4)``.

    Raises:
        ShapeError: if a last dimension is not 4 and 2.
        TypeError: if the devices differ, or a tensor is boolean.
    """
    require_last_dim("rel", rel, 4, "(..., 4)")
    require_last_dim("size", size, 2, "(..., 2)")
    _require_numbers(rel=rel, size=size)
    extent = rel[..., 2:].exp()
    corner = rel[..., :2] * size - 0.5 * extent
    return torch.cat((corner, extent.expand_as(corner)), dim=-1)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union, element by element.

    Args:
        a: boxes xywh, px, ``(..., 4)``.
        b: boxes xywh, px, broadcast against `a`; ``a[:, None]`` and ``b[None]`` give all pairs.

    Returns:
        Overlap in [0, 1], ``(...)``; two boxes without area overlap by 0.

    Raises:
        ShapeError: if a last dimension is not 4.
        TypeError: if the devices differ, or a tensor is boolean.
    """
    require_last_dim("a", a, 4, "(..., 4)")
    require_last_dim("b", b, 4, "(..., 4)")
    _require_numbers(a=a, b=b)
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    inside = (high - low).clamp(min=0).prod(-1)
    union = a[..., 2:].clamp(min=0).prod(-1) + b[..., 2:].clamp(min=0).prod(-1) - inside
    overlap = inside / torch.where(union > 0, union, 1)
    return torch.where(union > 0, overlap.clamp(max=1), 0)  # rounding may exceed 1


def expand_box_sigmas(pairs: Sequence[Sequence[float]]) -> Tensor:
    """Standard deviations per relative coordinate from one (position, size) pair per mixture component.

    Args:
        pairs: K pairs; position is for both centre coordinates, size for both log-sizes.

    Returns:
        ``(K, 4)`` with rows (position, position, size, size).

    Raises:
        ShapeError: if an entry is not a pair.
    """
    for pair in pairs:
        if len(pair) != 2:
            raise ShapeError(f"expected (position, size) pairs, got {tuple(pair)!r}.")
    return torch.tensor([[p, p, s, s] for p, s in pairs]).reshape(-1, 4)


def _require_numbers(**tensors: Tensor) -> None:
    require_same_device(**tensors)
    float_dtype(*tensors.values())


def _require_positive_size(name: str, size: Tensor) -> None:
    if bool((size > 0).all()):
        return
    index = tuple(int(i) for i in (~(size > 0)).nonzero()[0][:-1])
    raise DomainError(f"boxes need width and height > 0, but {name}{list(index)} has {size[index].tolist()}.")
