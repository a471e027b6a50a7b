"""Where a density over several targets has its mass: modes first, then population Monte Carlo."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebm.density.scoring import DEFAULT_CHUNK, score_in_chunks
from ebm.fitting.modes import Modes, Score, find_modes
from ebm.fitting.student import StudentMixture, cholesky, standard_draws

__all__ = ["CHEAP", "FIRST", "THOROUGH", "Effort", "Placed", "Weighted", "drawn", "place"]


# A probe that scores higher than so many around it is a start.
NEIGHBOURS = 6
# Places scored to find starts.
PROBES = 256
# Standard deviations, in those of the targets, of these places, and of starts in search of further modes.
NEAR, FAR = 1.5, 2.5


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What placing a proposal may cost per row.

    Attributes:
        starts: ascents, half of them from summits among the probes; none where modes are known.
        around: further ascents, see `find_modes`.
        stages: steps of each ascent.
        modes: components of the proposal.
        rounds: draws of each round in which the proposal learns.
        samples: draws that the density rests on.
    """

    starts: int
    around: int
    stages: tuple[int, ...]
    modes: int
    rounds: tuple[int, ...]
    samples: int


THOROUGH = Effort(starts=12, around=12, stages=(12, 12), modes=6, rounds=(512, 512, 1024), samples=4096)
# For a criterion that is measured after every epoch: from scratch, and from the modes of the epoch before.
FIRST = Effort(starts=12, around=12, stages=(12, 6), modes=4, rounds=(256,), samples=256)
CHEAP = Effort(starts=0, around=2, stages=(6,), modes=4, rounds=(128,), samples=256)


class Weighted(NamedTuple):
    """Draws and what they say.

    Attributes:
        y: in standard deviations of the targets, ``(B, M, D)``.
        log_q: log-density of the mixture that they were drawn from, nats, ``(B, M)``.
        scores: nats, ``(B, M)``.
    """

    y: Tensor
    log_q: Tensor
    scores: Tensor

    @property
    def log_z(self) -> Tensor:
        """Importance sampling's estimate of log Z, nats, of standardised targets, ``(B,)``."""
        return (self.scores - self.log_q).logsumexp(1) - math.log(self.y.shape[1])


class Placed(NamedTuple):
    """A proposal for every row.

    Attributes:
        mixture: the proposal.
        modes: that it began with, ``(B, K, D)``; starts of the next search, see `place`.
        last: draws of the last round, from what the proposal was then.
    """

    mixture: StudentMixture
    modes: Tensor
    last: Weighted


def place(
    score: Score, like: Tensor, effort: Effort, *, known: Tensor | None = None, seed: int = 0
) -> Placed:
    """Find a proposal for every row from its score alone, with the same draws for every row.

    Args:
        score: of standardised targets, ``(B, M, D) -> (B, M)``, differentiable.
        like: ``(B, D)``, for its shape, dtype and device.
        effort: what it may cost.
        known: starts ``(B, K, D)`` in place of probes, such as the modes of the epoch before.
        seed: of the places where ascents start.

    Returns:
        The proposal, in standard deviations of the targets. Its mixture has learned from `last`; nothing has
        been drawn from it yet.

    Raises:
        DomainError: if the score does not depend on its targets.
        NumericalError: if a score is NaN or +inf.

    Source: Cappé et al., "Population Monte Carlo", 2004, and `StudentMixture.learned`; the start by Laplace's
        method: Tierney and Kadane, "Accurate Approximations for Posterior Moments", 1986.
    """
    probes = torch.special.ndtri(standard_draws(PROBES, like.shape[1], seed, like.device)[0, :, 3:])
    probes = probes.to(like.dtype)
    starts = _starts(score, NEAR * probes, len(like), effort.starts) if known is None else known
    around = FAR * _mirrored(probes, effort.around)
    modes = find_modes(score, starts, around, stages=effort.stages, count=effort.modes)
    mixture = StudentMixture.of(_masses(modes).softmax(1), modes.places, modes.covariances)
    for number, count in enumerate(effort.rounds, start=1):
        uniform = standard_draws(count, like.shape[1], number, like.device)
        last, parts = _weighted(score, mixture, uniform)
        mixture = mixture.learned(last.y, parts, last.scores - last.log_q)
    return Placed(mixture, modes.places, last)


def drawn(score: Score, mixture: StudentMixture, count: int, seed: int) -> Weighted:
    """Draws from a proposal ``(B, count, D)``, scored; other ones for every row.

    Raises:
        NumericalError: if a score is NaN or +inf.
    """
    batch, _, dim = mixture.means.shape
    return _weighted(score, mixture, standard_draws(count, dim, seed, mixture.means.device, shifts=batch))[0]


def _weighted(score: Score, mixture: StudentMixture, uniform: Tensor) -> tuple[Weighted, Tensor]:
    """Draws, and the log-densities of the components there."""
    y = mixture.draw(uniform)
    parts = mixture.log_components(y)
    scores = score_in_chunks(score, y, len(y), DEFAULT_CHUNK)
    return Weighted(y, parts.logsumexp(1), scores), parts


def _starts(score: Score, probes: Tensor, batch: int, count: int) -> Tensor:
    """Half of them the best of the probes ``(P, D)``, but each the best around; the others farther out.

    The best alone would all lie around the highest mode.
    """
    near = torch.cdist(probes, probes).topk(NEIGHBOURS + 1, largest=False).indices[:, 1:]
    scores = score_in_chunks(score, probes[None], batch, DEFAULT_CHUNK)
    lower = scores < scores[:, near].amax(2)
    # Summits from the highest down, then the rest.
    rank = scores.argsort(1, descending=True).argsort(1) + len(probes) * lower
    anywhere = FAR / NEAR * _mirrored(probes, count // 2)
    best = probes[rank.topk(count - len(anywhere), dim=1, largest=False).indices]
    return torch.cat((best, anywhere.expand(batch, -1, -1)), 1)


def _mirrored(probes: Tensor, count: int) -> Tensor:
    """The first probes and their mirror images, `count` in all: of two, one lies on either side."""
    return torch.cat((probes[: count - count // 2], -probes[: count // 2]))


def _masses(modes: Modes) -> Tensor:
    """Log of the mass of every mode, by Laplace's method, ``(B, K)``; ascents to one mode share its mass."""
    factor = cholesky(modes.covariances)
    away = modes.places[:, :, None] - modes.places[:, None]  # (B, K, K, D)
    white = torch.linalg.solve_triangular(factor, away.mT, upper=False)
    same = (white.square().sum(-2) < 1).sum(2).clamp(min=1)
    mass = modes.scores + factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) - same.log()
    # Laplace's method is rough: no mode within a few nats of the best is given up for it.
    return 0.5 * torch.nan_to_num(mass, nan=-1e30, neginf=-1e30)
