"""The Gaussian at the mode of an energy over boxes, and samples in its shape."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.predict import gradient_ascent
from ebm.proposals import GaussianMixtureProposal, Proposal
from pytracking.tracker.common.relative_energy import RelativeEnergy, relative_jacobian

__all__ = ["ShapedProposal", "find_mode", "gaussian_shape", "laplace_covariance"]

Array = NDArray[np.float64]
WIDTHS = (1.0, 2.0, 4.0)  # of the samples, in deviations of the Gaussian at the mode
ASCENT_STEPS = 8


def laplace_covariance(energy: RelativeEnergy, place: Tensor, shape: Tensor) -> Array:
    """Covariance ``[4, 4]`` of x, y, w, h, px^2, of a Gaussian in r with covariance `shape` at `place`."""
    jacobian = relative_jacobian(energy.boxes(place), energy.size)
    return _symmetric(jacobian @ shape @ jacobian.T).numpy()


def gaussian_shape(energy: RelativeEnergy, place: Tensor, width: float) -> Tensor:
    """Covariance ``[4, 4]`` in r of the Gaussian that is curved as f is at `place`.

    Where f does not bend down, or hardly, the deviation is that of the reach.
    """
    bend = -energy.curvature(place, width)
    values, vectors = torch.linalg.eigh(torch.where(bend.isfinite(), bend, 0))
    variances = 1 / values.clamp(min=energy.reach**-2)
    return _symmetric(vectors @ torch.diag(variances) @ vectors.T)


def _symmetric(matrix: Tensor) -> Tensor:
    """Without what rounding adds."""
    return 0.5 * (matrix + matrix.T)


def find_mode(energy: RelativeEnergy, width: float) -> tuple[Tensor, Tensor]:
    """Where an ascent from the box found ends, ``[4]``, and the Gaussian's covariance there, ``[4, 4]``."""
    shape = gaussian_shape(energy, energy.center, width)
    # In units of its deviations f is about as curved everywhere, and a step of 1 is Newton's.
    whitened = _Whitened(energy, energy.center, torch.linalg.cholesky(shape))
    start = torch.zeros(1, 4, dtype=torch.float64)
    if not bool(energy(energy.center).isfinite()):
        return energy.center, shape
    found = gradient_ascent(whitened, start, steps=ASCENT_STEPS, step_length=1.0)
    place = whitened.place(found.y)[0]
    return place, gaussian_shape(energy, place, width)


class _Whitened:
    """f in units of a Gaussian's deviations around a place."""

    def __init__(self, energy: RelativeEnergy, center: Tensor, root: Tensor) -> None:
        self.energy, self.center, self.root = energy, center, root

    def place(self, z: Tensor) -> Tensor:
        return self.center + z @ self.root.T

    def __call__(self, z: Tensor) -> Tensor:
        return self.energy(self.place(z))

    def value_and_gradient(self, z: Tensor) -> tuple[Tensor, Tensor]:
        rel = self.place(z)
        _, slope = self.energy.value_and_gradient(rel)
        return self.energy(rel), slope @ self.root


class ShapedProposal(Proposal):
    """Gaussians of one shape and several widths, around one centre.

    Args:
        shape: covariance of the narrowest, ``[4, 4]``.
    """

    target_dim = 4
    symmetric = True

    def __init__(self, shape: Tensor) -> None:
        super().__init__()
        self._root = torch.linalg.cholesky(shape)
        self._plain = GaussianMixtureProposal([[width] * 4 for width in WIDTHS])

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """See `Proposal`."""
        return self._plain.sample_offsets(count, like, generator=generator) @ self._root.T

    def log_prob_offset(self, e: Tensor) -> Tensor:
        """See `Proposal`."""
        z = torch.linalg.solve_triangular(self._root, e.reshape(-1, 4).T, upper=False).T
        log_volume = self._root.diagonal().log().sum()
        return self._plain.log_prob_offset(z).reshape(e.shape[:-1]) - log_volume
