"""Losses and box proposals that are called as PyTracking's are: densities linear, samples along `mc_dim`.

Everything is computed in log-space by `ebm.losses.functional`. Code of one's own is better off with the
losses of `ebm.losses.modules`, which never leave log-space.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.checks import (
    checks_values,
    float_dtype,
    require_count,
    require_last_dim,
    require_positive,
)
from ebm.exceptions import DomainError, ShapeError
from ebm.losses.conditional import box_log_back
from ebm.losses.functional import cnce, kld_is, ml_is, nce
from ebm.losses.sampled import SENTINEL, SampledRegression, rows_of
from ebm.numbers import listed
from ebm.proposals import BetaMode, GaussianMixtureProposal, ZeroNoise, annotation_noise

__all__ = [
    "CNCERegression",
    "KLRegression",
    "KLRegressionGrid",
    "MLRegression",
    "NCERegression",
    "sample_box_nce",
]


class KLRegression(SampledRegression):
    """Divergence from the label density by importance sampling, `ebm.losses.functional.kld_is`.

    Args:
        eps: added to the sample density before its logarithm, at least 0.
        validate: look at the values of densities; None means on CPU tensors only.

    Source: Danelljan et al., CVPR 2020 (PrDiMP), eq. 6; Gustafsson et al., BMVC 2020, eq. 7.
    """

    def forward(self, scores: Tensor, sample_density: Tensor, gt_density: Tensor, mc_dim: int = -1) -> Tensor:
        """Mean loss over all rows.

        Args:
            scores: f at the samples, any shape with M >= 1 samples along `mc_dim`.
            sample_density: density of the proposal there, same shape.
            gt_density: density of the label there, same shape.
            mc_dim: the samples' dimension.

        Returns:
            ``()``, nats.

        Raises:
            ShapeError: if the shapes differ.
            DomainError: if a sample density is not positive or a label density is negative.
        """
        f, q, p = rows_of(mc_dim, scores=scores, sample_density=sample_density, gt_density=gt_density)
        if checks_values(p, self.validate) and not bool((p >= 0).all()):
            raise DomainError(f"gt_density must be >= 0, got {p.min().item():g}.")
        return kld_is(f, self._log_q(q), p.to(float_dtype(p)).log())


class MLRegression(SampledRegression):
    """Negative log-likelihood by importance sampling, `ebm.losses.functional.ml_is`.

    Args:
        eps: added to the sample density before its logarithm, at least 0.
        validate: look at the values of densities; None means on CPU tensors only.

    Source: Gustafsson et al., ECCV 2020, eq. 4.
    """

    def forward(
        self, scores: Tensor, sample_density: Tensor, gt_density: Tensor | None = None, mc_dim: int = -1
    ) -> Tensor:
        """Mean loss over all rows.

        Args:
            scores: ``(N, 1 + M)``, column 0 at the label.
            sample_density: density of the proposal, ``(N, 1 + M)``; -1 in column 0 marks the label.
            gt_density: not used.
            mc_dim: the samples' dimension, which must be the second of two: 1 or -1.

        Returns:
            ``()``, nats.

        Raises:
            ShapeError: if the shapes differ or the samples do not lie along dimension 1.
            DomainError: if column 0 is not marked, or another density is not positive.
        """
        if scores.ndim != 2 or mc_dim not in (1, -1):
            raise ShapeError(
                f"MLRegression takes (N, 1 + M) with mc_dim = 1, "
                f"got {tuple(scores.shape)}, mc_dim = {mc_dim}."
            )
        f, q = rows_of(mc_dim, scores=scores, sample_density=sample_density)
        if checks_values(q, self.validate) and not bool((q[:, :1] == SENTINEL).all()):
            raise DomainError(
                f"column 0 of sample_density must be {SENTINEL:g} to mark the label, "
                f"got {q[:, 0].max().item():g}; for real densities there use NCERegression."
            )
        return ml_is(f[:, 0], f[:, 1:], self._log_q(q[:, 1:]))


class NCERegression(SampledRegression):
    """Noise-contrastive loss, `ebm.losses.functional.nce`; NCE and NCE+ differ in the samples alone.

    Args:
        eps: added to the sample density before its logarithm, at least 0.
        validate: look at the values of densities; None means on CPU tensors only.

    Source: Gustafsson et al., BMVC 2020, eq. 12 and 16.
    """

    def forward(
        self, scores: Tensor, sample_density: Tensor, gt_density: Tensor | None = None, mc_dim: int = -1
    ) -> Tensor:
        """Mean loss over all rows.

        Args:
            scores: f at the samples, any shape with 1 + M samples along `mc_dim`; sample 0 is the label, or
                the label moved by annotation noise.
            sample_density: density of the noise there, same shape; also at sample 0 it is a real one.
            gt_density: not used.
            mc_dim: the samples' dimension.

        Returns:
            ``()``, nats.

        Raises:
            ShapeError: if the shapes differ or there is no noise sample.
            DomainError: if a density is not positive, as the -1 that marks labels for `MLRegression`.
        """
        f, q = rows_of(mc_dim, scores=scores, sample_density=sample_density)
        return nce(f, self._log_q(q))


class CNCERegression(SampledRegression):
    """Conditional noise-contrastive loss, `ebm.losses.functional.cnce`.

    Args:
        eps: added to both densities before their logarithm, at least 0.
        validate: look at the values of densities; None means on CPU tensors only.

    Source: Ceylan and Gutmann, ICML 2018.
    """

    def forward(
        self, scores: Tensor, sample_density: Tensor, gt_density: Tensor | None = None, mc_dim: int = -1
    ) -> Tensor:
        """Mean loss over all rows.

        Args:
            scores: f at the samples, any shape with 1 + M samples along `mc_dim`; sample 0 is the label.
            sample_density: density of the noise around the label there, same shape.
            gt_density: density at the label of the noise around each sample, same shape, which
                `sample_box_nce` gives with ``way_back=True``; None: the same, the noise is symmetric.
            mc_dim: the samples' dimension.

        Returns:
            ``()``, nats.

        Raises:
            ShapeError: if the shapes differ or there is no noise sample.
            DomainError: if a density is not positive.
        """
        there = sample_density
        back = there if gt_density is None else gt_density
        f, q, p = rows_of(mc_dim, scores=scores, sample_density=there, gt_density=back)
        return cnce(f, (self._log_q(p, "gt_density") - self._log_q(q))[:, 1:])


class KLRegressionGrid(nn.Module):
    """Divergence from a label density to the model, both on a grid of equal cells.

    ``log(A sum_g exp f_g) - A sum_g p_g f_g`` for cells of volume A.

    Source: Danelljan et al., CVPR 2020 (PrDiMP), eq. 8.
    """

    def forward(
        self,
        scores: Tensor,
        gt_density: Tensor,
        grid_dim: int | Sequence[int] = -1,
        grid_scale: float = 1.0,
    ) -> Tensor:
        """Mean loss over all that is not a grid dimension.

        Args:
            scores: f at the cells, e.g. ``(N, H, W)`` with ``grid_dim=(-2, -1)``.
            gt_density: label density there, same shape.
            grid_dim: dimension or dimensions of the grid.
            grid_scale: volume A of a cell, above 0.

        Returns:
            ``()``, nats.

        Raises:
            ShapeError: if the shapes differ.
            DomainError: (a ValueError) if `grid_scale` is not positive.
        """
        (grid_scale,) = require_positive("grid_scale", [grid_scale])
        if scores.shape != gt_density.shape:
            raise ShapeError(f"expected equal shapes, got {tuple(scores.shape)}, {tuple(gt_density.shape)}.")
        dims = listed(grid_dim)
        f, p = scores.to(float_dtype(scores)), gt_density.to(float_dtype(gt_density))
        log_z = f.logsumexp(dims) + math.log(grid_scale)
        return (log_z - grid_scale * (p * f).sum(dims)).mean()


def sample_box_nce(
    mean_box: Tensor,
    proposal_sigma: Sequence[Sequence[float]],
    num_samples: int = 128,
    beta: float | None = None,
    beta_mode: BetaMode = "std",
    *,
    way_back: bool = False,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes around a label for `NCERegression` or `CNCERegression`, with densities in relative coordinates.

    Args:
        mean_box: the label ``(4,)`` xywh px.
        proposal_sigma: (position, size) per mixture component, relative to the label's size.
        num_samples: M.
        beta: width of the annotation noise for NCE+; None or 0 keeps the label where it is, NCE.
        beta_mode: what `beta` multiplies, see `ebm.proposals.annotation_noise`.
        way_back: return as the third the density at the label of the noise around each box, in place of
            zeros; without `beta` alone.
        generator: source of randomness on the device of `mean_box`.

    Returns:
        Boxes ``(1 + M, 4)`` xywh px, the first the (moved) label; the noise's density at each ``(1 + M,)``,
        also at a moved label; and zeros ``(1 + M,)`` in the place of the label density, or the way back.

    Raises:
        ShapeError: if the box is not ``(4,)`` or the sigmas are no pairs.
        DomainError: (a ValueError) if the box has no area or a number is out of its domain, or both
            `way_back` and `beta` are given.
        UnknownNameError: (a ValueError) for another `beta_mode`.
    """
    require_last_dim("mean_box", mean_box, 4, "(4,)", rank=1)
    num_samples = require_count("num_samples", num_samples)
    if way_back and beta:
        raise DomainError("way_back leads to the label itself: leave out beta, which moves it.")
    box = mean_box.to(float_dtype(mean_box))[None]
    size = box[:, 2:]
    noise = GaussianMixtureProposal(proposal_sigma, layout="box")
    moved = ZeroNoise(4) if beta is None else annotation_noise(noise, beta, beta_mode)
    nu = moved.sample_offsets(1, box, generator=generator)
    drawn = noise.sample(rect_to_rel(box, size), num_samples, generator=generator, lead=nu)
    density = drawn.log_q[0].exp()
    third = torch.zeros_like(density)
    if way_back:
        third = box_log_back(noise, torch.cat((nu, drawn.offsets[0]))).exp()
    return rel_to_rect(drawn.y[0], size), density, third
