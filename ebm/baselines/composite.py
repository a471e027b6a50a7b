"""Densities made of others: Gaussian mixtures, histograms, and a density in another unit."""

import torch
from torch import Tensor

from ebm.baselines.densities import ParametricDensity, normal_like
from ebm.baselines.functional import mdn_nll, widen
from ebm.exceptions import ShapeError

__all__ = ["AffineDensity", "GaussianMixture", "HistogramDensity"]

# Halvings until a bracket is as narrow as its float's spacing: the mantissa and a few more.
BISECTIONS = {torch.float32: 40, torch.float64: 70}


class GaussianMixture(ParametricDensity):
    """A mixture of K Gaussians with one variance per component and coordinate.

    Args:
        logits: unnormalised log-weights, ``(B, K)``.
        means: ``(B, K, D)``.
        log_vars: log variance, ``(B, K, D)``.

    Raises:
        ShapeError: if the shapes do not fit.
    """

    def __init__(self, logits: Tensor, means: Tensor, log_vars: Tensor) -> None:
        if means.ndim != 3 or means.shape != log_vars.shape or logits.shape != means.shape[:2]:
            shapes = [tuple(t.shape) for t in (logits, means, log_vars)]
            raise ShapeError(f"expected logits (B, K), means and log_vars (B, K, D), got {shapes}.")
        logits, self.means, self.log_vars = widen(logits, means, log_vars)
        self.log_weights = logits.log_softmax(-1)
        self.batch_size, self.target_dim = means.shape[0], means.shape[2]

    def mean(self) -> Tensor:
        """Expected value, ``(B, D)``."""
        return (self.log_weights.exp()[..., None] * self.means).sum(1)

    def variance(self) -> Tensor:
        """Variance within components plus variance of their means, ``(B, D)``."""
        spread = self.log_vars.exp() + (self.means - self.mean()[:, None]).square()
        return (self.log_weights.exp()[..., None] * spread).sum(1)

    def mode(self) -> Tensor:
        """Mean of the heaviest component, ``(B, D)``."""
        heaviest = self.log_weights.argmax(-1)[:, None, None]
        return self.means.gather(1, heaviest.expand(-1, 1, self.target_dim))[:, 0]

    def _log_prob(self, y: Tensor) -> Tensor:
        count = y.shape[1]
        logits, means, log_vars = (
            t[:, None].expand(-1, count, *t.shape[1:]) for t in (self.log_weights, self.means, self.log_vars)
        )
        return -mdn_nll(logits, means, log_vars, y, reduction="none")

    def _sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        shape = (self.batch_size, n, self.target_dim)
        if self.batch_size == 0:
            return self.means.new_empty(shape)
        component = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        index = component[..., None].expand(shape)
        std = (0.5 * self.log_vars.gather(1, index)).exp()
        return self.means.gather(1, index) + std * normal_like(self.means, shape, generator)

    def _cdf(self, t: Tensor, dim: int) -> Tensor:
        std = (0.5 * self.log_vars[:, None, :, dim]).exp()
        below = torch.special.ndtr((t[..., None] - self.means[:, None, :, dim]) / std)
        return (self.log_weights.exp()[:, None] * below).sum(-1)

    def _quantile(self, p: Tensor, dim: int) -> Tensor:
        # The mixture's quantile lies between the smallest and the largest of its components' quantiles.
        std = (0.5 * self.log_vars[:, None, :, dim]).exp()
        ends = self.means[:, None, :, dim] + std * torch.special.ndtri(p)[..., None]
        low, high = ends.amin(-1), ends.amax(-1)
        for _ in range(BISECTIONS.get(p.dtype, 70)):
            middle = 0.5 * (low + high)
            short = self._cdf(middle, dim) < p
            low, high = torch.where(short, middle, low), torch.where(short, high, middle)
        return 0.5 * (low + high)


class HistogramDensity(ParametricDensity):
    """Independent coordinates, each with a constant density inside C cells of equal width, zero outside.

    Args:
        logits: unnormalised log-mass of the cells, ``(B, D, C)``.
        centers: cell centres, evenly spaced and increasing, ``(C,)`` with C >= 2.

    Raises:
        ShapeError: if the shapes do not fit.
    """

    def __init__(self, logits: Tensor, centers: Tensor) -> None:
        if logits.ndim != 3 or centers.ndim != 1 or logits.shape[2] != centers.shape[0] or len(centers) < 2:
            shapes = [tuple(t.shape) for t in (logits, centers)]
            raise ShapeError(f"expected logits (B, D, C) and centers (C >= 2,), got {shapes}.")
        logits, self.centers = widen(logits, centers)
        self.log_mass = logits.log_softmax(-1)
        self.batch_size, self.target_dim = logits.shape[:2]
        self.width = (self.centers[-1] - self.centers[0]) / (len(centers) - 1)
        self.start = self.centers[0] - 0.5 * self.width

    def mean(self) -> Tensor:
        """Expected value, ``(B, D)``."""
        return (self.log_mass.exp() * self.centers).sum(-1)

    def variance(self) -> Tensor:
        """Variance between cells plus that of the uniform density inside one, ``(B, D)``."""
        between = (self.centers - self.mean()[..., None]).square()
        return (self.log_mass.exp() * between).sum(-1) + self.width.square() / 12

    def mode(self) -> Tensor:
        """Centre of the heaviest cell, ``(B, D)``."""
        return self.centers[self.log_mass.argmax(-1)]

    def _log_prob(self, y: Tensor) -> Tensor:
        place = (y - self.start) / self.width
        cells = self.centers.shape[0]
        inside = (place >= 0) & (place <= cells)
        index = place.detach().floor().clamp(0, cells - 1).long()  # the right end belongs to the last cell
        log_p = self.log_mass.gather(-1, index.transpose(1, 2)).transpose(1, 2) - self.width.log()
        return torch.where(inside, log_p, -torch.inf).sum(-1)

    def _sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        shape = (self.batch_size, self.target_dim, n)
        if self.batch_size == 0:
            return self.log_mass.new_empty((0, n, self.target_dim))
        mass = self.log_mass.exp().flatten(0, 1)
        cell = torch.multinomial(mass, n, replacement=True, generator=generator).view(shape)
        inside = torch.rand(shape, generator=generator, device=mass.device, dtype=mass.dtype) - 0.5
        return (self.centers[cell] + self.width * inside).transpose(1, 2)

    def _cdf(self, t: Tensor, dim: int) -> Tensor:
        cells = self.centers.shape[0]
        place = ((t - self.start) / self.width).clamp(0, cells)
        index = place.detach().floor().clamp(max=cells - 1).long()
        mass = self.log_mass[:, dim].exp()
        return self._mass_before(dim).gather(1, index) + mass.gather(1, index) * (place - index)

    def _quantile(self, p: Tensor, dim: int) -> Tensor:
        before = self._mass_before(dim)
        index = torch.searchsorted(before.contiguous(), p.contiguous(), right=True) - 1
        mass = self.log_mass[:, dim].exp().gather(1, index)
        # A cell of no mass is only met through rounding, at the far end.
        share = ((p - before.gather(1, index)) / mass.clamp(min=torch.finfo(mass.dtype).tiny)).clamp(0, 1)
        return self.start + self.width * (index + share)

    def _mass_before(self, dim: int) -> Tensor:
        """Mass left of every cell, ``(B, C)``."""
        mass = self.log_mass[:, dim].exp()
        return mass.cumsum(-1) - mass


class AffineDensity(ParametricDensity):
    """The density of ``shift + scale * u`` where u has a given density.

    Args:
        base: density of u.
        scale: ``(D,)``, > 0.
        shift: ``(D,)``.
    """

    def __init__(self, base: ParametricDensity, scale: Tensor, shift: Tensor) -> None:
        self.base, self.scale, self.shift = base, scale, shift
        self.batch_size, self.target_dim = base.batch_size, base.target_dim

    def mean(self) -> Tensor:
        """Expected value, ``(B, D)``."""
        return self.shift + self.scale * self.base.mean()

    def variance(self) -> Tensor:
        """Variance per coordinate, ``(B, D)``."""
        return self.scale.square() * self.base.variance()

    def mode(self) -> Tensor:
        """The mode of u, moved and stretched, ``(B, D)``."""
        return self.shift + self.scale * self.base.mode()

    def _log_prob(self, y: Tensor) -> Tensor:
        return self.base.log_prob((y - self.shift) / self.scale) - self.scale.log().sum()

    def _sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        return self.shift + self.scale * self.base.sample(n, generator)

    def _cdf(self, t: Tensor, dim: int) -> Tensor:
        return self.base._cdf((t - self.shift[dim]) / self.scale[dim], dim)

    def _quantile(self, p: Tensor, dim: int) -> Tensor:
        return self.shift[dim] + self.scale[dim] * self.base._quantile(p, dim)
