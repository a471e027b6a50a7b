"""Mixtures of multivariate Student distributions, one per row: draws, densities, and how they learn."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["StudentMixture", "cholesky", "standard_draws"]

# Tails so heavy that weights of a Gaussian or an exponential density stay bounded.
FREEDOM = 4
# Share of the last component, which is as wide as all targets and never learns.
DEFENSIVE = 0.05
DEFENSIVE_WIDTH = 2.0
# Least share of the components that learn, all together.
EXPLORING = 0.05


def standard_draws(count: int, dim: int, seed: int, device: torch.device, *, shifts: int = 1) -> Tensor:
    """Points in (0, 1) of a scrambled Sobol sequence, of each row or shared by all.

    Args:
        count: M.
        dim: D.
        seed: of the scrambling and the shifts.
        device: where they are wanted.
        shifts: more than 1 gives so many copies, all moved (modulo 1) differently, so that their errors do
            not add up over the rows.

    Returns:
        ``(shifts, M, D + 3)`` float64: column 0 chooses a component, 1 and 2 its tail, the rest are noise.

    Source: Cranley and Patterson, "Randomization of Number Theoretic Methods", 1976, for the shifts.
    """
    engine = torch.quasirandom.SobolEngine(dim + 3, scramble=True, seed=seed)
    points = engine.draw(count, dtype=torch.float64)[None].to(device)
    if shifts > 1:
        generator = torch.Generator().manual_seed(seed)
        move = torch.rand(shifts, 1, dim + 3, dtype=torch.float64, generator=generator)
        points = (points + move.to(device)) % 1
    return points.clamp(1e-9, 1 - 1e-9)


@dataclass(frozen=True)
class StudentMixture:
    """Of K components per row with `FREEDOM` degrees of freedom, the last of which is the defensive one.

    Lengths are in standard deviations of the targets.

    Attributes:
        shares: ``(B, K)``, add up to 1.
        means: ``(B, K, D)``.
        factors: lower Cholesky factors of the scale matrices, ``(B, K, D, D)``.

    Source: Hesterberg, "Weighted average importance sampling and defensive mixture distributions", 1995.
    """

    shares: Tensor
    means: Tensor
    factors: Tensor

    @classmethod
    def of(cls, shares: Tensor, means: Tensor, covariances: Tensor) -> "StudentMixture":
        """Components that learn, and the defensive one beside them.

        Args:
            shares: ``(B, K - 1)``, adding up to 1; raised where they are less than `EXPLORING` leaves each.
            means: ``(B, K - 1, D)``.
            covariances: ``(B, K - 1, D, D)``, taken for scale matrices: the components are twice as wide in
                the square as what they are placed on.
        """
        batch, count, dim = means.shape
        shares = (1 - EXPLORING) * shares + EXPLORING / count
        wide = DEFENSIVE_WIDTH * torch.eye(dim, dtype=means.dtype, device=means.device)
        return cls(
            torch.cat(((1 - DEFENSIVE) * shares, shares.new_full((batch, 1), DEFENSIVE)), 1),
            torch.cat((means, means.new_zeros(batch, 1, dim)), 1),
            torch.cat((cholesky(covariances), wide.expand(batch, 1, dim, dim)), 1),
        )

    def draw(self, uniform: Tensor) -> Tensor:
        """Draws ``(B, M, D)`` from points of the unit cube, ``(B or 1, M, D + 3)``."""
        batch, count, dim = self.means.shape
        edges = self.shares.double().cumsum(1)
        at = uniform[..., 0].expand(batch, -1) * edges[:, -1:]
        chosen = torch.searchsorted(edges, at.contiguous()).clamp(max=count - 1)
        chi_square = -2 * (uniform[..., 1] * uniform[..., 2]).log()  # of FREEDOM = 4 degrees
        noise = torch.special.ndtri(uniform[..., 3:]) * (FREEDOM / chi_square).sqrt()[..., None]
        noise = noise.to(self.means.dtype)
        result = self.means.new_empty(batch, uniform.shape[1], dim)
        for k in range(count):
            moved = self.means[:, k, None] + noise @ self.factors[:, k].mT
            result = torch.where((chosen == k)[..., None], moved, result)
        return result

    def log_components(self, y: Tensor) -> Tensor:
        """Log-density of every component times its share, at ``(B, M, D)``, nats, ``(B, K, M)``."""
        dim, nu = y.shape[-1], FREEDOM
        norm = math.lgamma(0.5 * (nu + dim)) - math.lgamma(0.5 * nu) - 0.5 * dim * math.log(nu * math.pi)
        pieces = []
        for k in range(self.means.shape[1]):
            away = (y - self.means[:, k, None]).mT
            white = torch.linalg.solve_triangular(self.factors[:, k], away, upper=False)
            scale = self.factors[:, k].diagonal(dim1=-2, dim2=-1).log().sum(-1)
            tail = -0.5 * (nu + dim) * (white.square().sum(1) / nu).log1p()
            pieces.append(self.shares[:, k, None].log() + norm - scale[:, None] + tail)
        return torch.stack(pieces, 1)

    def log_prob(self, y: Tensor) -> Tensor:
        """Log-density of the mixture at ``(B, M, D)``, nats, ``(B, M)``."""
        return self.log_components(y).logsumexp(1)

    def learned(self, y: Tensor, parts: Tensor, log_weights: Tensor) -> "StudentMixture":
        """One round of adaptive importance sampling: the components move to where weighted draws have mass.

        Every draw counts for each component by its posterior share. Means and covariances are those of the
        draws, without the weights by distance of a Student distribution's likelihood: the scales that come of
        it are the wider ones. Components that few draws speak for keep much of what they had.

        Args:
            y: draws ``(B, M, D)`` of this mixture.
            parts: `log_components` of them, nats, ``(B, K, M)``.
            log_weights: log of density over mixture, nats, up to a constant, ``(B, M)``.

        Source: Cappé, Douc, Guillin, Marin and Robert, "Adaptive importance sampling in general mixture
            classes", 2008; weights cut at sqrt(M) times their mean: Ionides, "Truncated importance sampling",
            2008.
        """
        dim, count = y.shape[-1], y.shape[1]
        # Cut off where one draw would decide.
        log_weights = log_weights - log_weights.logsumexp(1, keepdim=True)
        log_weights = log_weights.clamp(max=-0.5 * math.log(count))
        log_weights = log_weights - log_weights.logsumexp(1, keepdim=True)
        mine = (parts - parts.logsumexp(1, keepdim=True) + log_weights[:, None])[:, :-1].exp()
        shares = mine.sum(2)
        within = mine / shares.clamp(min=1e-12)[..., None]
        heard = (within.square().sum(2).clamp(min=1e-12).reciprocal() * (shares > 1e-6))[..., None]
        trust = heard / (heard + 2 * dim)
        means = torch.einsum("bkm,bmd->bkd", within, y)
        means = trust * means + (1 - trust) * self.means[:, :-1]
        covariances = []
        for k in range(means.shape[1]):
            away = y - means[:, k, None]
            covariances.append(torch.einsum("bm,bmd,bme->bde", within[:, k], away, away))
        before = self.factors[:, :-1] @ self.factors[:, :-1].mT
        mixed = trust[..., None] * torch.stack(covariances, 1) + (1 - trust[..., None]) * before
        return StudentMixture.of(shares / shares.sum(1, keepdim=True).clamp(min=1e-12), means, mixed)


def cholesky(covariances: Tensor) -> Tensor:
    """Lower Cholesky factors of matrices ``(..., D, D)``; of their diagonal where rounding left none."""
    diagonal = covariances.diagonal(dim1=-2, dim2=-1)
    floor = torch.diag_embed(1e-5 * diagonal + 1e-10)
    factors, failed = torch.linalg.cholesky_ex(covariances + floor)
    fallback = torch.diag_embed(diagonal.clamp(min=1e-10).sqrt())
    return torch.where((failed > 0)[..., None, None], fallback, factors)
