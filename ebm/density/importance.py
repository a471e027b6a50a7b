"""p(y | x) in any number of dimensions, carried by weighted samples of a proposal."""

import math
import warnings
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from ebm.checks import require_count, require_finite
from ebm.density.base import Density, Levels, require_dim
from ebm.density.grid import GridDensity
from ebm.density.interpolation import add_at
from ebm.density.scoring import DEFAULT_CHUNK, BatchScore, score_in_chunks
from ebm.exceptions import DomainError, EffectiveSampleSizeWarning, ShapeError
from ebm.models import EnergyModel, Features, require_fitting_features, require_working_dtype
from ebm.proposals import Proposal

__all__ = ["ImportanceDensity"]

FEW_EFFECTIVE_SAMPLES = 10
DOMINANT_WEIGHT = 0.5
# Mass left outside either end of a marginal's grid; it counts into the outermost cells.
MARGINAL_TAIL = 5e-4
MOST_MARGINAL_DIMENSIONS = 3


class ImportanceDensity(Density):
    """The density by importance sampling: ``log Z = LSE_m (f_m - log q_m) - log M``.

    Args:
        score_fn: ``(B, M, D) -> (B, M)``.
        proposal: where samples are drawn; a component wider than the density keeps the weights bounded.
        center: where the proposal is placed, for example a refined prediction, ``(B, D)``; B may be 0.
        num_samples: M.
        generator: source of randomness on the device of `center`; None is torch's global one.
        chunk: most scores asked for in one call.

    Attributes:
        samples: ``(B, M, D)``.
        log_weights: log-weights that add up to 1 as weights, ``(B, M)``.

    Raises:
        ShapeError: if the centres or the scores have another shape.
        DomainError: (a ValueError) if M < 1 or a centre is not finite.
        NumericalError: if a score is NaN or +inf, or all of an item are -inf (a point without density).

    Warns:
        EffectiveSampleSizeWarning: if an item has fewer than 10 effective samples, or one sample holds more
            than half of its weight.
    """

    def __init__(
        self,
        score_fn: BatchScore,
        proposal: Proposal,
        center: Tensor,
        num_samples: int,
        generator: torch.Generator | None = None,
        *,
        chunk: int = DEFAULT_CHUNK,
    ) -> None:
        num_samples, chunk = require_count("num_samples", num_samples), require_count("chunk", chunk)
        drawn = proposal.sample(center, num_samples, generator=generator)
        self._weigh(score_fn, drawn.y, drawn.log_q, chunk)
        self._warn_few()

    @classmethod
    def of(
        cls,
        model: EnergyModel,
        features: Features,
        proposal: Proposal,
        center: Tensor,
        num_samples: int,
        generator: torch.Generator | None = None,
        *,
        chunk: int = DEFAULT_CHUNK,
    ) -> "ImportanceDensity":
        """The density of a model.

        Args:
            model: the model.
            features: what ``model.extract`` returned for B inputs.
            proposal: see the class, as all further arguments.
            center: ``(B, D)``.
            num_samples: M.
            generator: source of randomness.
            chunk: most scores asked for in one call.

        Raises:
            ShapeError: if proposal, centres, features and model do not fit.
            TypeError: if centres and features differ in precision or device.
        """
        if proposal.target_dim != model.target_dim:
            raise ShapeError(
                f"the model has D={model.target_dim}, but the proposal D={proposal.target_dim}; "
                "choose a proposal of the model's dimension."
            )
        require_fitting_features(features, center)
        require_working_dtype(model, features, "center", center)
        return cls(partial(model.score, features), proposal, center, num_samples, generator, chunk=chunk)

    @classmethod
    def from_samples(
        cls, score_fn: BatchScore, samples: Tensor, log_q: Tensor, *, chunk: int = DEFAULT_CHUNK
    ) -> "ImportanceDensity":
        """The density on samples that were drawn elsewhere, from any distribution whose density is known.

        Args:
            score_fn: ``(B, M, D) -> (B, M)``.
            samples: ``(B, M, D)``; B may be 0.
            log_q: log-density that each was drawn with, nats, ``(B, M)``.
            chunk: most scores asked for in one call.

        Raises:
            ShapeError: if samples, densities and scores do not fit.
            DomainError: (a ValueError) if M < 1 or a sample or its density is not finite (on the CPU).
            NumericalError: if a score is NaN or +inf, or all of an item are -inf.

        Warns:
            EffectiveSampleSizeWarning: see the class.
        """
        if samples.ndim != 3 or log_q.shape != samples.shape[:2]:
            raise ShapeError(
                "expected samples (B, M, D) and log_q (B, M), got "
                f"{tuple(samples.shape)} and {tuple(log_q.shape)}."
            )
        require_count("the number of samples", samples.shape[1])
        require_finite("samples", samples)
        require_finite("log_q", log_q)
        density = cls.__new__(cls)
        density._weigh(score_fn, samples.detach(), log_q.detach(), require_count("chunk", chunk))
        density._warn_few()
        return density

    def _weigh(self, score_fn: BatchScore, samples: Tensor, log_q: Tensor, chunk: int) -> None:
        scores = score_in_chunks(score_fn, samples, samples.shape[0], chunk)
        Density.__init__(self, score_fn, samples, scores, -log_q - math.log(samples.shape[1]), chunk)
        self.samples, self.log_weights = samples, self._log_weights

    def mean(self) -> Tensor:
        """See `Density.mean`."""
        return torch.einsum("bn,bnd->bd", self._weights, self._samples)

    def covariance(self) -> Tensor:
        """See `Density.covariance`; the weighted second moment about the mean."""
        away = self._samples - self.mean()[:, None]
        return torch.einsum("bn,bnd,bne->bde", self._weights, away, away)

    def mode(self) -> Tensor:
        """The sample with the highest score, ``(B, D)``."""
        best = self._scores.argmax(-1)[:, None, None].expand(-1, 1, self.target_dim)
        return self._samples.gather(1, best)[:, 0]

    def cdf(self, t: float | Tensor, dim: int = 0) -> Tensor:
        """See `Density.cdf`; the weight of the samples up to `t`."""
        at, single = self._positions(t)
        values, cumulative = self._sorted(dim)
        count = torch.searchsorted(values, at.contiguous(), right=True)
        below = torch.cat((cumulative.new_zeros(self.batch_size, 1), cumulative), 1)
        result = below.gather(1, count).clamp(max=1).to(self._scores.dtype)
        return result[:, 0] if single else result

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """See `Density.quantile`; the first sample at which the weights add up to `p`."""
        at, single = self._probabilities(p)
        values, cumulative = self._sorted(dim)
        place = torch.searchsorted(cumulative, at.contiguous()).clamp(max=cumulative.shape[1] - 1)
        result = values.gather(1, place).to(self._scores.dtype)
        return result[:, 0] if single else result

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """See `Density.sample`; drawn from the weighted samples, with replacement."""
        index = self._draw(n, generator)[..., None].expand(-1, -1, self.target_dim)
        return self._samples.gather(1, index)

    def effective_sample_size(self) -> Tensor:
        """``1 / sum of squared weights``, ``(B,)``."""
        return self._weights.square().sum(-1).reciprocal()

    def marginal(self, dims: int | Sequence[int], num_points: int = 64) -> GridDensity:
        """See `Density.marginal`; every sample is shared out to the grid points around it.

        Args:
            dims: one to three coordinates.
            num_points: grid points per coordinate, equally spaced over all but a thousandth of the mass; the
                more points, the noisier the density.

        Raises:
            DomainError: (a ValueError) if a coordinate does not exist or has no spread.
        """
        chosen = self._dims(dims)
        if len(chosen) > MOST_MARGINAL_DIMENSIONS:
            raise DomainError(f"a marginal has at most {MOST_MARGINAL_DIMENSIONS} dimensions, got {dims!r}.")
        num_points = require_count("num_points", num_points, least=2)
        axes = [self._axis(d, num_points) for d in chosen]
        masses = add_at(axes, self._samples[..., list(chosen)], self._weights)
        return GridDensity.from_log_masses(axes, masses.log())

    def _axis(self, dim: int, num_points: int) -> Tensor:
        """Points for a marginal, ``(B, G)``."""
        low, high = self.quantile((MARGINAL_TAIL, 1 - MARGINAL_TAIL), dim).unbind(-1)
        # Where one sample has all the weight, the unweighted samples tell the scale.
        alone, column = high <= low, self._samples[..., dim]
        low, high = torch.where(alone, column.amin(-1), low), torch.where(alone, column.amax(-1), high)
        if not bool((high > low).all()):
            raise DomainError(f"all samples of coordinate {dim} are equal: there is no marginal density.")
        share = torch.linspace(0, 1, num_points, dtype=low.dtype, device=low.device)
        return low[:, None] + share * (high - low)[:, None]

    def _sorted(self, dim: int) -> tuple[Tensor, Tensor]:
        """Samples of one coordinate in order, and their cumulative weights, both ``(B, M)`` float64."""
        values, order = self._samples[..., require_dim(dim, self.target_dim)].double().sort(-1)
        return values, self._weights.gather(-1, order).double().cumsum(-1)

    @property
    def _samples(self) -> Tensor:
        return self.samples.to(self._scores.dtype)

    def _warn_few(self) -> None:
        effective, largest = self.effective_sample_size(), self._weights.amax(-1)
        bad = (effective < FEW_EFFECTIVE_SAMPLES) | (largest > DOMINANT_WEIGHT)
        if not bool(bad.any()):
            return
        item = int(torch.where(bad, effective, torch.inf).argmin())
        warnings.warn(
            f"{int(bad.sum())} of {self.batch_size} densities rest on few samples (item {item}: "
            f"{effective[item].item():.1f} effective of {self._scores.shape[1]}, largest weight "
            f"{largest[item].item():.2f}); draw more, or place or widen the proposal better.",
            EffectiveSampleSizeWarning,
            stacklevel=3,
        )
