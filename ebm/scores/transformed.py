"""Densities of targets that were transformed before the fit, as densities of the targets themselves."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.calibration import Distribution
from ebm.density.base import Labels
from ebm.exceptions import NumericalError, ShapeError
from ebm.scores.clouds import MOST_POINTS, Cloud, cloud_of
from ebm.scores.marginal import target_rows

__all__ = ["TransformedDensity", "Transformer", "brought_back", "transformed"]

Array = NDArray[np.float64]

# Steps of the difference quotients, in standard deviations of the density; the best of them is taken.
STEPS = tuple(0.1 * 0.1**k for k in range(7))
# Two quotients that differ by more are no derivative.
ROUGH = 0.05
# How exactly the inverse must give a label back, in standard deviations of the density.
BACK = 1e-5


class Transformer(Protocol):
    """What a transformer of scikit-learn offers; both take and return ``(N, D)``."""

    def transform(self, X: Any) -> Any:
        """What the regressor was fitted on."""

    def inverse_transform(self, X: Any) -> Any:
        """Back to the targets."""


class TransformedDensity(Cloud):
    """p(y|x) where a density of z = T(y) is known: its cloud, brought back, and exact likelihoods.

    ``log p(y) = log p_z(T(y)) - log |det dy/dz|``, the Jacobian by difference quotients of the inverse. A
    label that the inverse cannot give has the density 0.

    Args:
        points: ``(B, M, D)`` float64.
        weights: see `Cloud`.
        density: of z.
        chain: transformers, the outermost, which the labels meet first, at the front.
    """

    def __init__(
        self, points: Tensor, weights: Tensor | None, density: Any, chain: Sequence[Transformer]
    ) -> None:
        super().__init__(points, weights)
        self.density, self.chain = density, tuple(chain)

    def log_prob(self, y: Labels) -> Tensor:
        """Log-density of labels, nats, ``(B, D) -> (B,)`` float64; -inf where the inverse never leads.

        Raises:
            ShapeError: if there are not as many labels as items.
            NumericalError: if the inverse has no derivative at a label.
        """
        labels = target_rows("y", y).cpu().numpy()
        scale = self.density.std().double().cpu().numpy()
        with np.errstate(all="ignore"):
            z = _forward(self.chain, labels)
            known = np.asarray(np.isfinite(z).all(1))
            z = np.where(known[:, None], z, self.density.mean().double().cpu().numpy())
            jacobian = _jacobian(self.chain, z, scale)
            back = np.abs(_back(self.chain, z) - labels)
        # Rounding of the label itself, and a share of what one standard deviation of z is worth.
        allowed = BACK * (np.abs(jacobian) * scale[:, None]).sum(2) + 1e-9 * np.abs(labels)
        known &= (back <= allowed).all(1)
        square = np.where(np.isfinite(jacobian) & known[:, None, None], jacobian, np.eye(labels.shape[1]))
        sign, log_volume = np.linalg.slogdet(square)
        rough = known & (~np.isfinite(jacobian).all((1, 2)) | (sign == 0))
        if rough.any():
            raise _no_derivative(int(rough.argmax()), labels)
        inner = self.density.log_prob(z).double().cpu()
        found = inner - torch.from_numpy(log_volume)
        return torch.where(torch.from_numpy(known), found, -math.inf).to(self.points.device)


def _no_derivative(row: int, labels: Array) -> NumericalError:
    return NumericalError(
        f"the inverse of the target's transform has no derivative, or 0, at y[{row}] = "
        f"{labels[row].tolist()}: there is no density of y."
    )


def transformed(density: Distribution, chain: Sequence[Transformer]) -> Distribution:
    """The density of y where the fit saw T(y); without transformers the density itself.

    Args:
        density: of z, of B items; needs `log_prob`, `mean` and `std` for likelihoods.
        chain: transformers, the outermost first.

    Raises:
        TypeError: if the density offers neither quantiles nor draws.
        ShapeError: if the transformers change the number of coordinates.
    """
    if not chain:
        return density
    cloud = cloud_of(density, MOST_POINTS)
    batch, count, dim = cloud.points.shape
    flat = brought_back(chain, cloud.points.reshape(-1, dim).cpu().numpy())
    points = flat.reshape(batch, count, dim).to(cloud.points.device)
    return TransformedDensity(points, cloud.weights, density, chain)


def brought_back(chain: Sequence[Transformer], z: Array) -> Tensor:
    """The targets that transformed ones ``(N, D)`` stand for, ``(N, D)`` float64.

    Raises:
        ShapeError: if the transformers change the number of coordinates.
    """
    y = _back(chain, z)
    if y.shape != z.shape:
        raise ShapeError(
            f"the transform of the target takes {y.shape[1]} numbers to {z.shape[1]}: no inverse."
        )
    return torch.from_numpy(y)


def _forward(chain: Sequence[Transformer], y: Array) -> Array:
    for transformer in chain:
        y = _as_rows(transformer.transform(y), len(y))
    return y


def _back(chain: Sequence[Transformer], z: Array) -> Array:
    for transformer in reversed(chain):
        z = _as_rows(transformer.inverse_transform(z), len(z))
    return z


def _as_rows(values: Any, count: int) -> Array:
    return np.asarray(values, dtype=np.float64).reshape(count, -1)


def _jacobian(chain: Sequence[Transformer], z: Array, scale: Array) -> Array:
    """dy/dz, ``(B, D, D)``, column by column: y by rows, z by columns; NaN where there is none.

    Every step gives a quotient of fourth order; the one that agrees best with that of the next step is the
    least disturbed by rounding and by curvature. Where a step leads out of the inverse's domain, a lesser
    one may not.
    """
    columns = []
    for d in range(z.shape[1]):
        away = np.zeros_like(z)
        away[:, d] = np.maximum(scale[:, d], 1e-12 * np.abs(z[:, d]))
        found = np.stack([_quotient(chain, z, step * away) / (step * away[:, d : d + 1]) for step in STEPS])
        size = np.abs(found[:-1]).max(-1) + np.finfo(np.float64).tiny
        gap = np.abs(np.diff(found, axis=0)).max(-1) / size
        gap = np.where(np.isfinite(gap), gap, np.inf)
        best = gap.argmin(0)
        rows = np.arange(len(z))
        columns.append(np.where(gap[best, rows, None] < ROUGH, found[best, rows], np.nan))
    return np.stack(columns, -1)


def _quotient(chain: Sequence[Transformer], z: Array, away: Array) -> Array:
    """The difference that a step `away` makes, by Richardson's extrapolation, ``(B, D)``."""
    whole = (_back(chain, z + away) - _back(chain, z - away)) / 2
    half = _back(chain, z + away / 2) - _back(chain, z - away / 2)
    return (4 * half - whole) / 3
