"""Label maps of the target classifier: a Gaussian at the target's centre, in cells of the score map."""

import math

import torch
from torch import Tensor

from ebm.exceptions import ShapeError

__all__ = ["finish_density", "gaussian_label_function"]

SMALLEST_MASS = 0.01  # of a density map; with less the target is as good as outside

Pair = float | tuple[float, float]


def _pair(value: Pair) -> tuple[float, float]:
    """A scalar or an (x, y) pair as a pair."""
    return value if isinstance(value, tuple) else (float(value), float(value))


def _profile(centre: Tensor, cells: int, sigma: float, density: bool) -> Tensor:
    """A Gaussian along an axis: ``[..., 1]`` centres -> ``[..., cells]``."""
    grid = torch.arange(cells, dtype=centre.dtype, device=centre.device)
    values = torch.exp((grid - centre).square_().div_(-2 * sigma * sigma))
    return values / (math.sqrt(2 * math.pi) * sigma) if density else values


def gaussian_label_function(
    target_bb: Tensor,
    sigma_factor: float,
    kernel_sz: int | tuple[int, int],
    feat_sz: int | tuple[int, int],
    image_sz: int | tuple[int, int],
    end_pad_if_even: bool = True,
    density: bool = False,
    uni_bias: float = 0.0,
) -> Tensor:
    """What the classifier should answer for boxes in a crop. Pairs are (x, y), i.e. (width, height).

    Args:
        target_bb: ``[N, 4]`` xywh, px of the crop.
        sigma_factor: standard deviation / sqrt(feature width * feature height).
        kernel_sz: size of the target filter, cells. An even filter scores the corners between cells, so
            that its map is one larger and the peak lies at ``centre / stride`` instead of ``centre / stride
            - 0.5``.
        feat_sz: size of the feature map, cells.
        image_sz: size of the crop, px.
        end_pad_if_even: whether the score map of an even filter is one cell larger than the features.
        density: normalise to a density over cells.
        uni_bias: share of a uniform density that is mixed in (`density`), or a constant that is added.

    Returns:
        ``[N, h, w]``, dtype of `target_bb`.

    Raises:
        ShapeError: if `target_bb` is not ``[N, 4]``.

    Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", arXiv:1904.07220.
    """
    if target_bb.ndim != 2 or target_bb.shape[1] != 4:
        raise ShapeError(f"target_bb must be [N, 4], not {list(target_bb.shape)}.")
    kernel, feat, image = _pair(kernel_sz), _pair(feat_sz), _pair(image_sz)
    sigma = sigma_factor * math.sqrt(feat[0] * feat[1])
    centre = target_bb[:, :2] + target_bb[:, 2:] / 2
    axes: list[Tensor] = []
    for k in (0, 1):
        if k and (kernel[1], feat[1], image[1]) == (kernel[0], feat[0], image[0]):
            break  # a square map: both axes have been done at once
        even = int(kernel[k]) % 2 == 0
        cells = int(feat[k]) + (1 if even and end_pad_if_even else 0)
        offset = feat[k] * (centre[..., None] - image[k] / 2) / image[k] + (0.5 if even else 0.0)
        axes.append(_profile(offset + (feat[k] - 1) / 2, cells, sigma, density))
    label = axes[-1][:, 1, :, None] * axes[0][:, 0, None, :]
    if density:
        return (1 - uni_bias) * label + uni_bias / (label.shape[-1] * label.shape[-2])
    return label + uni_bias


def finish_density(
    density: Tensor, threshold: float = 0.0, normalise: bool = False, shrink: float = 0.0
) -> Tensor:
    """A label density as the classifier's loss takes it.

    Args:
        density: ``[N, h, w]``, of `gaussian_label_function`.
        threshold: values up to it become zero.
        normalise: let each map add up to one; one with next to no mass becomes uniform.
        shrink: share of the mass that is given up to "nowhere", after that.

    Returns:
        ``[N, h, w]``.

    Source: Danelljan et al., "Probabilistic Regression for Visual Tracking", arXiv:2003.12565.
    """
    density = torch.where(density > threshold, density, 0.0)
    if normalise:
        mass = density.sum(dim=(-2, -1), keepdim=True)
        uniform = 1 / (density.shape[-2] * density.shape[-1])
        density = torch.where(mass > SMALLEST_MASS, density / mass.clamp(min=SMALLEST_MASS), uniform)
    return (1 - shrink) * density
