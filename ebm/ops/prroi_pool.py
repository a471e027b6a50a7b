"""Precise RoI pooling in closed form: exact, on any device, differentiable twice in features and boxes.

A feature map is read as the continuous surface ``F(x, y) = sum_ij f[i, j] hat(x - j) hat(y - i)`` with
``hat(t) = max(0, 1 - |t|)``, zero outside the map. A bin's value is the mean of F over the bin. The hat
function is separable and its integral is known, so a box's bins are ``W_y f W_x^T`` with weights that are
differences of that integral, divided by the bin's sides: two batched matrix products and nothing else.

Source: Jiang et al., ECCV 2018, arXiv:1807.11590 (the operator); the separable evaluation is our own.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ebm.checks import (
    checks_values,
    float_dtype,
    require_count,
    require_finite,
    require_last_dim,
    require_same_device,
)
from ebm.exceptions import DomainError, ShapeError
from ebm.numbers import listed, require_number
from ebm.ops.roi_windows import bin_weights, contract, pool_windows

__all__ = ["PoolPath", "PrRoIPool2D", "prroi_pool2d", "prroi_pool_per_image"]

PoolPath = Literal["auto", "dense", "windowed"]

# Maps up to this many cells (48 x 48) are multiplied whole; a tracker's have 18 x 18 to 44 x 44.
DENSE_CELLS = 48 * 48
# Elements of the half-contracted product held at once. On a CPU, larger blocks come fresh from the system at
# every call, and their page faults cost two to three times the arithmetic.
CPU_BLOCK, GPU_BLOCK = 3_000_000, 1 << 27


def prroi_pool_per_image(
    features: Tensor,
    boxes: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    *,
    path: PoolPath = "auto",
    validate: bool | None = None,
) -> Tensor:
    """Pool P boxes on each of N maps; the form for tracking, where no map is copied per box.

    Args:
        features: feature maps ``(N, C, H, W)``; channels-last memory is fastest. Half precision is
            pooled in float32, and autocast is off inside.
        boxes: corners (x0, y0, x1, y1) in image px, ``(N, P, 4)``. A box without area gives zeros and
            passes no gradient.
        output_size: bins (height, width) per box, or one number for both.
        spatial_scale: map cells per image px, e.g. 1/16.
        path: ``"dense"`` multiplies whole maps, ``"windowed"`` gathers each box's cells; ``"auto"`` takes
            the first up to 48 x 48 cells and inside ``torch.compile``.
        validate: look at the box values; None means on CPU tensors only.

    Returns:
        Bin means, ``(N, P, C, height, width)``, float32 or wider.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: if a box is not finite, or output size or scale is not positive.
        TypeError: if features and boxes are on different devices.
    """
    bins, scale = _check(features, boxes, output_size, spatial_scale, path)
    require_last_dim("boxes", boxes, 4, "(N, P, 4)", rank=3)
    if boxes.shape[0] != features.shape[0]:
        raise ShapeError(f"got {features.shape[0]} feature maps but boxes for {boxes.shape[0]}.")
    require_finite("boxes", boxes, validate)
    with torch.autocast(features.device.type, enabled=False):
        maps, boxes = _prepare(features, boxes, scale)
        if _is_dense(path, maps):
            return _pool_dense(maps, boxes, bins)
        n, p = boxes.shape[:2]
        image = torch.arange(n, device=boxes.device).repeat_interleave(p)
        return pool_windows(maps, image, boxes.reshape(-1, 4), bins).unflatten(0, (n, p))


def prroi_pool2d(
    features: Tensor,
    rois: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    *,
    path: PoolPath = "auto",
    validate: bool | None = None,
) -> Tensor:
    """Pool a list of boxes that name their map; the published operator's interface.

    Args:
        features: feature maps ``(N, C, H, W)``.
        rois: rows (map index, x0, y0, x1, y1), corners in image px, ``(R, 5)``; R may be 0.
        output_size: bins (height, width) per box, or one number for both.
        spatial_scale: map cells per image px.
        path: see `prroi_pool_per_image`.
        validate: look at the values of `rois`; None means on CPU tensors only.

    Returns:
        Bin means, ``(R, C, height, width)``, float32 or wider.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: if a row is not finite or names a map that does not exist.
        TypeError: if features and rois are on different devices.
    """
    bins, scale = _check(features, rois, output_size, spatial_scale, path)
    require_last_dim("rois", rois, 5, "(R, 5)", rank=2)
    image, n = rois[:, 0].detach().long(), features.shape[0]
    if checks_values(rois, validate):
        require_finite("rois", rois, True)
        if bool(((image < 0) | (image >= n)).any()):
            raise DomainError(f"rois name maps {int(image.min())} to {int(image.max())}, but there are {n}.")
    with torch.autocast(features.device.type, enabled=False):
        maps, boxes = _prepare(features, rois[:, 1:], scale)
        if n == 1 and _is_dense(path, maps):
            return _pool_dense(maps, boxes[None], bins)[0]
        if rois.shape[0] == 0:
            return _pool_dense(maps, boxes.reshape(n, 0, 4), bins).flatten(0, 1)
        if torch.compiler.is_compiling():  # window sizes and counts per map are data, unknown to the compiler
            return _pool_dense(maps[image], boxes[:, None], bins)[:, 0]
        return _pool_listed(maps, image, boxes, bins, path)


class PrRoIPool2D(nn.Module):
    """`prroi_pool2d` with its sizes fixed: ``(features (N, C, H, W), rois (R, 5)) -> (R, C, ph, pw)``.

    Args:
        pooled_height: bins per box vertically.
        pooled_width: bins per box horizontally.
        spatial_scale: map cells per image px.
    """

    def __init__(self, pooled_height: int, pooled_width: int, spatial_scale: float) -> None:
        super().__init__()
        self.pooled_height, self.pooled_width = int(pooled_height), int(pooled_width)
        self.spatial_scale = float(spatial_scale)

    def forward(self, features: Tensor, rois: Tensor) -> Tensor:
        """Bin means ``(R, C, ph, pw)`` of the rows ``(map index, x0, y0, x1, y1)`` of `rois`, px."""
        return prroi_pool2d(features, rois, (self.pooled_height, self.pooled_width), self.spatial_scale)

    def per_image(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Bin means ``(N, P, C, ph, pw)`` of boxes ``(N, P, 4)`` xyxy, px; see `prroi_pool_per_image`."""
        return prroi_pool_per_image(
            features, boxes, (self.pooled_height, self.pooled_width), self.spatial_scale
        )

    def extra_repr(self) -> str:
        """The three sizes, for ``print(module)``."""
        return f"{self.pooled_height}, {self.pooled_width}, spatial_scale={self.spatial_scale:g}"


def _check(
    features: Tensor, boxes: Tensor, size: int | tuple[int, int], scale: float, path: str
) -> tuple[tuple[int, int], float]:
    if features.ndim != 4:
        raise ShapeError(f"expected features of shape (N, C, H, W), got {tuple(features.shape)}.")
    require_same_device(features=features, boxes=boxes)
    sizes = [require_count("output size", side, least=0) for side in listed(size)]
    bins = (sizes[0], sizes[-1])
    scale = require_number("spatial scale", scale)
    if len(sizes) > 2 or min(bins) < 1 or not scale > 0:
        raise DomainError(f"output size and spatial scale must be positive, got {bins} and {scale}.")
    if path not in ("auto", "dense", "windowed"):
        raise DomainError(f"path must be 'auto', 'dense' or 'windowed', got {path!r}.")
    return bins, scale


def _prepare(features: Tensor, boxes: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Maps ``(N, H, W, C)`` contiguous and boxes in cells, both float32 or wider."""
    dtype = float_dtype(features, boxes)
    return features.to(dtype).permute(0, 2, 3, 1).contiguous(), boxes.to(dtype) * scale


def _is_dense(path: str, maps: Tensor) -> bool:
    small = maps.shape[1] * maps.shape[2] <= DENSE_CELLS
    return path == "dense" or (path == "auto" and (small or torch.compiler.is_compiling()))


def _pool_dense(maps: Tensor, boxes: Tensor, bins: tuple[int, int]) -> Tensor:
    """Maps ``(N, H, W, C)``, boxes ``(N, P, 4)`` in cells -> ``(N, P, C, ph, pw)``."""
    n, height, width, channels = maps.shape
    rows, cols = _axis_weights(boxes, bins, height, width)
    held = boxes.shape[1] * bins[0] * width * channels
    block = max(1, (CPU_BLOCK if maps.device.type == "cpu" else GPU_BLOCK) // max(1, held))
    if block >= n:
        return contract(maps, rows, cols)
    parts = zip(maps.split(block), rows.split(block), cols.split(block))
    return torch.cat([contract(m, r, c) for m, r, c in parts])


def _axis_weights(boxes: Tensor, bins: tuple[int, int], height: int, width: int) -> tuple[Tensor, Tensor]:
    """Weights of rows ``(N, P, ph, H)`` and columns ``(N, P, pw, W)``."""
    cells = torch.arange(max(height, width), device=boxes.device)
    low, high = boxes[..., :2], boxes[..., 2:]
    if bins[0] == bins[1]:  # both axes at once: on small maps the time goes into the number of operations
        both = bin_weights(low, high, bins[0], cells)
        return both[:, :, 1, :, :height], both[:, :, 0, :, :width]
    rows = bin_weights(low[..., 1], high[..., 1], bins[0], cells[:height])
    return rows, bin_weights(low[..., 0], high[..., 0], bins[1], cells[:width])


def _pool_listed(maps: Tensor, image: Tensor, boxes: Tensor, bins: tuple[int, int], path: str) -> Tensor:
    """Boxes ``(R, 4)`` in cells on maps `image` ``(R,)``: grouped by map where that wastes little."""
    n, count = maps.shape[0], boxes.shape[0]
    if not _is_dense(path, maps):
        return pool_windows(maps, image, boxes, bins)
    per_map = torch.bincount(image, minlength=n)
    most = int(per_map.max())
    if path == "auto" and n * most > 4 * count:  # one crowded map among empty ones
        return pool_windows(maps, image, boxes, bins)
    order = image.argsort(stable=True)
    first = per_map.cumsum(0) - per_map
    place = torch.empty_like(image)
    place[order] = torch.arange(count, device=image.device) - first[image[order]]
    padded = boxes.new_zeros(n, most, 4).index_put((image, place), boxes)
    return _pool_dense(maps, padded, bins)[image, place]
